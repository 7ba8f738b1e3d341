"""Checkpoints by time or by number of epochs, and always the best epoch."""

import optax
import pytest

import aejax
from aejax import losses, training
from aejax.runs import due_checkpoints
from aejax.runs.due_checkpoints import saver

OBJECTIVE = aejax.objective(aejax.dense((3, 2)), losses.squared)
STATE = training.init_state(OBJECTIVE, optax.sgd(0.1), 0)


class Clock:
    """A clock that advances by one second for each epoch."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def saved(monkeypatch):
    """Run epochs with these validation losses; return the epochs that are saved, in order."""
    clock = Clock()
    monkeypatch.setattr(due_checkpoints, "time", clock)
    monkeypatch.setattr(due_checkpoints, "SECONDS_BETWEEN_CHECKPOINTS", 3)

    def run(losses, *, save_every=None, start=0):
        epochs, history = [], []
        save = saver(
            lambda state, record: epochs.append((record["epoch"], int(state.epoch))),
            save_every=save_every,
        )
        for epoch, loss in enumerate(losses, start=1):
            clock.now += 1
            validation = {} if loss is None else {"validation": {"loss": loss}}
            history.append({"epoch": epoch} | validation)
            state = STATE._replace(epoch=epoch)
            save(training.place_state(training.ONE_DEVICE, state), history, epoch == len(losses))
        assert all(record == state for record, state in epochs)
        return [record for record, _ in epochs]

    return run


def test_an_epoch_is_saved_when_the_time_is_over(saved):
    assert saved([None] * 8) == [3, 6, 8]


def test_the_best_epoch_is_saved_before_the_next_that_is_due(saved):
    assert saved([5, 1, 3, 2, 2, 2, 2]) == [2, 3, 6, 7]
    assert saved([5, 4, 3, 2, 1, 1.5, 0.5]) == [3, 5, 6, 7]
    assert saved([1, 2, 3, 4]) == [1, 3, 4]


def test_a_number_of_epochs_decides_instead_if_it_is_given(saved):
    assert saved([None] * 7, save_every=2) == [2, 4, 6, 7]
    assert saved([3, 1, 2, 2, 2], save_every=4) == [2, 4, 5]
    assert saved([3, 2, 1], save_every=1) == [1, 2, 3]
