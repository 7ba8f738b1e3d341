"""scikit-learn's public `check_estimator` suite, run on all estimators."""

import json
import os
import subprocess
import sys

import pytest

# In a process of its own: SciPy reads SCIPY_ARRAY_API when it is imported, and without it one
# check of the suite is skipped; and the tests' run-time check of annotations, which no user has,
# would refuse in __init__ what scikit-learn wants refused in fit.
SUITE = """
import json, warnings
from sklearn.utils.estimator_checks import check_estimator
from aejax.estimator import AutoencoderTransformer, LinearAutoencoder, VariationalAutoencoder

warnings.simplefilter("error")
print(json.dumps({
    type(estimator).__name__: [
        [outcome["check_name"], outcome["status"], str(outcome["exception"])]
        for outcome in check_estimator(estimator, on_skip=None, on_fail=None)
    ]
    for estimator in (
        LinearAutoencoder(),
        AutoencoderTransformer(max_iter=2),
        VariationalAutoencoder(hidden_layer_sizes=8, max_iter=2),
    )
}))
"""


@pytest.fixture(scope="module")
def outcomes():
    process = subprocess.run(
        [sys.executable, "-c", SUITE],
        env=os.environ | {"SCIPY_ARRAY_API": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(process.stdout)


@pytest.mark.parametrize(
    "name", ["LinearAutoencoder", "AutoencoderTransformer", "VariationalAutoencoder"]
)
def test_every_check_runs_and_passes(outcomes, name):
    assert [outcome for outcome in outcomes[name] if outcome[1] != "passed"] == []
    checks = {check for check, *_ in outcomes[name]}
    print(f"{name}: {len(outcomes[name])} checks run, all passed")
    assert {
        "check_array_api_input",
        "check_estimator_sparse_array",
        "check_transformer_preserve_dtypes",
        "check_estimators_pickle",
    } <= checks
