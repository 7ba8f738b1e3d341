"""What experiments share: the command, the records, the tests over seeds, training, the table."""

from experiments.harness.classification import balanced as balanced
from experiments.harness.classification import linear_accuracy as linear_accuracy
from experiments.harness.command import execute as execute
from experiments.harness.comparisons import Comparison as Comparison
from experiments.harness.comparisons import above as above
from experiments.harness.comparisons import below as below
from experiments.harness.comparisons import draw_mean as draw_mean
from experiments.harness.comparisons import interval as interval
from experiments.harness.figures import mosaic as mosaic
from experiments.harness.machines import machines as machines
from experiments.harness.records import Remember as Remember
from experiments.harness.records import Results as Results
from experiments.harness.records import forget as forget
from experiments.harness.records import over_seeds as over_seeds
from experiments.harness.training import Measure as Measure
from experiments.harness.training import falling_adam as falling_adam
from experiments.harness.training import flat as flat
from experiments.harness.training import mean_squared_error as mean_squared_error
from experiments.harness.training import train_alike as train_alike
from experiments.harness.training import train_seeds as train_seeds
