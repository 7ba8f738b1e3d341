"""Parameters and functions in files that other programs read: no pickle, and no need of aejax."""

from aejax.interchange.functions import deserialise as deserialise
from aejax.interchange.functions import serialise as serialise
from aejax.interchange.parameters import load_parameters as load_parameters
from aejax.interchange.parameters import save_parameters as save_parameters
