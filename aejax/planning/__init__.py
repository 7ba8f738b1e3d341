"""Plans of training on accelerators that need not be at hand, from the compiled program."""

from aejax.planning.compiled_steps import DoesNotFit as DoesNotFit
from aejax.planning.compiled_steps import abstract_state as abstract_state
from aejax.planning.compiled_steps import compile_epoch as compile_epoch
from aejax.planning.compiled_steps import compile_step as compile_step
from aejax.planning.compiled_steps import one_device as one_device
from aejax.planning.ideal_communication import ideal_communication as ideal_communication
from aejax.planning.plan_records import as_json as as_json
from aejax.planning.plan_records import report_rows as report_rows
from aejax.planning.step_plan import Plan as Plan
from aejax.planning.step_plan import plan as plan
from aejax.planning.step_plan import plan_epoch as plan_epoch
from aejax.planning.targets import CHIPS as CHIPS
from aejax.planning.targets import Target as Target
from aejax.planning.targets import find_target as find_target
from aejax.planning.topology_devices import target_devices as target_devices
