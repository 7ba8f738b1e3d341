"""Journey 7: the estimators in scikit-learn's pipeline, grid search, clone and data frames."""

from tests.journeys.journey import python

USER = """
import joblib
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from aejax.estimator import AutoencoderTransformer

table, cultivar = load_wine(as_frame=True, return_X_y=True)
numbers = list(table)
table["cork"] = ["natural" if row % 3 else "synthetic" for row in range(len(table))]
columns = ColumnTransformer(
    [("numbers", StandardScaler(), numbers), ("cork", OneHotEncoder(sparse_output=False), ["cork"])]
)
codes = AutoencoderTransformer(
    4, activation="gelu", code_activation="identity", learning_rate=0.02, random_state=0
)
pipeline = make_pipeline(columns, codes, LogisticRegression())
grid = {"autoencodertransformer__max_iter": [5, 60]}
search = GridSearchCV(pipeline, grid, cv=2).fit(table, cultivar)
print(search.best_params_, search.best_score_)

best = clone(search.best_estimator_).set_output(transform="pandas").fit(table, cultivar)
frame = best[:-1].transform(table)
print(list(frame), frame.index.equals(table.index))
joblib.dump(best, "best.joblib")
print((joblib.load("best.joblib").predict(table) == best.predict(table)).all())
print((search.predict(table) == best.predict(table)).all())
"""


def test_a_scikit_learn_pipeline(journey):
    out, err = python(journey, USER)
    best, frame, loaded, cloned = out.splitlines()
    assert best.startswith("{'autoencodertransformer__max_iter': 60}")
    assert float(best.split()[-1]) > 0.9
    assert frame.endswith("] True")
    assert "autoencodertransformer3" in frame
    assert (loaded, cloned) == ("True", "True")
    assert err == ""
