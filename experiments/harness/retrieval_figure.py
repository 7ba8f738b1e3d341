"""Figure of retrieval by binary codes: precision, recall and search times."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from aejax.plots import INK
from experiments.harness.comparisons import draw_mean
from experiments.harness.hashing import KS, LINEAR

EXACT = "all features"
"""Name of the exact search in all features."""


def draw_retrieval(
    axes: Sequence[Axes], name: str, found: Mapping[str, Any], learned: Sequence[str], bits: int
) -> None:
    """Draw precision at k, recall within a radius, precision against recall, and search times.

    Args:
        axes: four axes.
        name: name of the retrieval task.
        found: method -> metrics over seeds, as semantic_hashing stores them.
        learned: names of the learned codes.
        bits: number of bits.
    """
    nearest, ball, trade, speed = axes
    exact = found[EXACT]["precision at"]
    ks = KS[: len(exact)]
    nearest.plot(ks, exact, ":", color=INK, label=EXACT)
    for method in (*learned, *LINEAR):
        style = "o-" if method in learned else "s--"
        at, recall = (np.array(found[method][what]) for what in ("precision at", "recall"))
        draw_mean(nearest, ks, at, style, label=method, markersize=4)
        draw_mean(ball, range(bits + 1), recall, style[1:])
        precision = np.mean(found[method]["precision"], axis=0)
        trade.plot(recall.mean(axis=0), precision, style, markersize=4)
    times = {how: 1e6 * np.mean(seeds) for how, seeds in found["seconds per query"].items()}
    speed.bar(times.keys(), times.values())
    speed.tick_params("x", rotation=40)
    nearest.set(xscale="log", xlabel="k", title=f"{name}: precision at k")
    ball.set(xlabel="Hamming radius", title="recall within a radius")
    trade.set(xscale="log", xlim=(1e-3, 1), xlabel="recall", title="precision")
    speed.set(yscale="log", title="µs per query")
