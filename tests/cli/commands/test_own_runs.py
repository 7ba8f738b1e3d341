"""Commands on runs of `aejax.runs.train`, whose data the caller names."""

import numpy as np
import optax
import pytest
from jax import export

from aejax import data, runs
from aejax.cli.explorer import explored_run, views
from aejax.runs.presentation import shown_examples
from tests.cli.conftest import check
from tests.runs.own_objectives import WINE

FACTORIES = {name: f"tests.runs.own_objectives:{name}_objective" for name in ("dict", "equinox")}


@pytest.fixture(scope="module", params=["equinox", pytest.param("dict", marks=pytest.mark.slow)])
def own(request, tmp_path_factory):
    """A finished run on normalised rows, and the folder with its train examples; read-only."""
    folder = tmp_path_factory.mktemp("own")
    np.savez(folder / "wine.npz", x=WINE, y=np.arange(len(WINE)) % 3)
    run = runs.train(
        *(FACTORIES[request.param], optax.adam(1e-2), WINE),
        out=folder / "run",
        epochs=2,
        key=0,
        validation=WINE[:20],
        normalisation=data.standardise(WINE),
    )
    return run, folder


def test_report_score_and_export_take_the_run(own, tmp_path, aejax, undrawn):
    run, folder = own
    report = ("report", run.folder, "--out", tmp_path / "report.html")
    check(aejax(*report), "was trained on arrays of a script: say --data FILE")
    assert aejax(*report, "--data", folder / "wine.npz").code == 0
    page = (tmp_path / "report.html").read_text()
    assert all(part in page for part in ("Error by feature", "validation loss", "_objective"))
    score = ("score", run.folder, folder / "wine.npz", "--out", tmp_path / "scores.npz")
    check(aejax(*score), "say --train FILE")
    assert aejax(*score, "--train", folder / "wine.npz").code == 0
    scale = np.asarray(run.normalisation.scale)
    lost = ((runs.reconstruct(run, WINE) - WINE) / scale) ** 2
    with np.load(tmp_path / "scores.npz") as found:
        np.testing.assert_allclose(found["feature_errors"], lost, rtol=1e-3, atol=1e-5)
        ranks = [np.mean(lost.sum(axis=1) <= error) for error in lost.sum(axis=1)]
        np.testing.assert_allclose(found["rank"], ranks, atol=0.02)
    assert aejax("export", run.folder, "--out", tmp_path / "exported").code == 0
    calls = [
        export.deserialize(bytearray((tmp_path / f"exported/{name}.stablehlo").read_bytes())).call
        for name in ("encode", "decode")
    ]
    found = calls[1](calls[0](WINE))
    np.testing.assert_allclose(found, runs.reconstruct(run, WINE), rtol=1e-4, atol=1e-3)


def test_the_explorer_takes_the_run(own):
    run, folder = own
    examples = shown_examples(run, folder / "wine.npz")
    assert examples.labels is not None
    view = explored_run.view(run, examples)
    assert views.description(view)["title"] == "An autoencoder: run"
    found = views.example(view, 3)
    np.testing.assert_allclose(found["x_hat"], runs.reconstruct(run, WINE[3:4])[0], rtol=1e-4)
