"""Models of pythae with given parameters and noise, run by its own forward passes.

Encoder and decoder are dense layers with tanh units and the parameters of an `aejax` model, so that
losses and gradients of both packages can be compared. Needs pythae and PyTorch.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import numpy as np
import torch
from pythae import models
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder

KINDS = {"WAE_MMD": "flat", "RAE_GP": "flat", "VQVAE": "image"}
"""Kind of the code of each model; others have a posterior."""

sigmoid, identity = torch.sigmoid, torch.nn.Identity()
Tensors = Any
"""Tree of PyTorch parameters with the structure of an aejax model's."""


class Result(NamedTuple):
    """One forward pass of a pythae model.

    output:    return value of its `forward`, such as output.loss.
    gradients: gradients of its loss, in the order of `jax.tree.leaves` of the parameters.
    model:     the model after the pass.
    """

    output: Any
    gradients: list[np.ndarray]
    model: Any


class Encoder(BaseEncoder):
    """Dense layers, whose output is a code of `kind`.

    kind: "flat", "image" (units as channels of one position), or "posterior" (its halves are mean
          and log variance).
    """

    def __init__(self, layers: Tensors, kind: str) -> None:
        super().__init__()
        self.layers, self.kind = layers, kind

    def forward(self, x: torch.Tensor) -> ModelOutput:
        """Code of a batch."""
        output = dense(self.layers, x)
        if self.kind == "posterior":
            mean, log_variance = output.chunk(2, dim=-1)
            return ModelOutput(embedding=mean, log_covariance=log_variance)
        return ModelOutput(embedding=output[..., None, None] if self.kind == "image" else output)


class Decoder(BaseDecoder):
    """Dense layers, with a link function at the output."""

    def __init__(self, layers: Tensors, link: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.layers, self.link = layers, link

    def forward(self, z: torch.Tensor) -> ModelOutput:
        """Reconstruction of a batch."""
        return ModelOutput(reconstruction=self.link(dense(self.layers, z.flatten(1))))


def dense(layers: Tensors, x: torch.Tensor) -> torch.Tensor:
    """Dense layers, layer_0 first, with tanh after each but the last."""
    for place in range(len(layers)):
        x = torch.tanh(x) if place else x
        x = x @ layers[f"layer_{place}"]["kernel"] + layers[f"layer_{place}"]["bias"]
    return x


def run(
    name: str,
    params: Any,
    x: np.ndarray,
    *,
    settings: dict[str, Any],
    prepare: Callable[[Any], None] = lambda _: None,
    noise: np.ndarray | None = None,
    link: Callable[[torch.Tensor], torch.Tensor] = identity,
    **inputs: Any,
) -> Result:
    """Forward pass and gradients of a model.

    Args:
        name: name of the model, such as "IWAE".
        params: parameters of an aejax model, whose encoder and decoder are used.
        x: batch [examples, features].
        settings: settings of the model's configuration.
        prepare: function that changes the model before the pass.
        noise: values that `torch.randn_like` returns during the pass (default: random numbers).
        link: link function of the decoder.
        **inputs: further arguments of `forward`.
    """
    tensors = parameters(params)
    kind = KINDS.get(name, "posterior")
    sides = Encoder(tensors["encoder"], kind), Decoder(tensors["decoder"], link)
    units = params["decoder"]["layer_0"]["kernel"].shape[0]
    config = getattr(models, f"{name}_Config" if "_" in name else f"{name}Config")
    sizes = {"input_dim": (x.shape[1],), "latent_dim": units}
    with default_dtype(x.dtype):
        model = getattr(models, name)(config(**sizes, **settings), *sides)
        model.train()
        prepare(model)
        with fixed_noise(noise):
            output = model({"data": torch.tensor(x)}, **inputs)
        output.loss.backward()
    leaves = jax.tree.leaves({side: tensors[side] for side in ("decoder", "encoder")})
    return Result(output, [leaf.grad.numpy() for leaf in leaves], model)


def parameters(params: Any) -> Tensors:
    """PyTorch parameters from those of an aejax model."""
    return jax.tree.map(lambda leaf: torch.nn.Parameter(torch.tensor(np.array(leaf))), params)


def channels_of_flat_code(params: Any, features: int) -> int:
    """Number of channels of a codeword of `VQVAE` for an encoder with a flat code."""
    encoder = Encoder(parameters(params["encoder"]), "flat")
    model = models.VQVAE(models.VQVAEConfig(input_dim=(features,), latent_dim=1), encoder)
    return model.model_config.embedding_dim


@contextmanager
def default_dtype(dtype: np.dtype) -> Iterator[None]:
    """PyTorch's default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, dtype.name))
    yield
    torch.set_default_dtype(before)


@contextmanager
def fixed_noise(noise: np.ndarray | None) -> Iterator[None]:
    """`torch.randn_like` returns the noise."""
    before = torch.randn_like
    if noise is not None:
        torch.randn_like = lambda *_, **__: torch.tensor(noise)
    yield
    torch.randn_like = before


def stratified_weights(batch: int, examples: int) -> np.ndarray:
    """Importance weights [sample, example] of `BetaTCVAE` with its default `use_mss=True`."""
    weights = models.BetaTCVAE._log_importance_weight_matrix(None, batch, examples)
    return weights.exp().numpy()


def use_codebook(codebook: np.ndarray, counts: np.ndarray) -> Callable[[Any], None]:
    """Codewords of `VQVAE` with averages, and exponential averages of their counts."""

    def prepare(model: Any) -> None:
        quantiser = model.quantizer
        for name, value in (
            ("embeddings", codebook),
            ("cluster_size", counts),
            ("ema_embed", counts[:, None] * codebook),
        ):
            getattr(quantiser, name).data.copy_(torch.tensor(value))

    return prepare
