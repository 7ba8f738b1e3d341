"""The scikit-learn face: `fit`, `transform`, `inverse_transform`, in pipelines and grid searches.

scikit-learn is imported here alone; `import aejax` does not load it.
"""

from aejax.estimator.autoencoder_transformer import AutoencoderTransformer as AutoencoderTransformer
from aejax.estimator.linear_autoencoder import LinearAutoencoder as LinearAutoencoder
