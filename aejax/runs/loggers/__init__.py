"""Loggers: destinations of the records of a training, besides the history of its run.

A logger is a function of (state, record), as a callback, or a context manager of such a function.
Its result is ignored. `aejax.runs.train` takes a list of them; `training.fit` takes the function
among its callbacks.
"""

from aejax.runs.loggers.csv_log import csv as csv
from aejax.runs.loggers.image_rows import reconstructions as reconstructions
from aejax.runs.loggers.logging_contexts import Logger as Logger
from aejax.runs.loggers.mlflow_log import mlflow as mlflow
from aejax.runs.loggers.tensorboard_log import tensorboard as tensorboard
from aejax.runs.loggers.wandb_log import wandb as wandb
