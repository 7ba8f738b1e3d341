"""Exchange with other packages: files without pickle, sparse dictionaries, and layers of Flax."""

from aejax.interchange.dictionaries import read_dictionary as read_dictionary
from aejax.interchange.dictionary_fit import DictionaryFit as DictionaryFit
from aejax.interchange.dictionary_fit import dictionary_fit as dictionary_fit
from aejax.interchange.functions import deserialise as deserialise
from aejax.interchange.functions import serialise as serialise
from aejax.interchange.layer_outputs import linen_layer as linen_layer
from aejax.interchange.layer_outputs import nnx_layer as nnx_layer
from aejax.interchange.parameters import load_parameters as load_parameters
from aejax.interchange.parameters import save_parameters as save_parameters
from aejax.interchange.sae_lens_writing import write_dictionary as write_dictionary
from aejax.interchange.stored_dictionaries import StoredDictionary as StoredDictionary
