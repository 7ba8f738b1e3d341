"""TFDS data sets of other shapes than MNIST, written here without TensorFlow."""

from types import MappingProxyType

import numpy as np
import pytest
import tensorflow_datasets as tfds

from aejax.data.catalogue import find_builder
from aejax.data.prepared import load_prepared

VECTOR = tfds.features.Tensor(shape=(3,), dtype=np.float32)
LABEL = tfds.features.ClassLabel(num_classes=10)
RAGGED = tfds.features.Tensor(shape=(None,), dtype=np.float32)


class Toy(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    VERSION = tfds.core.Version("1.0.0")
    FEATURES = MappingProxyType({"v": VECTOR, "label": LABEL})
    KEYS = ("v", "label")
    SPLITS = ("train", "test")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(dict(self.FEATURES)),
            supervised_keys=self.KEYS,
            disable_shuffling=True,
        )

    def _split_generators(self, _):
        return {split: self._generate_examples(split) for split in self.SPLITS}

    def _generate_examples(self, split):
        for i in range(10):
            value = np.full(3, i + 100 * (split != "train"), np.float32)
            yield (
                i,
                {
                    key: i if f is LABEL else value.astype(f.np_dtype)
                    for key, f in self.FEATURES.items()
                },
            )


def load_toy(tmp_path, monkeypatch, **attributes):
    builder = type("Toy", (Toy,), attributes, skip_registration=True)(data_dir=tmp_path)
    builder.download_and_prepare(file_format="array_record")
    monkeypatch.setattr("aejax.data.prepared.find_builder", lambda *_: builder)
    return load_prepared("toy")


@pytest.mark.parametrize("test", ["test", "validation"])
def test_test_or_validation_split(tmp_path, monkeypatch, test):
    dataset = load_toy(tmp_path, monkeypatch, SPLITS=("train", test))
    assert dataset.x_train[:, 0].tolist() == list(range(10))
    assert dataset.x_test[:, 2].tolist() == list(range(100, 110))
    assert dataset.labels_test.tolist() == list(range(10))
    assert (dataset.low, dataset.high) == (None, None)


def test_uint8_has_the_bounds_0_and_255(tmp_path, monkeypatch):
    image = tfds.features.Tensor(shape=(3,), dtype=np.uint8)
    dataset = load_toy(tmp_path, monkeypatch, FEATURES={"v": image, "label": LABEL})
    assert dataset.x_train.dtype == np.uint8
    assert (dataset.low, dataset.high) == (0.0, 255.0)


def test_every_fifth_example_of_train_becomes_test(tmp_path, monkeypatch):
    dataset = load_toy(tmp_path, monkeypatch, SPLITS=("train",))
    assert dataset.x_test[:, 0].tolist() == [4, 9]
    assert dataset.labels_test.tolist() == [4, 9]
    assert len(dataset.x_train) == len(dataset.labels_train) == 8


def test_blocks_are_concatenated(tmp_path, monkeypatch):
    monkeypatch.setattr("aejax.data.prepared.EXAMPLES_PER_READ", 3)
    assert load_toy(tmp_path, monkeypatch).x_train[:, 1].tolist() == list(range(10))


def test_a_target_that_is_not_a_class_label_is_ignored(tmp_path, monkeypatch):
    dataset = load_toy(tmp_path, monkeypatch, FEATURES={"v": VECTOR, "w": VECTOR}, KEYS=("v", "w"))
    assert dataset.labels_train is None


@pytest.mark.parametrize(
    ("features", "keys"),
    [
        ({"v": VECTOR, "label": LABEL}, None),
        ({"v": RAGGED, "label": LABEL}, ("v", "label")),
        ({"v": VECTOR, "label": LABEL}, ("label", "v")),
    ],
)
def test_no_input_of_one_shape(tmp_path, monkeypatch, features, keys):
    with pytest.raises(ValueError, match="'toy' has the features v, label; expected supervised"):
        load_toy(tmp_path, monkeypatch, FEATURES=features, KEYS=keys)


def test_no_train_split(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="'toy' has the splits test; expected train"):
        load_toy(tmp_path, monkeypatch, SPLITS=("test",))


def test_home_directory_is_expanded():
    assert "~" not in find_builder("mnist", "~/data").data_dir
