"""Reader of published sparse dictionaries, in the layout of any of the packages that train them."""

from os import PathLike
from pathlib import Path

from jax.typing import DTypeLike

from aejax.interchange import (
    dictionary_learning_reading,
    gemma_scope,
    sae_lens_reading,
    sparsify_reading,
)
from aejax.interchange.stored_dictionaries import StoredDictionary

LAYOUTS = {
    sae_lens_reading.WEIGHTS: sae_lens_reading.read_sae_lens,
    sparsify_reading.WEIGHTS: sparsify_reading.read_sparsify,
    dictionary_learning_reading.WEIGHTS: dictionary_learning_reading.read_dictionary_learning,
}
"""Readers of the folder that contains a file of weights, by its name."""


def read_dictionary(
    path: str | PathLike[str], *, dtype: DTypeLike | None = None
) -> StoredDictionary:
    """Read a sparse dictionary of SAELens, sparsify, dictionary_learning or Gemma Scope.

    The layout is recognised by the names of the files:

    - SAELens: `sae_weights.safetensors` and `cfg.json`;
    - sparsify: `sae.safetensors` and `cfg.json`;
    - dictionary_learning: `ae.pt` and `config.json`;
    - Gemma Scope: `params.npz`, or `params.safetensors` and possibly `config.json`.

    Names, shapes and dtypes of all tensors are checked before values are read, and no code of a
    file is executed. Check the result on activations with `dictionary_fit`.

    Args:
        path: folder of the files, or the file of weights.
        dtype: dtype of the parameters (default: that of the file; 64 bits become 32 while x64 is
            disabled).

    Returns:
        The dictionary: model, parameters, and the description of the file.

    Raises:
        FileNotFoundError: if there is no file of weights, or its configuration is missing.
        ValueError: if the files do not contain a dictionary of a supported architecture.

    Source: Bloom et al. 2024; Belrose 2024; Marks, Karvonen & Mueller 2024; Lieberum et al. 2024.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    names = [*LAYOUTS, *gemma_scope.READERS]
    found = [path.name] if not path.is_dir() else [n for n in names if (folder / n).is_file()]
    if len(found) != 1 or found[0] not in names or not (folder / found[0]).is_file():
        raise FileNotFoundError(
            f"{path} must be, or contain, one of the files {', '.join(names)}; it has "
            f"{', '.join(found) or 'none'} of them"
        )
    (name,) = found
    if name in LAYOUTS:
        return LAYOUTS[name](folder, dtype=dtype)
    return gemma_scope.read_gemma_scope(folder / name, dtype=dtype)
