"""The training jobs of a world in which the luck with spot is known: their whole lives, and what is seen of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.plan.jobs import Luck, PlayedJob, describe_canary, launch_job
from spot_relay.domain.run.attempt import Canary
from spot_relay.domain.run.observation import JobChanged
from spot_relay.domain.sagemaker.job import Job, Market, Placement, SecondaryStatus, Transition
from tests.fakes import NOON, at
from tests.unit.worlds import submission

SPOT, PAID = Placement("ml.m5.xlarge", 1, Market.SPOT), Placement("ml.m5.xlarge", 1, Market.ON_DEMAND)
END = SecondaryStatus


COMPLETES = PlayedJob(2, "churn-relay-02", SPOT, NOON, at(1), at(100), None, at(1000), END.COMPLETED)
EXPIRES = PlayedJob(2, "churn-relay-02", SPOT, NOON, None, None, None, at(1000), END.MAX_WAIT_TIME_EXCEEDED)
RECLAIMED = replace(COMPLETES, reclaimed_at=at(400), end=END.MAX_WAIT_TIME_EXCEEDED)


def stops(end: str, *before: Transition) -> tuple[Transition, ...]:
    """The transitions of a job that is stopped after a thousand seconds, and ends two minutes later."""
    return (*before, Transition("Stopping", at(1000), at(1120)), Transition(end, at(1120)))


TRAINS = Transition("Starting", at(0), at(1)), Transition("Downloading", at(1), at(100))


@pytest.mark.parametrize(
    ("job", "now", "seen"),
    [
        (
            COMPLETES,
            0,
            Job("", "", "InProgress", "Starting", at(0), at(0), SPOT, transitions=(Transition("Starting", at(0)),)),
        ),
        (
            COMPLETES,
            1,
            Job(
                *("", "", "InProgress", "Downloading", at(0), at(1), SPOT),
                training_started_at=at(1),
                transitions=(Transition("Starting", at(0), at(1)), Transition("Downloading", at(1))),
            ),
        ),
        (
            COMPLETES,
            999,
            Job(
                *("", "", "InProgress", "Training", at(0), at(100), SPOT),
                training_started_at=at(1),
                transitions=(*TRAINS, Transition("Training", at(100))),
            ),
        ),
        (
            COMPLETES,
            1000,
            Job(
                *("", "", "Completed", "Completed", at(0), at(1000), SPOT),
                training_started_at=at(1),
                ended_at=at(1000),
                training_seconds=999,
                transitions=(*TRAINS, Transition("Training", at(100), at(1000)), Transition("Completed", at(1000))),
            ),
        ),
        (
            EXPIRES,
            1119,
            Job(
                *("", "", "Stopping", "Stopping", at(0), at(1000), SPOT),
                transitions=(Transition("Starting", at(0), at(1000)), Transition("Stopping", at(1000))),
            ),
        ),
        (
            EXPIRES,
            1120,
            Job(
                *("", "", "Stopped", "MaxWaitTimeExceeded", at(0), at(1120), SPOT),
                ended_at=at(1120),
                transitions=stops("MaxWaitTimeExceeded", Transition("Starting", at(0), at(1000))),
            ),
        ),
        (
            RECLAIMED,
            2000,
            Job(
                *("", "", "Stopped", "MaxWaitTimeExceeded", at(0), at(1120), SPOT),
                training_started_at=at(1),
                ended_at=at(1120),
                training_seconds=399,
                transitions=stops(
                    "MaxWaitTimeExceeded",
                    *TRAINS,
                    Transition("Training", at(100), at(400)),
                    Transition("Interrupted", at(400), at(1000)),
                ),
            ),
        ),
        (
            replace(COMPLETES, end=END.MAX_RUNTIME_EXCEEDED),
            1120,
            Job(
                *("", "", "Stopped", "MaxRuntimeExceeded", at(0), at(1120), SPOT),
                training_started_at=at(1),
                ended_at=at(1120),
                training_seconds=1119,
                transitions=stops("MaxRuntimeExceeded", *TRAINS, Transition("Training", at(100), at(1000))),
            ),
        ),
    ],
)
def test_a_job_is_described_by_what_has_come_of_its_life(job: PlayedJob, now: int, seen: Job) -> None:
    assert job.describe(at(now)) == replace(seen, name="churn-relay-02", arn="arn:churn-relay-02")


@pytest.mark.parametrize(
    ("job", "events"),
    [
        (
            COMPLETES,
            [
                ("InProgress", "Starting", 0),
                ("InProgress", "Downloading", 1),
                ("InProgress", "Training", 100),
                ("Completed", "Completed", 1000),
            ],
        ),
        (
            EXPIRES,
            [("InProgress", "Starting", 0), ("Stopping", "Stopping", 1000), ("Stopped", "MaxWaitTimeExceeded", 1120)],
        ),
    ],
)
def test_each_change_of_a_job_is_an_event_until_it_has_ended(
    job: PlayedJob, events: list[tuple[str, str, int]]
) -> None:
    found, moment = [], at(-1)
    while event := job.next_event(moment):
        found.append(event)
        moment = event.at
    assert found == [JobChanged(2, status, secondary, at(seconds)) for status, secondary, seconds in events]


def test_a_job_that_is_stopped_ends_two_minutes_later_and_nothing_else_comes_of_it() -> None:
    stopped = COMPLETES.stop(at(100))
    assert stopped == replace(COMPLETES, done_at=at(100), end=END.STOPPED)
    assert stopped.ends_at == at(220)
    described = stopped.describe(at(220))
    assert [entry.status for entry in described.transitions] == ["Starting", "Downloading", "Stopping", "Stopped"]
    assert (described.training_started_at, described.training_seconds) == (at(1), 219)


def test_a_job_that_is_stopped_before_it_gets_its_instances_never_has_any() -> None:
    described = COMPLETES.stop(at(1)).describe(at(500))
    assert [entry.status for entry in described.transitions] == ["Starting", "Stopping", "Stopped"]
    assert (described.training_started_at, described.training_seconds) == (None, None)


@pytest.mark.parametrize("seconds", [1000, 1001])
def test_a_job_that_is_done_is_not_stopped(seconds: int) -> None:
    assert COMPLETES.stop(at(seconds)) == COMPLETES


@pytest.mark.parametrize(
    ("job", "now", "until"),
    [
        (COMPLETES, 100, None),
        (COMPLETES, 101, 101),
        (COMPLETES, 1000, 1000),
        (COMPLETES, 2000, 1000),
        (COMPLETES.stop(at(100)), 2000, None),
        (EXPIRES, 2000, None),
    ],
)
def test_training_is_saved_from_its_first_second_to_the_end_of_the_job(
    job: PlayedJob, now: int, until: int | None
) -> None:
    assert job.saved_until(at(now)) == (None if until is None else at(until))


@pytest.mark.parametrize(
    ("luck", "phase"), [(Luck.AT_ONCE, "Training"), (Luck.NEVER, "Starting"), (Luck.LOST, "Training")]
)
def test_a_canary_trains_unless_spot_capacity_never_comes(luck: Luck, phase: str) -> None:
    canary = Canary(1, "churn-canary-01", SPOT, NOON, 9000)
    expected = Job("churn-canary-01", "arn:churn-canary-01", "InProgress", phase, NOON, NOON, SPOT)
    assert describe_canary(canary, luck) == expected


def launched(luck: Luck, placement: Placement, work: float, startup: float, reclaimed: float | None) -> PlayedJob:
    """A job that is launched a minute after noon; its MaxRuntime is an hour, its MaxWait two hours."""
    run = accept(submission(), "one", NOON)
    attempt = replace(run.current, placement=placement)
    return launch_job(run, attempt, luck, work, startup, None if reclaimed is None else at(reclaimed), at(60))


@pytest.mark.parametrize(
    ("luck", "placement", "figures", "expected"),
    [
        # It completes once its work is done, but no later than its limit allows.
        (Luck.AT_ONCE, SPOT, (500, 100, None), (at(61), at(160), None, at(660), END.COMPLETED)),
        (Luck.AT_ONCE, PAID, (500, 0, None), (at(61), at(61), None, at(561), END.COMPLETED)),
        (Luck.AT_ONCE, SPOT, (500, 0.5, None), (at(61), at(61), None, at(561), END.COMPLETED)),
        (Luck.AT_ONCE, SPOT, (3501, 100, None), (at(61), at(160), None, at(3661), END.COMPLETED)),
        (Luck.AT_ONCE, SPOT, (3502, 100, None), (at(61), at(160), None, at(3661), END.MAX_RUNTIME_EXCEEDED)),
        (Luck.AT_ONCE, PAID, (9000, 100, None), (at(61), at(160), None, at(3661), END.MAX_RUNTIME_EXCEEDED)),
        # Without capacity it waits until MaxWait, which is only a limit on spot.
        (Luck.NEVER, SPOT, (500, 100, None), (None, None, None, at(7260), END.MAX_WAIT_TIME_EXCEEDED)),
        (Luck.NEVER, PAID, (500, 100, None), (at(61), at(160), None, at(660), END.COMPLETED)),
        # What it trains on spot is lost: up to its limit, or until it loses its instances, and then it waits.
        (Luck.LOST, SPOT, (500, 100, None), (at(61), at(160), None, at(3661), END.MAX_RUNTIME_EXCEEDED)),
        (Luck.LOST, SPOT, (500, 100, 900), (at(61), at(160), at(900), at(7261), END.MAX_WAIT_TIME_EXCEEDED)),
        (Luck.LOST, SPOT, (500, 100, 90), (at(61), at(160), at(160), at(7261), END.MAX_WAIT_TIME_EXCEEDED)),
        (Luck.LOST, PAID, (500, 100, 900), (at(61), at(160), None, at(660), END.COMPLETED)),
        (Luck.AT_ONCE, SPOT, (500, 100, 900), (at(61), at(160), None, at(660), END.COMPLETED)),
        (Luck.AT_ONCE, SPOT, (9000, 100, 900), (at(61), at(160), None, at(3661), END.MAX_RUNTIME_EXCEEDED)),
    ],
)
def test_the_life_of_a_job_is_known_from_its_launch_on(
    luck: Luck, placement: Placement, figures: tuple[float, float, float | None], expected: tuple[Any, ...]
) -> None:
    assert launched(luck, placement, *figures) == PlayedJob(1, "churn-relay-01", placement, at(60), *expected)


def test_a_job_whose_max_wait_is_its_max_runtime_still_gets_all_of_it() -> None:
    tight = submission(StoppingCondition={"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3600})
    run = accept(tight, "one", NOON)
    job = launch_job(run, run.current, Luck.LOST, 500, 0, None, NOON)
    assert (job.done_at, job.end) == (at(3601), END.MAX_RUNTIME_EXCEEDED)
