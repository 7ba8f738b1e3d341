"""Training runs in folders: checkpoints, history and metrics, for any objective.

`train`, `sweep`, `open`, `open_sweep`, `encode` and `reconstruct` serve scripts and notebooks; the
command line uses the same modules. `harvest` writes activations of a network, on which dictionaries
are trained. `Options` has the settings of `aejax train`.
"""

from aejax.runs import loggers as loggers
from aejax.runs.configuration import Options as Options
from aejax.runs.configuration import Training as Training
from aejax.runs.harvesting import harvest as harvest
from aejax.runs.inference import encode as encode
from aejax.runs.inference import reconstruct as reconstruct
from aejax.runs.opening import ObjectiveRun as ObjectiveRun
from aejax.runs.opening import open as open  # noqa: A004 -- read as runs.open
from aejax.runs.own_training import train as train
from aejax.runs.run import Run as Run
from aejax.runs.sweeping import Sweep as Sweep
from aejax.runs.sweeping import open_sweep as open_sweep
from aejax.runs.sweeping import sweep as sweep
