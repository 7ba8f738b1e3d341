"""The scikit-learn face: `fit`, `transform`, `inverse_transform`, in pipelines and grid searches.

scikit-learn is imported here alone; `import aejax` does not load it.
"""

from aejax.estimator.autoencoder import AutoencoderTransformer as AutoencoderTransformer
from aejax.estimator.linear import LinearAutoencoder as LinearAutoencoder
