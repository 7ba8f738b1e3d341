"""The original archives and the builder of TFDS, if they are available."""

import importlib.util

import numpy as np
import pytest

from aejax.data import fingerprint, load, prepare


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_original_archives(tmp_path, shared_data, name):
    archives = shared_data / name
    if not archives.is_dir():
        pytest.skip(f"the original archives are not in {archives}")
    prepare(name, data_dir=tmp_path, manual_dir=archives)
    dataset, direct = load(name, data_dir=tmp_path), load(archives)
    assert dataset.x_train.shape == (60_000, 28, 28)
    assert dataset.x_test.shape == (10_000, 28, 28)
    assert np.bincount(dataset.labels_test).sum() == 10_000
    np.testing.assert_array_equal(dataset.x_train, direct.x_train)
    assert fingerprint(dataset) == fingerprint(direct)


def in_one_order(x, labels):
    """Images with their labels, sorted by their bytes."""
    rows = np.column_stack([x.reshape(len(x), -1), labels.astype(np.uint8)])
    return rows[np.lexsort(rows.T)]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # ignore TensorFlow's warnings
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_tfds_own_builder_gives_the_same_images(tmp_path, shared_data, name):
    archives = shared_data / name
    if not archives.is_dir():
        pytest.skip(f"the original archives are not in {archives}")
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TFDS's own builder needs TensorFlow: pip install 'aejax[tfds]'")
    prepare(f"tfds:{name}", data_dir=tmp_path, manual_dir=archives)
    theirs, ours = load(f"tfds:{name}", data_dir=tmp_path), load(archives)
    for split in ("train", "test"):
        expected = in_one_order(getattr(ours, f"x_{split}"), getattr(ours, f"labels_{split}"))
        found = in_one_order(getattr(theirs, f"x_{split}"), getattr(theirs, f"labels_{split}"))
        np.testing.assert_array_equal(found, expected)
