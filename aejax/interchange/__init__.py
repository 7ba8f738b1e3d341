"""Exchange with other packages: files that need neither pickle nor aejax, and layers of Flax."""

from aejax.interchange.functions import deserialise as deserialise
from aejax.interchange.functions import serialise as serialise
from aejax.interchange.layer_outputs import linen_layer as linen_layer
from aejax.interchange.layer_outputs import nnx_layer as nnx_layer
from aejax.interchange.parameters import load_parameters as load_parameters
from aejax.interchange.parameters import save_parameters as save_parameters
