"""Factories of autoencoders, one family per file."""

from aejax.models.binary_code import binary_code as binary_code
from aejax.models.convolutional import convolutional as convolutional
from aejax.models.convolutional_layers import pooled as pooled
from aejax.models.convolutional_layers import resized as resized
from aejax.models.convolutional_layers import strided as strided
from aejax.models.convolutional_layers import transposed as transposed
from aejax.models.dense import Initializers as Initializers
from aejax.models.dense import dense as dense
from aejax.models.dense import untied as untied
from aejax.models.dictionary import dictionary as dictionary
from aejax.models.dictionary import transcoder as transcoder
from aejax.models.folding import fold_decoder_norms as fold_decoder_norms
from aejax.models.folding import fold_linear_map as fold_linear_map
from aejax.models.folding import fold_normalisation as fold_normalisation
from aejax.models.leading_units import leading_units as leading_units
from aejax.models.linear import linear as linear
from aejax.models.linear import pca_params as pca_params
from aejax.models.linear_path import start_as_pca as start_as_pca
from aejax.models.linear_path import with_linear_path as with_linear_path
from aejax.models.mixed_precision import mixed_precision as mixed_precision
from aejax.models.refined import refined as refined
from aejax.models.rematerialisation import rematerialised as rematerialised
from aejax.models.segnet import BASIC as BASIC
from aejax.models.segnet import VGG as VGG
from aejax.models.segnet import Size as Size
from aejax.models.segnet import segnet as segnet
