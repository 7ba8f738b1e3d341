"""Documents of the 20 newsgroups, and synthetic documents."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.naive_bayes import MultinomialNB

from experiments.harness import newsgroups, retrieval_tasks


def test_documents_are_the_non_empty_ones_of_the_file(shared_data):
    file = shared_data / "20newsgroups" / "20news_bydate_2000.npz"
    if not file.exists():
        pytest.skip(f"no {file}")
    found = newsgroups.documents(str(file))
    assert found.x_train.shape == (11314 - 26, 2000)
    assert found.x_test.shape == (7532 - 29, 2000)
    assert found.x_train.sum(axis=1).min() >= 1
    assert np.count_nonzero(found.x_train) == 548975
    bayes = MultinomialNB(alpha=0.1).fit(found.x_train, found.labels_train)
    assert bayes.score(found.x_test, found.labels_test) == pytest.approx(0.688, abs=0.003)


def test_synthetic_documents_have_forty_words_and_a_recognisable_topic():
    found = newsgroups.topics(np.random.default_rng(1), documents=600)
    assert found.x_train.shape == (480, 100)
    np.testing.assert_array_equal(found.x_train.sum(axis=1), 40)
    bayes = MultinomialNB().fit(found.x_train, found.labels_train)
    assert bayes.score(found.x_test, found.labels_test) > 0.9


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"nowhere\.npz is missing"):
        newsgroups.documents("nowhere.npz")


def test_features_of_documents_are_scikit_learns_tf_idf_and_queries_are_spaced():
    found = newsgroups.documents("topics")
    search = retrieval_tasks.document_retrieval(found, 48)
    tf_idf = TfidfTransformer(sublinear_tf=True).fit(found.x_train)
    for collection, x in ((search.database, found.x_train), (search.queries, found.x_test[::5])):
        np.testing.assert_array_equal(collection.x, x)
        np.testing.assert_allclose(collection.features, tf_idf.transform(x).toarray(), rtol=1e-5)
        assert len(collection.labels) == len(x)
    assert len(search.queries.x) == 48


def test_inputs_of_an_encoder_are_centred_tf_idf():
    found = newsgroups.documents("topics")
    features = retrieval_tasks.document_retrieval(found, 48).database.features
    seen = np.asarray(retrieval_tasks.centred_tf_idf(found.x_train)(found.x_train))
    np.testing.assert_allclose(seen.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(seen[:1] - seen[1:], 10 * (features[:1] - features[1:]), atol=1e-4)


def test_held_out_documents_are_training_documents_and_no_longer_learned():
    found = newsgroups.documents("topics")
    held_out = newsgroups.held_out_documents(found, 100)
    assert held_out.x_test.shape == (100, found.x_train.shape[1])
    together = np.concatenate([held_out.x_train, held_out.x_test])
    np.testing.assert_array_equal(np.unique(together, axis=0), np.unique(found.x_train, axis=0))
    assert np.bincount(np.concatenate([held_out.labels_train, held_out.labels_test])).tolist() == (
        np.bincount(found.labels_train).tolist()
    )
