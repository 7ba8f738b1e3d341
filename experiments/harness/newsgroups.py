"""Documents as word counts: the 20 newsgroups, or synthetic documents with known topics."""

from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from aejax import data

FILE = Path(__file__).parents[3] / "shared" / "data" / "20newsgroups" / "20news_bydate_2000.npz"
NAME = "20newsgroups"
TOPICS = "topics"


def documents(path: str) -> data.Dataset:
    """Load word counts [documents, words] in float32, labelled by group, without empty documents.

    Args:
        path: "20newsgroups", the path of its file, or "topics" for synthetic documents.

    Returns:
        The data set, split by date or at random.

    Raises:
        FileNotFoundError: if the file is missing.
    """
    if path == TOPICS:
        return topics(np.random.default_rng(0), documents=1200)
    file = FILE if path == NAME else Path(path)
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing; pass the path of 20news_bydate_2000.npz")
    with np.load(file) as arrays:
        words = len(arrays["vocab"])
        (x, labels), (x_test, labels_test) = (
            _counts({name: arrays[f"{part}_{name}"] for name in _FIELDS}, words)
            for part in ("train", "test")
        )
    return data.Dataset(NAME, x, x_test, labels, labels_test)


def topics(
    rng: np.random.Generator, *, documents: int, groups: int = 5, words: int = 100
) -> data.Dataset:
    """Sample synthetic documents of 40 words, each from the document's topic or from a common one.

    Args:
        rng: random number generator for topics and words.
        documents: number of documents; every fifth is a test document.
        groups: number of topics.
        words: size of the vocabulary.

    Returns:
        The data set, labelled by topic.
    """
    probabilities = rng.dirichlet(np.full(words, 0.1), groups) + rng.dirichlet(np.ones(words))
    labels = rng.integers(groups, size=documents)
    x = rng.multinomial(40, probabilities[labels] / 2).astype(np.float32)
    return data.Dataset(TOPICS, *data.every_fifth(x), *data.every_fifth(labels))


def held_out_documents(dataset: data.Dataset, count: int) -> data.Dataset:
    """Data set whose test documents are training documents at random, for selection.

    Args:
        dataset: documents with labels.
        count: number of held-out training documents.
    """
    order = np.random.default_rng(0).permutation(len(dataset.x_train))
    held_out, rest = order[:count], order[count:]
    x, labels = dataset.x_train, dataset.labels_train
    return data.Dataset(dataset.name, x[rest], x[held_out], labels[rest], labels[held_out])


_FIELDS = ("data", "indices", "indptr", "labels")


def _counts(part: dict[str, np.ndarray], words: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts and labels of one part, without empty documents."""
    sparse = csr_array((part["data"], part["indices"], part["indptr"]),
                       shape=(len(part["labels"]), words))  # fmt: skip
    counts = sparse.toarray().astype(np.float32)
    non_empty = counts.any(axis=1)
    return counts[non_empty], part["labels"][non_empty].astype(np.int64)
