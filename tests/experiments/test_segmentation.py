"""The experiment on segmentation: comparisons on synthetic metrics, and data files."""

import json

import numpy as np
import pytest

from experiments import segmentation as experiment
from experiments.harness import records


def made_up(**mean_iou):
    return {
        name: dict.fromkeys(experiment.METRICS, values) | {"loss": [[1.0]]}
        for name, values in mean_iou.items()
    }


def test_each_other_decoder_is_compared_by_each_measure():
    found = experiment.observations(
        made_up(transferred=[0.5, 0.51, 0.52], fixed=[0.4, 0.42, 0.41], nearest=[0.6, 0.4, 0.5])
    )
    assert next(iter(found)) == "mean iou, transferred less fixed"
    assert [claim for claim in found if found[claim].holds] == [
        f"{measure.replace('_', ' ')}, transferred less fixed" for measure in experiment.METRICS
    ]
    assert len(found) == 6


def test_every_epoch_uses_each_image_once():
    config = experiment.QUICK
    orders = np.asarray(experiment._orders(config, experiment.jax.random.key(0), 50)).ravel()
    assert len(orders) == config.steps * config.batch_size
    np.testing.assert_array_equal(np.sort(orders[:50]), np.arange(50))
    assert not np.array_equal(orders[:50], orders[50:100])


def test_camvid_has_images_and_a_class_for_each_of_their_pixels(shared_data):
    if not (shared_data / "camvid").exists():
        pytest.skip(f"{shared_data / 'camvid'} is missing")
    dataset = experiment.load(str(shared_data / "camvid" / "camvid_120x90.npz"))
    assert dataset.x_train.shape == (367, 90, 120, 3)
    assert dataset.labels_test.shape == dataset.x_test.shape[:3]
    assert dataset.labels_train.max() == len(experiment.CLASSES["camvid"])  # void comes last


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="pass the path of"):
        experiment.load(str(tmp_path / "none.npz"))


def test_the_committed_results_agree_with_the_docstring():
    file = records.summary_file("segmentation")
    metrics = json.loads(file.read_text(encoding="utf-8"))["metrics"]
    for measure in experiment.METRICS:
        transferred, fixed, _ = (np.array(metrics[name][measure]) for name in metrics)
        assert (transferred > fixed).all()
