"""Export of parameters and functions to files that need neither pickle nor aejax to be read."""

from aejax.interchange.functions import deserialise as deserialise
from aejax.interchange.functions import serialise as serialise
from aejax.interchange.parameters import load_parameters as load_parameters
from aejax.interchange.parameters import save_parameters as save_parameters
