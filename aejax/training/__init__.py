"""The train step is the gradient of the objective: jitted, donated, scanned, vmapped."""

from aejax.training.calibration import calibrate as calibrate
from aejax.training.checks import check_training as check_training
from aejax.training.fitting import LostProcessError as LostProcessError
from aejax.training.fitting import NonFiniteLossError as NonFiniteLossError
from aejax.training.fitting import fit as fit
from aejax.training.fitting import stalled as stalled
from aejax.training.gradients import Gradient as Gradient
from aejax.training.gradients import accumulated as accumulated
from aejax.training.gradients import whole_batch as whole_batch
from aejax.training.muon import muon as muon
from aejax.training.placement import ONE_DEVICE as ONE_DEVICE
from aejax.training.placement import Placement as Placement
from aejax.training.placement import place_state as place_state
from aejax.training.placement import placed as placed
from aejax.training.population import fit_population as fit_population
from aejax.training.pretraining import pretrain as pretrain
from aejax.training.pretraining import rbm_objective as rbm_objective
from aejax.training.pretraining import rbm_optimizer as rbm_optimizer
from aejax.training.pretraining import unroll as unroll
from aejax.training.steps import TrainState as TrainState
from aejax.training.steps import epoch as epoch
from aejax.training.steps import evaluate as evaluate
from aejax.training.steps import init_state as init_state
from aejax.training.steps import step as step
from aejax.training.steps import train as train
