"""scikit-learn estimators: `fit`, `transform`, `inverse_transform`, for pipelines and searches.

`import aejax` does not import scikit-learn; only this package does.
"""

from aejax.estimator.autoencoder_transformer import AutoencoderTransformer as AutoencoderTransformer
from aejax.estimator.linear_autoencoder import LinearAutoencoder as LinearAutoencoder
from aejax.estimator.variational_autoencoder import VariationalAutoencoder as VariationalAutoencoder
