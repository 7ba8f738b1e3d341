"""One family of autoencoders a file, each a factory that returns an `Autoencoder`."""

from aejax.models.dense import Initializers as Initializers
from aejax.models.dense import dense as dense
from aejax.models.dense import untied as untied
from aejax.models.linear import linear as linear
from aejax.models.linear import pca_params as pca_params
