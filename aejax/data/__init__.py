"""Data sets: loading, streaming, checks and normalisation; TFDS and scikit-learn import lazily.

With `covariance_scale`, PCA is the singular value decomposition of the normalised data.
"""

from aejax.data.activation_shards import Activations as Activations
from aejax.data.activation_shards import open_activations as open_activations
from aejax.data.array_checks import check_array as check_array
from aejax.data.array_checks import check_dataset as check_dataset
from aejax.data.array_checks import check_support as check_support
from aejax.data.columns import Column as Column
from aejax.data.columns import Schema as Schema
from aejax.data.columns import feature_names as feature_names
from aejax.data.common_scale import common_scale as common_scale
from aejax.data.dataset import Dataset as Dataset
from aejax.data.dataset import fingerprint as fingerprint
from aejax.data.embedded import digits as digits
from aejax.data.embedded import photos as photos
from aejax.data.files import load_array as load_array
from aejax.data.files import load_file as load_file
from aejax.data.idx import read_idx as read_idx
from aejax.data.image_folder import image_folder as image_folder
from aejax.data.lazy_array import LazyArray as LazyArray
from aejax.data.normalisation import Normalisation as Normalisation
from aejax.data.normalisation import covariance_scale as covariance_scale
from aejax.data.normalisation import denormalise as denormalise
from aejax.data.normalisation import identity as identity
from aejax.data.normalisation import normalise as normalise
from aejax.data.normalisation import standardise as standardise
from aejax.data.normalisation import unit_range as unit_range
from aejax.data.preparation import AvailableDataset as AvailableDataset
from aejax.data.preparation import available as available
from aejax.data.preparation import prepare as prepare
from aejax.data.sources import load as load
from aejax.data.split import every_fifth as every_fifth
from aejax.data.streams import StreamedDataset as StreamedDataset
from aejax.data.streams import UnreadableExampleError as UnreadableExampleError
from aejax.data.streams import guarded as guarded
from aejax.data.streams import open_stream as open_stream
from aejax.data.synthetic_dictionary import SYNTHSAEBENCH_16K_V2 as SYNTHSAEBENCH_16K_V2
from aejax.data.synthetic_dictionary import SYNTHSAEBENCH_TWIN as SYNTHSAEBENCH_TWIN
from aejax.data.synthetic_dictionary import DictionaryLaw as DictionaryLaw
from aejax.data.synthetic_dictionary import SyntheticDictionary as SyntheticDictionary
from aejax.data.synthetic_dictionary import draw_dictionary as draw_dictionary
from aejax.data.synthetic_dictionary import sample_activations as sample_activations
from aejax.data.synthetic_dictionary import sample_examples as sample_examples
from aejax.data.synthetic_factors import FACTOR_LEVELS as FACTOR_LEVELS
from aejax.data.synthetic_factors import FACTOR_SHAPES as FACTOR_SHAPES
from aejax.data.synthetic_factors import FACTORS as FACTORS
from aejax.data.synthetic_factors import factor_images as factor_images
from aejax.data.synthetic_factors import factor_values as factor_values
from aejax.data.synthetic_factors import sample_factors as sample_factors
from aejax.data.synthetic_shapes import SHAPES as SHAPES
from aejax.data.synthetic_shapes import shapes as shapes
