"""An epoch of PyTorch's training as a way to be timed."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np


def pytorch_epoch(
    sizes: Sequence[int],
    x: np.ndarray,
    batch_size: int,
    *,
    few_bits: bool = False,
    compiled: str | None = None,
    device: str = "cpu",
) -> Callable[[], Any]:
    """A call that runs one epoch of a deep autoencoder, logistic but for code and output.

    Args:
        sizes: units of the encoder's layers; the decoder mirrors them.
        x: all examples, [examples, features].
        batch_size: examples a step.
        few_bits: bfloat16 by autocast.
        compiled: mode of torch.compile; None is eager. "reduce-overhead" replays CUDA graphs.
        device: PyTorch's name of it.

    Returns:
        The call, which returns when the device is done.
    """
    import torch

    widths, code = [*sizes, *sizes[-2::-1]], len(sizes) - 2
    layers: list[Any] = []
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        layers.append(torch.nn.Linear(inputs, outputs))
        if i not in (code, len(widths) - 2):
            layers.append(torch.nn.Sigmoid())
    model = torch.nn.Sequential(*layers).to(device)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    forward = model if compiled is None else torch.compile(model, mode=compiled)
    rows = torch.from_numpy(x).to(device)

    def epoch() -> None:
        order = torch.randperm(len(rows), device=device)
        for start in range(0, len(rows), batch_size):
            batch = rows[order[start : start + batch_size]]
            optimizer.zero_grad()
            with torch.autocast(device, torch.bfloat16, enabled=few_bits):
                output = forward(batch)
            (output.float() - batch).square().sum(dim=1).mean().backward()
            optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return epoch
