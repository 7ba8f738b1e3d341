"""Explicit record of an experiment: texts, settings, functions and the primary comparison."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from aejax import data
from aejax.studies.part_cache import Metrics as Metrics
from aejax.studies.part_cache import Results as Results
from experiments.harness.comparisons import Comparison


class PrimaryComparison(NamedTuple):
    """The comparison that decides the primary claim, in the units of the measured quantity.

    quantity:  measured quantity with its unit.
    subject:   name and values of the method under test, one value per seed.
    reference: name and values of the alternative, one per seed or one for all seeds.
    side:      `below` or `above`: side of the reference on which the claim expects the subject.
    """

    quantity: str
    subject: tuple[str, ArrayLike]
    reference: tuple[str, ArrayLike]
    side: Callable[[ArrayLike, ArrayLike], Comparison]


class Experiment(NamedTuple):
    """One experiment: everything that the command line, the table and the reports use.

    name:         name of the file without its extension.
    title:        the claim in one sentence.
    claim:        the primary claim, which `primary` decides.
    source:       publications with the claim.
    expected:     expected primary comparison, with its tolerance.
    run_time:     run time of the full setting.
    figure:       description of the figure.
    config:       full setting, a frozen dataclass; its results are committed.
    quick:        small setting, which the tests run.
    run:          function of any of `config`, `dataset`, `cache`, passed by name -> `Results`.
    primary:      metrics -> primary comparison.
    observations: metrics -> further comparisons by name.
    plot:         (config, results) -> figure.
    load:         value of the option --data -> data set.
    """

    name: str
    title: str
    claim: str
    source: str
    expected: str
    run_time: str
    figure: str
    config: Any
    quick: Any
    run: Callable[..., Results]
    primary: Callable[[Metrics], PrimaryComparison]
    observations: Callable[[Metrics], dict[str, Comparison]]
    plot: Callable[[Any, Results], Figure]
    load: Callable[[str], data.Dataset] = data.load

    @property
    def command(self) -> str:
        """Command line of the full setting."""
        return f"python -m experiments.{self.name}"

    @property
    def file(self) -> Path:
        """Source file of the experiment."""
        return Path(inspect.getfile(self.run))

    @property
    def texts(self) -> dict[str, str]:
        """Descriptive texts by name, as stored in result files."""
        return {
            "title": self.title,
            "claim": self.claim,
            "source": self.source,
            "command": self.command,
            "expected": self.expected,
            "run time": self.run_time,
            "figure": self.figure,
        }
