"""Epochs of PyTorch's training as variants for `benchmarks.interleaved`."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np


def pytorch_epoch(
    sizes: Sequence[int],
    x: np.ndarray,
    batch_size: int,
    *,
    low_precision: bool = False,
    compiled: str | None = None,
    device: str = "cpu",
) -> Callable[[], Any]:
    """Make one epoch of a deep autoencoder with logistic hidden layers, linear code and output.

    Args:
        sizes: layer widths of the encoder, the input first; the decoder has them in reverse.
        x: all examples, [examples, features].
        batch_size: number of examples per step.
        low_precision: whether to use bfloat16 by autocast.
        compiled: mode of torch.compile, or None for eager execution; "reduce-overhead" replays CUDA
            graphs.
        device: device of PyTorch.

    Returns:
        A function that runs the epoch and returns when the device has finished.
    """
    import torch

    model = _model(sizes, device)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    forward = model if compiled is None else torch.compile(model, mode=compiled)
    rows = torch.from_numpy(x).to(device)

    def epoch() -> None:
        order = torch.randperm(len(rows), device=device)
        for start in range(0, len(rows), batch_size):
            batch = rows[order[start : start + batch_size]]
            optimizer.zero_grad()
            _loss(forward, batch, low_precision).backward()
            optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return epoch


def pytorch_graph_epoch(
    sizes: Sequence[int], x: np.ndarray, batch_size: int, *, low_precision: bool = False
) -> Callable[[], Any]:
    """Make the epoch of `pytorch_epoch` on a GPU, with each step as one replayed CUDA graph.

    The model is compiled; the graph contains the loss, its gradient and Adam's update, but not the
    selection of the batch. This minimises the time that the GPU waits for Python.

    Args:
        sizes: layer widths of the encoder, the input first; the decoder has them in reverse.
        x: all examples, [examples, features]; their number is a multiple of the batch size.
        batch_size: number of examples per step.
        low_precision: whether to use bfloat16 by autocast.

    Returns:
        A function that runs the epoch and returns when the device has finished.
    """
    import torch

    model = _model(sizes, "cuda")
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True, capturable=True)
    forward = torch.compile(model)
    rows = torch.from_numpy(x).to("cuda")
    batch = rows[:batch_size].clone()
    side, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()

    def step() -> None:
        optimizer.zero_grad()
        _loss(forward, batch, low_precision).backward()
        optimizer.step()

    def capture() -> None:
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # compiles, and allocates what the graph needs
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(side)
        with torch.cuda.graph(graph):
            step()

    captured = []

    def epoch() -> None:
        if not captured:
            captured.append(capture())
        order = torch.randperm(len(rows), device="cuda")
        for indices in order.split(batch_size):
            torch.index_select(rows, 0, indices, out=batch)
            graph.replay()
        torch.cuda.synchronize()

    return epoch


def _model(sizes: Sequence[int], device: str) -> Any:
    import torch

    widths, code = [*sizes, *sizes[-2::-1]], len(sizes) - 2
    layers: list[Any] = []
    for i, (inputs, outputs) in enumerate(pairwise(widths)):
        layers.append(torch.nn.Linear(inputs, outputs))
        if i not in (code, len(widths) - 2):
            layers.append(torch.nn.Sigmoid())
    return torch.nn.Sequential(*layers).to(device)


def _loss(forward: Callable[[Any], Any], batch: Any, low_precision: bool) -> Any:
    import torch

    with torch.autocast(batch.device.type, torch.bfloat16, enabled=low_precision):
        output = forward(batch)
    return (output.float() - batch).square().sum(dim=1).mean()
