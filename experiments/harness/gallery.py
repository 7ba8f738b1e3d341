"""The gallery of all experiments' figures, written from their committed records.

Command:  python -m experiments.harness.gallery (a part of `make experiments-table`)
"""

import json
from collections.abc import Mapping
from typing import Any

from aejax.runs.atomic_files import write_text
from experiments.harness.records import ROOT, summary_file

DOCUMENT = ROOT / "docs" / "gallery.md"
TOPICS = {
    "Compression": (
        "thirty_numbers",
        "thirty_numbers_parts",
        "faces",
        "six_numbers",
        "depth",
        "bottleneck",
    ),
    "PCA": ("pca_equivalence", "linear_to_nonlinear"),
    "Noise and filters": (
        "denoising_filters",
        "edge_detectors",
        "denoising_score",
        "inpainting",
    ),
    "Regularisation": (
        "overcomplete",
        "sparse_features",
        "contractive_manifold",
        "weight_decay",
        "weight_sharing",
    ),
    "Deep training": ("pretraining", "optimisers", "depth_savings"),
    "Discrete codes": ("codeword_restarts",),
    "Variational autoencoders": ("rate_distortion", "variational_mnist"),
    "Convolution and segmentation": ("transposed_convolution", "segmentation"),
    "Uses of the code": (
        *("code_clusters", "codes_as_features", "pretrain_classify", "semantic_hashing"),
    ),
}
"""Experiments by topic, in the order of the page."""

HEAD = """# Gallery

The committed figures of all experiments. Each experiment is one readable file that tests one claim
of the course on autoencoders. The title states the claim; the verdict follows from comparisons over
random seeds, as the [table of experiments](../experiments/README.md) explains.
`make experiments-table` writes this page from the committed records.
"""


def page(records: Mapping[str, Mapping[str, Any]]) -> str:
    """The gallery as Markdown.

    Args:
        records: the record of each experiment in `TOPICS`, by name.
    """
    sections = [
        f"## {topic}\n\n" + "\n\n".join(_entry(name, records[name]) for name in names)
        for topic, names in TOPICS.items()
    ]
    return "\n\n".join([HEAD.rstrip(), *sections]) + "\n"


def committed() -> dict[str, dict[str, Any]]:
    """The committed record of each experiment in `TOPICS`, by name."""
    return {
        name: json.loads(summary_file(name).read_text(encoding="utf-8"))
        for names in TOPICS.values()
        for name in names
    }


def main() -> None:
    """Write docs/gallery.md from the committed records."""
    write_text(DOCUMENT, page(committed()))


def _entry(name: str, record: Mapping[str, Any]) -> str:
    title, caption = record["about"]["title"].rstrip("."), record["about"]["figure"]
    return (
        f"### {title}\n\n"
        f"![{caption}](../experiments/results/{name}.png)\n\n"
        f"{caption} Primary claim: *{record['primary']['verdict']}*; all comparisons: "
        f"*{record['verdict']}*. [Experiment](../experiments/{name}.py)."
    )


if __name__ == "__main__":
    main()
