"""Data: real examples, checked and normalised; TFDS and scikit-learn load only where used."""

from aejax.data.checks import check_array as check_array
from aejax.data.checks import check_dataset as check_dataset
from aejax.data.checks import check_support as check_support
from aejax.data.dataset import Dataset as Dataset
from aejax.data.dataset import fingerprint as fingerprint
from aejax.data.embedded import digits as digits
from aejax.data.embedded import photos as photos
from aejax.data.files import load_array as load_array
from aejax.data.files import load_file as load_file
from aejax.data.idx import read_idx as read_idx
from aejax.data.normalisation import Normalisation as Normalisation
from aejax.data.normalisation import covariance_scale as covariance_scale
from aejax.data.normalisation import denormalise as denormalise
from aejax.data.normalisation import identity as identity
from aejax.data.normalisation import normalise as normalise
from aejax.data.normalisation import standardise as standardise
from aejax.data.normalisation import unit_range as unit_range
from aejax.data.preparation import Available as Available
from aejax.data.preparation import available as available
from aejax.data.preparation import prepare as prepare
from aejax.data.shapes import SHAPES as SHAPES
from aejax.data.shapes import shapes as shapes
from aejax.data.sources import load as load
from aejax.data.split import every_fifth as every_fifth
