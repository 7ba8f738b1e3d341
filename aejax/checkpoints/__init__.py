"""Checkpoints through Orbax: atomic, checked against their digests, resumable to the bit.

A checkpoint is a folder named by its step: `state/` is Orbax's, `about.json` holds configuration,
validation loss and what the arrays are, and `digests.json` the SHA-256 of every other file. The
folder is written under another name and renamed when it is whole, and it loses its number before
it is deleted, so that a name that is a number is a promise.

Beside the folder of all checkpoints lies their index, `checkpoints.json`, which `index` describes.
"""

from aejax.checkpoints.folders import DamagedCheckpointError as DamagedCheckpointError
from aejax.checkpoints.folders import contents as contents
from aejax.checkpoints.folders import steps as steps
from aejax.checkpoints.index import read_index as read_index
from aejax.checkpoints.restoring import OtherConfigurationError as OtherConfigurationError
from aejax.checkpoints.restoring import restore as restore
from aejax.checkpoints.saving import in_background as in_background
from aejax.checkpoints.saving import save as save
from aejax.checkpoints.selection import best_step as best_step
from aejax.checkpoints.selection import check_best as check_best
from aejax.checkpoints.selection import find_damage as find_damage
from aejax.checkpoints.selection import newest_intact_step as newest_intact_step
