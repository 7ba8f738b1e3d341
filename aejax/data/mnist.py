"""MNIST and Fashion-MNIST as TFDS builders that need no TensorFlow.

The builders of TFDS decompress with TensorFlow and store shuffled PNG files. These read the same
archives with `read_idx` and store raw pixels in the original order, so their names on disk differ.
This module imports TFDS, so it is imported only where it is needed. TFDS reads the sizes and
checksums of the archives from `checksums.tsv` in this folder.
"""

from collections.abc import Iterator
from os import PathLike
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from aejax.data.files import MNIST_FILES
from aejax.data.idx import read_idx


class Mnist(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Handwritten digits: 60,000 train and 10,000 test images of 28 × 28 pixels, uint8.

    It is not registered with TFDS, so TFDS's names still refer to TFDS's builders.

    Source: LeCun, Cortes & Burges 1998.
    """

    name = "aejax_mnist"
    VERSION = tfds.core.Version("1.0.0")
    ARCHIVES_URL: ClassVar[str] = "https://storage.googleapis.com/cvdf-datasets/mnist/"
    CLASSES: ClassVar[tuple[str, ...]] = tuple("0123456789")

    @classmethod
    def archive_urls(cls) -> dict[str, str]:
        """URLs of the archives x_train, labels_train, x_test and labels_test."""
        return {name: f"{cls.ARCHIVES_URL}{stem}.gz" for name, stem in MNIST_FILES.items()}

    def _info(self) -> tfds.core.DatasetInfo:
        # Bytes rather than PNG: no decoder is needed, and reading is about four times faster.
        image = tfds.features.Tensor(
            shape=(28, 28), dtype=np.uint8, encoding=tfds.features.Encoding.BYTES
        )
        label = tfds.features.ClassLabel(names=list(self.CLASSES))
        return tfds.core.DatasetInfo(
            builder=self,
            description=type(self).__doc__,
            features=tfds.features.FeaturesDict({"image": image, "label": label}),
            supervised_keys=("image", "label"),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        archives = {name: dl_manager.download(url) for name, url in self.archive_urls().items()}
        return {
            split: self._generate_examples(archives[f"x_{split}"], archives[f"labels_{split}"])
            for split in ("train", "test")
        }

    def _generate_examples(
        self, images_path: PathLike[str], labels_path: PathLike[str]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        images, labels = read_idx(images_path), read_idx(labels_path)
        if len(images) != len(labels):
            raise ValueError(
                f"{images_path} has {len(images)} images, {labels_path} has {len(labels)} labels"
            )
        for index, (image, label) in enumerate(zip(images, labels, strict=True)):
            yield index, {"image": image, "label": int(label)}


class FashionMnist(Mnist, skip_registration=True):
    """Zalando's clothing articles: 60,000 train and 10,000 test images of 28 × 28 pixels, uint8.

    Source: Xiao, Rasul & Vollgraf 2017.
    """

    name = "aejax_fashion_mnist"
    ARCHIVES_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
    CLASSES = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
