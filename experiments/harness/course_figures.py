"""Page of the course's figures: topic, figure, its message, and the measured comparison.

Command:  python -m experiments.harness.course_figures (a part of `make experiments-table`)
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from aejax.runs.atomic_files import write_text
from experiments.harness import markdown
from experiments.harness.gallery import committed
from experiments.harness.records import ROOT
from experiments.harness.table import compared_values

DOCUMENT = ROOT / "docs" / "course_figures.md"


class CourseFigure(NamedTuple):
    """Topic of the course, an experiment on it, and the message of the experiment's figure."""

    topic: str
    experiment: str
    message: str


FIGURES = (
    CourseFigure(
        "Undercomplete: the code is a bottleneck",
        "bottleneck",
        "Curves descend with the code size; that of the deep autoencoder is below the others on "
        "digits and faces; on whitened photographs all nearly coincide. The shallow one is PCA "
        "where its output is linear.",
    ),
    CourseFigure(
        "Overcomplete: copying, and regularisers against it",
        "overcomplete",
        "Without a regulariser the bars of lost variance are short for data and for noise; with "
        "any regulariser most of the noise is lost, and less of the data.",
    ),
    CourseFigure(
        "Linear autoencoder = PCA",
        "pca_equivalence",
        "Angle and loss decrease until the span is that of PCA. The units are mixtures of "
        "components; projected onto their span, the components reappear.",
    ),
    CourseFigure(
        "From PCA to a non-linear autoencoder",
        "linear_to_nonlinear",
        "The curve starts at PCA's error and decreases; rows of digits become sharper from PCA "
        "upwards.",
    ),
    CourseFigure(
        "Binary inputs: logistic output",
        "thirty_numbers",
        "Digits are reconstructed sharply by deep autoencoders, blurred with grey shadows by PCA.",
    ),
    CourseFigure(
        "Real inputs: linear output, squared error",
        "faces",
        "Parts of faces of new people: both codes blur them; edges are sharper with the deep "
        "autoencoder than with PCA, and most of its differences are smaller.",
    ),
    CourseFigure(
        "L2 regularisation (weight decay)",
        "weight_decay",
        "With few examples the test curve has its minimum at a positive λ, far above the training "
        "curve; with many examples both ascend together.",
    ),
    CourseFigure(
        "Tied weights",
        "weight_sharing",
        "Bars of tied weights are higher than those of untied ones, slightly with 100 examples; "
        "most runs with 100 examples and all with 400 are above zero: tied weights do not help "
        "here, although their training errors (diamonds) are closer to the test errors.",
    ),
    CourseFigure(
        "Contractive: sensitive to few directions",
        "contractive_manifold",
        "The contractive code needs the fewest directions for most of Σ σ²; its leading directions "
        "resemble deformed strokes of the digit, where those of the plain code are blobs.",
    ),
    CourseFigure(
        "Denoising: filters against noise",
        "denoising_filters",
        "Without noise most filters are noise; with more masked pixels most become dots or pen "
        "strokes.",
    ),
    CourseFigure(
        "Denoising and weight decay on photographs",
        "edge_detectors",
        "Many denoising filters are oriented edges; those of weight decay are noise.",
    ),
    CourseFigure(
        "Denoising: manifold and score",
        "denoising_score",
        "Arrows lead towards the density; with many examples the learned ones cover the exact "
        "ones.",
    ),
    CourseFigure(
        "Sparse: KL penalty on the mean activation",
        "sparse_features",
        "Mean activations are on the line of their targets; the deviation decreases as 1/β while "
        "the error increases; the accuracy is above that of the dense code at moderate sparsity, "
        "and below it for the sparsest codes.",
    ),
    CourseFigure(
        "Convolution and transposed convolution",
        "transposed_convolution",
        "Windows slide over numbered squares, forwards and transposed; contrast is most uneven "
        "with a kernel of 3 at stride 2, and at the start of training a flat image becomes a "
        "checkerboard.",
    ),
    CourseFigure(
        "Unpooling with indices; segmentation",
        "segmentation",
        "Street scenes: with transferred indices, regions have thin details, many of them wrong; "
        "without indices they are smooth blobs.",
    ),
    CourseFigure(
        "Deep against shallow",
        "depth",
        "All networks are far below PCA, those with hidden layers below the shallow one.",
    ),
    CourseFigure(
        "Exponential savings by depth",
        "depth_savings",
        "The line of parameters ascends steeply with the folds for a single layer, slowly for a "
        "deep decoder; only the constructed deep decoder draws the sawtooth.",
    ),
    CourseFigure(
        "Greedy layer-wise pretraining",
        "pretraining",
        "From a random start the error stays high; pretrained networks are lower from their first "
        "epoch.",
    ),
    CourseFigure(
        "Training deep autoencoders",
        "optimisers",
        "Five curves of the training loss, that of Muon clearly lowest.",
    ),
    CourseFigure(
        "30-dimensional codes of digits",
        "thirty_numbers",
        "Rows of deep autoencoders are hard to distinguish from the test images; that of PCA is "
        "blurred.",
    ),
    CourseFigure(
        "30-dimensional codes: which component helps",
        "thirty_numbers_parts",
        "Bars: without GELU units, Muon, augmentation, schedule or refinement the error is larger, "
        "without cubic interpolation or the wide decoder it is smaller.",
    ),
    CourseFigure(
        "Codes of six dimensions: curves",
        "six_numbers",
        "Strokes are reconstructed as strokes by the deep autoencoder with 6 dimensions and by "
        "logistic PCA with 18, as blots by PCA.",
    ),
    CourseFigure(
        "Application: faces",
        "faces",
        "The row of the deep autoencoder is sharper than that of PCA; both lose detail.",
    ),
    CourseFigure(
        "Beyond the course: discrete codes",
        "codeword_restarts",
        "The curve of averages with restarts has the lowest error and nearly all codewords in "
        "equal use; without restarts few are used, and how many depends on the seed.",
    ),
    CourseFigure(
        "Beyond the course: variational autoencoders",
        "rate_distortion",
        "The points of deep autoencoders are below the curve of the linear one, on train and test "
        "digits; at less than one nat they meet it.",
    ),
    CourseFigure(
        "Application: semantic hashing",
        "semantic_hashing",
        "Precision against recall: the curve of the shortlist of the code is the highest.",
    ),
    CourseFigure(
        "Application: inpainting",
        "inpainting",
        "Coloured squares are filled: in digits the network continues strokes that the others "
        "blur or end; in faces and photographs PCA has the highest PSNR.",
    ),
    CourseFigure(
        "Application: pretraining a classifier",
        "pretrain_classify",
        "The curve of the denoising code is the highest for every number of labels.",
    ),
    CourseFigure(
        "Application: clusters",
        "codes_as_features",
        "Tables of digits by cluster, below the centre of each cluster: most of the diagonal is "
        "darker and the centres are sharper for the autoencoder.",
    ),
    CourseFigure(
        "Application: maps of the code",
        "code_clusters",
        "Digits on a plane: more regions of one colour for the autoencoder than for PCA.",
    ),
)
"""Figures in the order of the course; an experiment may belong to several topics."""

HEAD = """# Figures of the course

The topics of the course on autoencoders with the figure of this project for each, the message of
the figure, and the primary comparison of its experiment. The [gallery](gallery.md) shows all
figures; the [course by topic](models.md) lists formulas, functions and tests.
`make experiments-table` writes this page from the committed records.
"""


def page(records: Mapping[str, Mapping[str, Any]]) -> str:
    """The page as Markdown.

    Args:
        records: the record of each experiment in `FIGURES`, by name.
    """
    head = ("topic", "figure", "message of the figure", "measured", "verdict")
    rows = [
        (
            figure.topic,
            f"[{figure.experiment}](../experiments/results/{figure.experiment}.png)",
            figure.message,
            compared_values(records[figure.experiment]).replace("|", "\\|"),
            records[figure.experiment]["primary"]["verdict"],
        )
        for figure in FIGURES
    ]
    return f"{HEAD}\n{markdown.table(head, rows)}\n"


def main() -> None:
    """Write docs/course_figures.md from the committed records."""
    write_text(DOCUMENT, page(committed()))


if __name__ == "__main__":
    main()
