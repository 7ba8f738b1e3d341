"""Checkpoints written by Orbax: atomic, verified by SHA-256 digests, bit-identical on restoring.

A checkpoint is a folder named by its step. It contains `state/`, written by Orbax; `about.json`
with configuration, validation loss, and names and shapes of the arrays; and `digests.json` with the
SHA-256 of every other file. The folder is written under a temporary name and renamed when complete,
and renamed again before it is deleted, so a folder with a step as name is always complete.

The index of all checkpoints, `checkpoints.json`, is stored next to their folder; see `index`.
"""

from aejax.checkpoints.folders import DamagedCheckpointError as DamagedCheckpointError
from aejax.checkpoints.folders import contents as contents
from aejax.checkpoints.folders import steps as steps
from aejax.checkpoints.index import read_index as read_index
from aejax.checkpoints.restoring import OtherConfigurationError as OtherConfigurationError
from aejax.checkpoints.restoring import restore as restore
from aejax.checkpoints.restoring import restore_params as restore_params
from aejax.checkpoints.saving import in_background as in_background
from aejax.checkpoints.saving import save as save
from aejax.checkpoints.selection import best_step as best_step
from aejax.checkpoints.selection import check_best as check_best
from aejax.checkpoints.selection import find_damage as find_damage
from aejax.checkpoints.selection import newest_intact_step as newest_intact_step
