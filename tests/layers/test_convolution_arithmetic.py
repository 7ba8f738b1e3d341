"""Convolution arithmetic against the guide's relations, and decoders for every input size."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aejax.layers.convolution import convolution, transposed_convolution, zero_inserted
from aejax.layers.convolution_arithmetic import (
    Geometry,
    convolution_shape,
    decoder_geometry,
    resolve_axes,
    transposed_shape,
)
from aejax.layers.pooling import max_pool

SIZES, KERNELS, PADDINGS, STRIDES = range(1, 10), range(1, 6), range(5), range(1, 5)
TABLE = [
    (i, k, p, s)
    for i, k, p, s in itertools.product(SIZES, KERNELS, PADDINGS, STRIDES)
    if i + 2 * p >= k
]

# Number of the relation: its condition, and the output size o. Odd k is the guide's k = 2n + 1.
CONVOLUTION = {
    1: (lambda i, k, p, s: s == 1 and p == 0, lambda i, k, p, s: (i - k) + 1),
    2: (lambda i, k, p, s: s == 1, lambda i, k, p, s: (i - k) + 2 * p + 1),
    3: (lambda i, k, p, s: s == 1 and k % 2 == 1 and p == k // 2, lambda i, k, p, s: i),
    4: (lambda i, k, p, s: s == 1 and p == k - 1, lambda i, k, p, s: i + (k - 1)),
    5: (lambda i, k, p, s: p == 0, lambda i, k, p, s: (i - k) // s + 1),
    6: (lambda i, k, p, s: True, lambda i, k, p, s: (i + 2 * p - k) // s + 1),
}

# Condition of a relation, the zeros p' around the zero-inserted input, and the size o' from o = i'.
TRANSPOSE = {
    8: (CONVOLUTION[1][0], lambda k, p: k - 1, lambda o, k, p, s, a: o + (k - 1)),
    9: (CONVOLUTION[2][0], lambda k, p: k - p - 1, lambda o, k, p, s, a: o + (k - 1) - 2 * p),
    10: (CONVOLUTION[3][0], lambda k, p: p, lambda o, k, p, s, a: o),
    11: (CONVOLUTION[4][0], lambda k, p: 0, lambda o, k, p, s, a: o - (k - 1)),
    12: (
        lambda i, k, p, s: p == 0 and (i - k) % s == 0,
        lambda k, p: k - 1,
        lambda o, k, p, s, a: s * (o - 1) + k,
    ),
    13: (
        lambda i, k, p, s: (i + 2 * p - k) % s == 0,
        lambda k, p: k - p - 1,
        lambda o, k, p, s, a: s * (o - 1) + k - 2 * p,
    ),
    14: (
        lambda i, k, p, s: True,
        lambda k, p: k - p - 1,
        lambda o, k, p, s, a: s * (o - 1) + a + k - 2 * p,
    ),
}


@pytest.mark.parametrize("relation", CONVOLUTION)
def test_the_guides_relations_of_a_convolution(relation):
    condition, size = CONVOLUTION[relation]
    rows = [row for row in TABLE if condition(*row)]
    assert len(rows) > 20
    for i, k, p, s in rows:
        placements = range(-p, i + p - k + 1, s)
        geometry = Geometry((k,), (s,), ((p, p),))
        assert convolution_shape((i,), geometry) == (size(i, k, p, s),) == (len(placements),)


def test_the_guides_relation_7_of_a_pooling():
    for i, k, s in itertools.product(SIZES, KERNELS, STRIDES):
        if i >= k:
            x = jax.ShapeDtypeStruct((1, i, 1), jnp.float32)
            pooled, _ = jax.eval_shape(
                lambda x, k=k, s=s: max_pool(x, window=(k,), strides=(s,)), x
            )
            assert pooled.shape[1] == (i - k) // s + 1
            assert convolution_shape((i,), Geometry((k,), (s,))) == pooled.shape[1:2]


@pytest.mark.parametrize("relation", TRANSPOSE)
def test_the_guides_relations_of_a_transposed_convolution(relation):
    condition, around, size = TRANSPOSE[relation]
    rows = [row for row in TABLE if condition(*row)]
    assert len(rows) > 20
    for i, k, p, s in rows:
        geometry = Geometry((k,), (s,), ((p, p),))
        (o,) = convolution_shape((i,), geometry)
        a = (i + 2 * p - k) % s
        (found,) = decoder_geometry((o,), (i,), [geometry])
        assert found == geometry._replace(output_padding=(a,))
        assert transposed_shape((o,), found) == (size(o, k, p, s, a),) == (i,)
        y = jax.ShapeDtypeStruct((1, o, 1), jnp.float32)
        stretched = jax.eval_shape(partial(zero_inserted, geometry=found), y).shape[1]
        assert stretched == s * (o - 1) + 1 + 2 * around(k, p) + a
        assert convolution_shape((stretched,), Geometry((k,))) == (i,)


def test_the_guides_relation_15_of_a_dilated_convolution():
    for (i, k, p, s), d in itertools.product(TABLE, range(1, 4)):
        if i + 2 * p >= d * (k - 1) + 1:
            o = (i + 2 * p - k - (k - 1) * (d - 1)) // s + 1
            assert convolution_shape((i,), Geometry((k,), (s,), ((p, p),), (d,))) == (o,)


def test_the_guides_examples_of_one_output_size_for_two_inputs():
    five, six = ([Geometry((3, 3), (2, 2), ((1, 1), (1, 1)))] for _ in range(2))
    assert convolution_shape((5, 5), *five) == convolution_shape((6, 6), *six) == (3, 3)
    assert decoder_geometry((3, 3), (5, 5), five)[0].output_padding == (0, 0)
    assert decoder_geometry((3, 3), (6, 6), six)[0].output_padding == (1, 1)


@st.composite
def geometries(draw, axes):
    def entries(low, high):
        return tuple(draw(st.lists(st.integers(low, high), min_size=axes, max_size=axes)))

    pairs = tuple(zip(entries(0, 3), entries(0, 3), strict=True))
    padding = draw(st.sampled_from(["same", "valid", pairs]))
    return Geometry(entries(1, 4), entries(1, 4), padding, entries(1, 3))


@given(st.data(), st.integers(1, 4))
def test_output_shapes_match_the_arithmetic(data, axes):
    """XLA's shape inference is the reference."""
    shape = data.draw(st.tuples(*[st.integers(10, 15)] * axes))
    geometry = data.draw(geometries(axes))
    options = {name: getattr(geometry, name) for name in ("strides", "padding", "dilation")}
    kernel = jax.ShapeDtypeStruct((*geometry.kernel, 1, 1), jnp.float32)

    def shape_of(function, spatial, **options):
        x = jax.ShapeDtypeStruct((1, *spatial, 1), jnp.float32)
        return jax.eval_shape(lambda x, w: function(x, w, **options), x, kernel).shape[1:-1]

    smaller = shape_of(convolution, shape, **options)
    assert smaller == convolution_shape(shape, geometry)
    (found,) = decoder_geometry(smaller, shape, [geometry])
    options |= {"padding": found.padding, "output_padding": found.output_padding}
    assert shape_of(transposed_convolution, smaller, **options) == shape


@given(st.data(), st.integers(1, 3))
def test_same_padding_matches_xla(data, axes):
    shape = data.draw(st.tuples(*[st.integers(1, 12)] * axes))
    geometry = data.draw(geometries(axes))._replace(padding="same")
    pairs = [axis.padding for axis in resolve_axes(shape, geometry)]
    spans = [axis.span for axis in resolve_axes(shape, geometry)]
    assert pairs == jax.lax.padtype_to_pads(shape, spans, geometry.strides, "SAME")
    ceilings = tuple(-(-i // s) for i, s in zip(shape, geometry.strides, strict=True))
    assert convolution_shape(shape, geometry) == ceilings
    wider = tuple(i * s for i, s in zip(shape, geometry.strides, strict=True))
    assert transposed_shape(shape, geometry) == wider


def test_a_decoder_of_several_layers_restores_every_size():
    encoder = [Geometry((5,), (2,)), Geometry((3,), (2,), ((1, 0),)), Geometry((2,), (3,), "same")]
    for wanted in range(11, 60):
        sizes = [(wanted,)]
        for layer in encoder:
            sizes.append(convolution_shape(sizes[-1], layer))
        shape = sizes[-1]
        for layer in decoder_geometry(shape, (wanted,), encoder[::-1]):
            assert 0 <= layer.output_padding[0] < layer.strides[0]
            shape = transposed_shape(shape, layer)
        assert shape == (wanted,)


def test_the_error_names_the_code_shape_that_would_fit():
    layers = [Geometry((3, 3), (2, 2), "same")] * 2
    with pytest.raises(ValueError, match=r"a code of \[6, 7\].* need a code of \[7, 7\]"):
        decoder_geometry((6, 7), (28, 28), layers)
    with pytest.raises(ValueError, match="does not fit"):
        decoder_geometry((1,), (2,), [Geometry((3,))])


@pytest.mark.parametrize(
    ("function", "shape", "geometry", "message"),
    [
        (convolution_shape, (4,), Geometry((5,)), r"spans \[5\] .* padded input of \[4\]"),
        (convolution_shape, (4,), Geometry((3,), None, "valid", (2,)), r"spans \[5\]"),
        (convolution_shape, (4, 4), Geometry((3,)), "kernel must have one entry for each of 2"),
        (convolution_shape, (4,), Geometry((3,), (0,)), "strides must .* at least 1"),
        (convolution_shape, (4,), Geometry((3,), None, ((0, -1),)), "padding must .* at least 0"),
        (convolution_shape, (4,), Geometry((3,), None, "half"), "got 'half'"),
        (transposed_shape, (4,), Geometry((1,), None, ((2, 2),)), r"would have \[0\]"),
        (transposed_shape, (4,), Geometry((3,), (2,), "valid", None, (2,)), "must be below"),
        (transposed_shape, (4,), Geometry((3,), (2,), "same", None, (1,)), "chooses the output"),
    ],
)
def test_an_invalid_geometry_is_refused(function, shape, geometry, message):
    with pytest.raises(ValueError, match=message):
        function(shape, geometry)
