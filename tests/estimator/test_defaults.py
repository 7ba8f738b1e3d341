"""Default settings of the estimators, which are part of the public interface."""

from aejax.estimator import AutoencoderTransformer, LinearAutoencoder, VariationalAutoencoder

AUTOENCODER = {
    "n_components": 2,
    "hidden_layer_sizes": (),
    "activation": "sigmoid",
    "code_activation": None,
    "tied": False,
    "loss": "squared",
    "corruption": "none",
    "corruption_level": 0.25,
    "l2": 0.0,
    "l1": 0.0,
    "sparsity": 0.0,
    "rho": 0.05,
    "contraction": 0.0,
    "penalties": None,
    "optimizer": "adam",
    "learning_rate": 0.001,
    "batch_size": 128,
    "max_iter": 100,
    "early_stopping": False,
    "validation_fraction": 0.1,
    "n_iter_no_change": 10,
    "warm_start": False,
    "random_state": None,
}
LINEAR = {"n_components": None, "whiten": False, "solver": "closed-form", "random_state": None}


def test_defaults_of_autoencoder_transformer():
    found = AutoencoderTransformer().get_params()
    assert {name: found[name] for name in AUTOENCODER} == AUTOENCODER


def test_defaults_of_linear_autoencoder():
    found = LinearAutoencoder().get_params()
    assert {name: found[name] for name in LINEAR} == LINEAR


VARIATIONAL = {
    "n_components": 2,
    "hidden_layer_sizes": (128,),
    "activation": "gelu",
    "loss": "gaussian",
    "beta": 1.0,
    "free_bits": 0.0,
    "n_samples": 1,
    "learning_rate": 0.001,
    "batch_size": 128,
    "max_iter": 100,
}


def test_defaults_of_variational_autoencoder():
    found = VariationalAutoencoder().get_params()
    assert {name: found[name] for name in VARIATIONAL} == VARIATIONAL
