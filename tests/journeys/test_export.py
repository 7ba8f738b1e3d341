"""Journey 8: an exported run, used in an environment without aejax."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_wine

from tests.journeys.journey import python, run, shell

COMMANDS = """
aejax train --data wine.npy --normalise standardise --loss squared --sizes 13 8 3 \
  --activation gelu --code-activation identity --learning-rate 0.01 --out runs/wine
aejax export runs/wine --out exported
aejax encode runs/wine new.npy --out expected_codes.npy
aejax reconstruct runs/wine new.npy --out expected_x.npy
"""

STABLEHLO = """
import numpy as np
from jax import export

encode, decode = (
    export.deserialize(bytearray(open(f"exported/{name}.stablehlo", "rb").read())).call
    for name in ("encode", "decode")
)
x = np.load("new.npy").astype(np.float32)
np.savez("stablehlo.npz", codes=encode(x), x=decode(encode(x)))
"""

NUMPY = """
import numpy as np

p = np.load("exported/parameters.npz")
shift, scale = p["normalisation.shift"], p["normalisation.scale"]


def affine(name, h):
    return h @ p[f"{name}.kernel"] + p[f"{name}.bias"]


def gelu(h):
    return h / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (h + 0.044715 * h**3)))


def half(name, h):
    layers = affine(f"{name}.layer_1", gelu(affine(f"{name}.layer_0", h)))
    return affine(f"{name}.linear", h) + layers


codes = half("encoder", (np.load("new.npy") - shift) / scale)
x_hat = half("decoder", codes)
np.savez("numpy.npz", codes=codes, x=x_hat * scale + shift)
"""


@pytest.mark.slow
def test_an_export_is_used_without_aejax(journey, tmp_path):
    wine = load_wine().data
    np.save(journey.folder / "wine.npy", wine[::2])
    np.save(journey.folder / "new.npy", wine[1::2])
    shell(journey, COMMANDS)
    description = json.loads((journey.folder / "exported" / "description.json").read_text())
    assert "linear" in description  # where the user learns of the path beside the layers
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "aejax.py").write_text("raise ImportError('there is no aejax here')\n")
    without = {"PYTHONPATH": str(tmp_path / "without")}
    with pytest.raises(AssertionError, match="there is no aejax here"):
        run(journey, ["python", "-c", "import aejax"], **without)
    codes, x = (np.load(journey.folder / f"expected_{name}.npy") for name in ("codes", "x"))
    for name, script in (("stablehlo", STABLEHLO), ("numpy", NUMPY)):
        assert python(journey, script, f"use_{name}.py", **without).err == ""
        found = np.load(journey.folder / f"{name}.npz")
        np.testing.assert_allclose(found["codes"], codes, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(found["x"], x, rtol=1e-3)
