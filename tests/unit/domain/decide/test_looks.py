"""Which facts are gathered for a decision: all that it needs, and no others, because each look is a call to AWS."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.decide.looks import (
    attempt_to_look_at,
    canary_to_look_at,
    is_due,
    launch_shown_by,
    looks_again,
    looks_at_predecessors,
    needs_checkpoint,
    says_net_is_due,
)
from spot_relay.domain.run.attempt import Attempt, AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.observation import (
    CanaryChanged,
    DeadlineChange,
    DeadlineRequested,
    Due,
    JobChanged,
    Launched,
    PredecessorEnded,
    ResumeRequested,
    StopRequested,
)
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import ProgressPoint, Run, RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Absent, Checkpoint, Job, Market, Placement, Transition
from tests.fakes import NOON
from tests.unit.worlds import deadline, submission

PLANNED, LIVE, ENDED = AttemptStatus.PLANNED, AttemptStatus.IN_PROGRESS, AttemptStatus.ENDED
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
DUE_AT = NOON + timedelta(minutes=5)
EARLY = DUE_AT - SECOND
STOPPED = JobChanged(1, "Stopped", "Stopped", NOON)
TRAINS = JobChanged(1, "InProgress", "Training", NOON)
INTERRUPTED = JobChanged(1, "InProgress", "Interrupted", NOON)
LATER_DEADLINE, NO_DEADLINE = DeadlineRequested(DeadlineChange(at=NOON + HOUR)), DeadlineRequested(None)
CANARY = Canary(
    1, "churn-canary-01", Placement("ml.m5.xlarge", 1, Market.SPOT), NOON, 3600, status=CanaryStatus.IN_PROGRESS
)


def a_run(state: AttemptStatus = LIVE, attempt: dict[str, Any] | None = None, /, **changes: Any) -> Run:
    """A run that is due at `DUE_AT`, with an attempt in this state."""
    run = replace(accept(submission(), "one", NOON), outbox=Outbox(), check_at=DUE_AT)
    return replace(run.with_attempt(replace(run.current, status=state, **attempt or {})), **changes)


def a_job(*transitions: Transition, status: str = "InProgress") -> Job:
    return Job("churn-relay-01", "arn", status, status, NOON, NOON, CANARY.placement, transitions=transitions)


@pytest.mark.parametrize(
    ("run", "now", "due"),
    [
        (a_run(), EARLY, False),
        (a_run(), DUE_AT, True),
        (a_run(check_at=None), NOON, True),
        (a_run(check_at=None, status=RunStatus.FAILED), NOON, False),
        (a_run(status=RunStatus.FAILED), DUE_AT, False),
        # A function is woken one and a half seconds before the turn.
        (a_run(PLANNED, {"turn_at": NOON + 10 * SECOND}), NOON + 8.5 * SECOND, True),
        (a_run(PLANNED, {"turn_at": NOON + 10 * SECOND}), NOON + 8.4 * SECOND, False),
        (a_run(PLANNED), EARLY, False),
        (a_run(PLANNED, {"turn_at": NOON}, stop_requested=True), EARLY, False),
        (a_run(LIVE, {"turn_at": NOON}), EARLY, False),
    ],
)
def test_an_open_run_is_due_at_its_next_look_or_at_its_turn_to_launch(run: Run, now: Any, due: bool) -> None:
    assert is_due(run, now) is due


@pytest.mark.parametrize(
    ("run", "observation", "now", "looks"),
    [
        # Of an event.
        (a_run(), replace(STOPPED, attempt=2), DUE_AT, False),
        (a_run(ENDED, {"outcome": Outcome.NEVER_CREATED}), TRAINS, DUE_AT, True),
        (a_run(ENDED, {"outcome": Outcome.NEVER_CREATED}), STOPPED, DUE_AT, False),
        (a_run(ENDED, {"outcome": Outcome.STOPPED}), TRAINS, DUE_AT, False),
        (a_run(PLANNED), TRAINS, NOON, True),
        (a_run(), TRAINS, DUE_AT, False),
        (a_run(), STOPPED, NOON, True),
        (a_run(), INTERRUPTED, DUE_AT, False),
        # Of a tick.
        (a_run(), Due(), EARLY, False),
        (a_run(), Due(), DUE_AT, True),
        (a_run(PLANNED), Due(), DUE_AT, False),
        (a_run(PLANNED, stop_requested=True), Due(), DUE_AT, True),
        (a_run(PLANNED, {"gives_up": True}), Due(), DUE_AT, True),
        (a_run(ENDED, {"gives_up": True}, stop_requested=True), Due(), DUE_AT, False),
        # Of requests.
        (a_run(), LATER_DEADLINE, NOON, True),
        (a_run(), NO_DEADLINE, NOON, False),
        (a_run(PLANNED), LATER_DEADLINE, NOON, False),
        (a_run(stop_requested=True), LATER_DEADLINE, NOON, False),
        (a_run(status=RunStatus.FAILED), LATER_DEADLINE, NOON, False),
        (a_run(), StopRequested(), DUE_AT, False),
        (a_run(), Launched(1, "arn"), DUE_AT, False),
    ],
)
def test_a_job_is_described_if_it_may_have_changed_more_than_the_event_says(
    run: Run, observation: Any, now: Any, looks: bool
) -> None:
    assert attempt_to_look_at(run, observation, now) == (run.current if looks else None)


def test_the_job_that_is_described_is_the_one_that_the_event_is_about() -> None:
    run = a_run(ENDED, {"outcome": Outcome.NEVER_CREATED})
    run = run.with_attempt(replace(run.current, number=2, status=LIVE))
    assert attempt_to_look_at(run, TRAINS, NOON) == run.attempts[0]


URGENT = replace(a_run(), policy=deadline(7200), deadline_at=NOON + 2 * HOUR)


@pytest.mark.parametrize(
    ("run", "event", "due"),
    [
        (URGENT, INTERRUPTED, True),
        (URGENT, replace(INTERRUPTED, attempt=2), False),
        (URGENT, TRAINS, False),
        (replace(URGENT, deadline_at=NOON + 10 * HOUR), INTERRUPTED, False),
        (URGENT.with_attempt(replace(URGENT.current, heard_at=NOON - SECOND)), INTERRUPTED, True),
        (URGENT.with_attempt(replace(URGENT.current, heard_at=NOON)), INTERRUPTED, False),
        (URGENT.with_attempt(replace(URGENT.current, heard_at=NOON + SECOND)), INTERRUPTED, False),
    ],
)
def test_an_interruption_that_is_news_is_looked_at_if_the_deadline_leaves_no_time_for_it(
    run: Run, event: JobChanged, due: bool
) -> None:
    assert says_net_is_due(run, event, NOON) is due
    assert attempt_to_look_at(run, event, NOON) == (run.current if due else None)


WAITS = a_run(PLANNED, waits_to_begin=True)


@pytest.mark.parametrize(
    ("run", "observation", "now", "looks"),
    [
        (WAITS, PredecessorEnded(), EARLY, True),
        (WAITS, Due(), DUE_AT, True),
        (WAITS, Due(), EARLY, False),
        (WAITS, Launched(1, "arn"), DUE_AT, False),
        (replace(WAITS, waits_to_begin=False), PredecessorEnded(), DUE_AT, False),
        (replace(WAITS, stop_requested=True), PredecessorEnded(), DUE_AT, False),
        (replace(WAITS, status=RunStatus.STOPPED), PredecessorEnded(), DUE_AT, False),
    ],
)
def test_the_runs_that_one_comes_after_are_loaded_while_it_waits_for_them(
    run: Run, observation: Any, now: Any, looks: bool
) -> None:
    assert looks_at_predecessors(run, observation, now) is looks


@pytest.mark.parametrize(
    ("canary", "observation", "now", "looks"),
    [
        (CANARY, CanaryChanged(1, "Stopped"), EARLY, True),
        (replace(CANARY, status=CanaryStatus.ENDED), CanaryChanged(1, "Stopped"), EARLY, True),
        (CANARY, CanaryChanged(2, "Stopped"), DUE_AT, False),
        (CANARY, CanaryChanged(1, "Training"), DUE_AT, False),
        (CANARY, Due(), DUE_AT, True),
        (CANARY, Due(), EARLY, False),
        (replace(CANARY, status=CanaryStatus.PLANNED), Due(), DUE_AT, False),
        (replace(CANARY, status=CanaryStatus.ENDED), Due(), DUE_AT, False),
        (CANARY, TRAINS, DUE_AT, False),
    ],
)
def test_a_canary_is_described_once_it_has_ended_and_whenever_its_run_is_looked_at(
    canary: Canary, observation: Any, now: Any, looks: bool
) -> None:
    run = a_run(canaries=(canary,))
    assert canary_to_look_at(run, observation, now) == (canary if looks else None)
    assert canary_to_look_at(replace(run, status=RunStatus.FAILED), observation, now) is None
    assert canary_to_look_at(replace(run, canaries=()), observation, now) is None


@pytest.mark.parametrize(
    ("outbox", "observation", "shown"),
    [
        (Outbox(launch=1), TRAINS, "attempt"),
        (Outbox(launch=2), TRAINS, None),
        (Outbox(canary=1), TRAINS, None),
        (Outbox(canary=1), CanaryChanged(1, "Training"), "canary"),
        (Outbox(canary=2), CanaryChanged(1, "Training"), None),
        (Outbox(launch=1), CanaryChanged(1, "Training"), None),
        (Outbox(launch=1, canary=1), Due(), None),
    ],
)
def test_an_event_of_a_job_whose_launch_is_still_owed_shows_that_it_was_made(
    outbox: Outbox, observation: Any, shown: str | None
) -> None:
    run = a_run(PLANNED, canaries=(CANARY,), outbox=outbox)
    found: Attempt | Canary | None = {"attempt": run.current, "canary": CANARY, None: None}[shown]
    assert launch_shown_by(observation, run) == found


@pytest.mark.parametrize(
    ("run", "observation", "again"),
    [
        (a_run(), Due(), True),
        (a_run(), LATER_DEADLINE, True),
        (a_run(), TRAINS, True),
        (a_run(PLANNED), TRAINS, True),
        (a_run(ENDED), TRAINS, False),
        (a_run(), replace(TRAINS, attempt=2), False),
        (a_run(canaries=(CANARY,)), CanaryChanged(1, "Stopped"), True),
        (a_run(canaries=(CANARY,)), CanaryChanged(2, "Stopped"), False),
        (a_run(canaries=(replace(CANARY, status=CanaryStatus.ENDED),)), CanaryChanged(1, "Stopped"), False),
        (a_run(), CanaryChanged(1, "Stopped"), False),
        (a_run(), Launched(1, "arn"), False),
    ],
)
def test_a_look_that_is_not_answered_can_be_left_to_the_next_one_of_what_the_run_still_looks_at(
    run: Run, observation: Any, again: bool
) -> None:
    assert looks_again(run, observation) is again
    assert looks_again(replace(run, status=RunStatus.FAILED), observation) is False


HAS_DEADLINE = a_run(deadline_at=NOON + HOUR)
STARTED = Transition("Training", NOON)
WAS_INTERRUPTED = (Transition("Training", NOON, NOON + SECOND), Transition("Interrupted", NOON + SECOND))
DONE = a_job(Transition("Training", NOON, NOON + HOUR), status="Stopped")


@pytest.mark.parametrize(
    ("run", "observation", "job", "now", "needed"),
    [
        # Between two attempts the next one is about to be planned.
        (a_run(ENDED), Due(), None, DUE_AT, True),
        (a_run(ENDED), Due(), None, EARLY, False),
        (a_run(PLANNED), Due(), None, DUE_AT, False),
        # Without a job there is nothing to measure.
        (HAS_DEADLINE, Due(), Absent(), DUE_AT, False),
        (HAS_DEADLINE, STOPPED, None, DUE_AT, False),
        (replace(HAS_DEADLINE, status=RunStatus.FAILED), STOPPED, DONE, DUE_AT, False),
        # A deadline that is asked for depends on what the checkpoints hold, unless the job's end shows that anyway.
        (a_run(), LATER_DEADLINE, a_job(), NOON, True),
        (a_run(), LATER_DEADLINE, DONE, NOON, False),
        (a_run(), NO_DEADLINE, a_job(), NOON, False),
        (a_run(stop_requested=True), LATER_DEADLINE, a_job(), NOON, False),
        # A relaunch continues from the newest checkpoint, and nothing follows a completed job.
        (a_run(), STOPPED, DONE, NOON, True),
        (a_run(), STOPPED, a_job(status="Completed"), NOON, False),
        (HAS_DEADLINE, STOPPED, a_job(status="Completed"), NOON, False),
        # A live job's progress is measured under a deadline and after an interruption.
        (HAS_DEADLINE, Due(), a_job(STARTED), DUE_AT, True),
        (HAS_DEADLINE, STOPPED, a_job(STARTED), DUE_AT, True),
        (a_run(), Due(), a_job(STARTED), DUE_AT, False),
        (a_run(), Due(), a_job(*WAS_INTERRUPTED), DUE_AT, True),
        (a_run(LIVE, {"counted_until": NOON + SECOND}), Due(), a_job(*WAS_INTERRUPTED), DUE_AT, False),
        # After three hours without a checkpoint, one is overdue.
        (a_run(), Due(), a_job(STARTED), NOON + 3 * HOUR, True),
        (a_run(), Due(), a_job(STARTED), NOON + 3 * HOUR - SECOND, False),
        (a_run(), STOPPED, a_job(STARTED), NOON + 3 * HOUR, False),
        (
            a_run(LIVE, {"checkpoint": Checkpoint("a", NOON + HOUR)}),
            Due(),
            a_job(STARTED),
            NOON + 4 * HOUR - SECOND,
            False,
        ),
        # One that used to come every ten minutes is overdue after half an hour.
        (
            a_run(progress_points=tuple(ProgressPoint(at, at) for at in (600, 1200, 1800))),
            Due(),
            a_job(STARTED),
            NOON + HOUR / 2,
            True,
        ),
    ],
)
def test_checkpoints_are_listed_if_a_relaunch_or_the_progress_depends_on_them_or_one_is_overdue(
    run: Run, observation: Any, job: Any, now: Any, needed: bool
) -> None:
    assert needs_checkpoint(run, observation, job, now) is needed
    assert needs_checkpoint(replace(run, training_job={}), observation, job, now) is False


@pytest.mark.parametrize(
    ("status", "needed"),
    [(RunStatus.FAILED, True), (RunStatus.STOPPED, True), (RunStatus.COMPLETED, False), (RunStatus.PENDING, False)],
)
def test_a_resumption_looks_for_the_newest_checkpoint_where_it_can_be_granted(status: RunStatus, needed: bool) -> None:
    run = a_run(status=status)
    assert needs_checkpoint(run, ResumeRequested(), None, NOON) is needed
    assert needs_checkpoint(replace(run, training_job={}), ResumeRequested(), None, NOON) is False
