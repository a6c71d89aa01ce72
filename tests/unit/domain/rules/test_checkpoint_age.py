"""When a checkpoint is overdue: by the interval at which the run saves, or after a fixed time if that is not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.rules.checkpoint_age import (
    CHECKPOINT_PATIENCE,
    is_checkpoint_overdue,
    note_overdue,
    usual_interval,
)
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.policy import Deadline, Policy
from spot_relay.domain.run.run import ProgressPoint, Run, RunStatus
from spot_relay.domain.sagemaker.job import Checkpoint, Market, Transition
from tests.fakes import NOON
from tests.unit.worlds import submission

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
TRAINING = Transition("Training", NOON)
LATE = Policy(deadline=Deadline(expected_runtime_seconds=7200, within_seconds=36_000))
PENDING = accept(submission(LATE), "one", NOON)
LIVE = replace(
    PENDING.current, status=AttemptStatus.IN_PROGRESS, phase="Training", created_at=NOON, transitions=(TRAINING,)
)
OPEN = replace(PENDING, status=RunStatus.IN_PROGRESS, attempts=(LIVE,))


def saving(*minutes: float, deadline: bool = True) -> Run:
    """A run whose checkpoints were seen with so many minutes of training in them."""
    points = tuple(ProgressPoint(round(each * 90), round(each * 60)) for each in minutes)
    return replace(OPEN, progress_points=points, deadline_at=OPEN.deadline_at if deadline else None)


def test_the_usual_interval_is_the_median_training_between_two_checkpoints() -> None:
    assert usual_interval(saving(10, 20, 31, 90, 100)) == 10.5 * MINUTE


def test_fewer_than_three_checkpoints_tell_no_interval() -> None:
    assert usual_interval(saving(10, 20)) is None
    assert usual_interval(saving(10, 20, 30)) == 10 * MINUTE


def test_without_a_deadline_a_long_interval_is_that_of_the_looks_and_a_short_one_is_believed() -> None:
    assert usual_interval(saving(60, 120, 180, deadline=False)) is None
    assert usual_interval(saving(59, 118, 177, deadline=False)) == 59 * MINUTE
    assert usual_interval(saving(60, 120, 180)) == HOUR


@pytest.mark.parametrize(
    ("usual", "patience"),
    [
        (None, CHECKPOINT_PATIENCE),
        (MINUTE, 15 * MINUTE),
        (5 * MINUTE, 15 * MINUTE),
        (20 * MINUTE, HOUR),
        (4 * HOUR, 12 * HOUR),
    ],
)
def test_a_checkpoint_is_overdue_after_three_intervals_but_never_after_less_than_15_minutes(
    usual: timedelta | None, patience: timedelta
) -> None:
    saved = Checkpoint("last.pt", NOON + MINUTE)
    for newest, since in ((None, NOON), (saved, NOON + MINUTE), (Checkpoint("older.pt", NOON - HOUR), NOON)):
        assert is_checkpoint_overdue((TRAINING,), newest, since + patience, usual)
        assert not is_checkpoint_overdue((TRAINING,), newest, since + patience - SECOND, usual)


def test_only_a_look_for_checkpoints_shows_that_one_is_missing_and_then_it_stays_missing() -> None:
    late = NOON + CHECKPOINT_PATIENCE
    assert note_overdue(OPEN, late, has_listed=False) is OPEN
    assert note_overdue(OPEN, late - SECOND, has_listed=True) is OPEN
    missed = note_overdue(OPEN, late, has_listed=True)
    assert missed.current.unsaved_since == NOON
    assert note_overdue(missed, late + MINUTE, has_listed=False) is missed
    saved = missed.with_attempt(replace(missed.current, checkpoint=Checkpoint("last.pt", late)))
    assert note_overdue(saved, late + MINUTE, has_listed=True).current.unsaved_since is None


def test_a_run_that_usually_saves_more_often_misses_its_checkpoint_earlier() -> None:
    run = saving(20, 40, 60).with_attempt(replace(LIVE, checkpoint=Checkpoint("last.pt", NOON + 2 * HOUR)))
    assert note_overdue(run, NOON + 3 * HOUR, has_listed=True).current.unsaved_since == NOON + 2 * HOUR
    assert note_overdue(run, NOON + 3 * HOUR - SECOND, has_listed=True) is run


def test_nothing_is_missing_of_a_run_that_keeps_no_checkpoints_or_does_not_go_on_to_train() -> None:
    late = NOON + 2 * CHECKPOINT_PATIENCE
    without = {key: value for key, value in OPEN.training_job.items() if key != "CheckpointConfig"}
    missed = note_overdue(OPEN, late, has_listed=True)
    attempt = missed.current
    others = (
        replace(missed, stop_requested=True),
        replace(missed, status=RunStatus.FAILED),
        replace(missed, training_job=without),
        missed.with_attempt(replace(attempt, switch_to=Market.SPOT)),
        missed.with_attempt(replace(attempt, status=AttemptStatus.ENDED)),
        missed.with_attempt(replace(attempt, phase="Interrupted")),
        missed.with_attempt(replace(attempt, transitions=(TRAINING, Transition("Interrupted", NOON)))),
        missed.with_attempt(replace(attempt, transitions=(TRAINING._replace(ended_at=late),))),
        missed.with_attempt(replace(attempt, transitions=())),
    )
    assert [note_overdue(run, late, has_listed=True).current.unsaved_since for run in others] == [None] * len(others)
