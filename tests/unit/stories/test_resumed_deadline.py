"""What a resumption changes of a run's deadline, what it leaves, and why it can't have another."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.observation import DeadlineChange, ResumeRequested
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.domain.sagemaker.job import MAX_JOB_NAME, attempt_name
from spot_relay.service import RejectedError
from tests.fakes import NOON
from tests.unit.worlds import World, deadline, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.policy import Deadline, Policy
    from spot_relay.domain.run.run import Run

HOUR = 3600
KNOWN = {"expected_runtime_seconds": 2 * HOUR, "changeover_seconds": 500, "return_to_spot": ReturnToSpot.BLIND}


def failed(policy: Policy | None, trained: float = 1800, **changes: Any) -> World:
    """A service with one run that trained for a while, left a checkpoint of it, and failed by its own code."""
    world = World()
    world.service.submit(submission(policy, **changes))
    world.trains(1, trained)
    world.checkpoint("a")
    world.tell(1, "Failed", "Failed", failure_reason="AlgorithmError: exit code 1")
    return world


def resumed(world: World, **change: Any) -> Run:
    return world.service.resume("churn", ResumeRequested(deadline=DeadlineChange(**change)))


def deadline_of(run: Run) -> Deadline:
    assert run.policy.deadline is not None
    return run.policy.deadline


def test_an_instant_replaces_a_duration_and_a_duration_an_instant() -> None:
    world = failed(deadline(20 * HOUR, **KNOWN))
    run = resumed(world, at=NOON + timedelta(hours=30))
    assert (run.deadline_at, deadline_of(run).within_seconds) == (NOON + timedelta(hours=30), None)
    world.tell(2, "Failed", "Failed", failure_reason="AlgorithmError: exit code 1")
    world.clock.passes(60)
    run = resumed(world, within_seconds=40 * HOUR)
    assert (run.deadline_at, deadline_of(run).at) == (world.clock() + timedelta(hours=40), None)


@pytest.mark.parametrize(
    "change",
    [{"expected_runtime_seconds": 3 * HOUR}, {"changeover_seconds": 400}, {"return_to_spot": ReturnToSpot.NEVER}],
    ids=lambda change: next(iter(change)),
)
def test_what_is_changed_of_it_leaves_the_moment_and_all_else_as_it_was(change: dict[str, Any]) -> None:
    world = failed(deadline(20 * HOUR, **KNOWN))
    world.clock.passes(HOUR)
    run = resumed(world, **change)
    assert run.deadline_at == NOON + timedelta(hours=20)
    assert {name: getattr(deadline_of(run), name) for name in KNOWN} == {**KNOWN, **change}


def test_a_change_that_leaves_no_time_even_on_demand_is_rejected_with_the_earliest_moment() -> None:
    world = failed(deadline(20 * HOUR, **KNOWN))
    with pytest.raises(RejectedError) as raised:
        resumed(world, expected_runtime_seconds=30 * HOUR)
    # Half an hour is done already, and one changeover takes 500 seconds.
    soonest = world.clock() + timedelta(hours=29, minutes=30, seconds=500)
    assert soonest.isoformat(timespec="seconds") in str(raised.value)


def test_a_run_that_has_trained_for_longer_than_was_foretold_needs_the_time_of_a_changeover() -> None:
    world = failed(deadline(20 * HOUR, **KNOWN), trained=3 * HOUR)
    with pytest.raises(RejectedError, match="cannot be met"):
        resumed(world, within_seconds=499)
    assert resumed(world, within_seconds=500).deadline_at == world.clock() + timedelta(seconds=500)


@pytest.mark.parametrize("policy", [None, deadline(20 * HOUR, **KNOWN)], ids=["a first one", "a further one"])
def test_a_run_with_the_longest_name_can_have_a_deadline_and_a_canary(policy: Policy | None) -> None:
    world, name = World(), "c" * MAX_JOB_NAME
    world.service.submit(submission(policy, name=name))
    world.jobs.becomes(attempt_name(name, 1), "Stopped", "Stopped")
    world.service.advance(name, world.event(1, "Stopped", "Stopped"))
    change = DeadlineChange(within_seconds=9 * HOUR, expected_runtime_seconds=HOUR, return_to_spot=ReturnToSpot.CANARY)
    resumed = world.service.resume(name, ResumeRequested(deadline=change))
    assert deadline_of(resumed).return_to_spot is ReturnToSpot.CANARY


@pytest.mark.parametrize(
    ("changes", "change", "why"),
    [
        ({"CheckpointConfig": None}, {"within_seconds": 9 * HOUR}, "no CheckpointConfig"),
        ({}, {"within_seconds": 9 * HOUR}, "both deadline and expected_runtime"),
        ({}, {"expected_runtime_seconds": HOUR}, "both deadline and expected_runtime"),
        (
            {"AlgorithmSpecification": {"AlgorithmName": "mine", "TrainingInputMode": "File"}},
            {"return_to_spot": ReturnToSpot.CANARY},
            "AlgorithmName",
        ),
        (
            {"ResourceConfig": {"InstanceGroups": [{"InstanceType": "ml.m5.xlarge", "InstanceCount": 1}]}},
            {"return_to_spot": ReturnToSpot.CANARY},
            "InstanceGroups",
        ),
    ],
)
def test_what_keeps_a_run_from_a_deadline_is_named(changes: dict[str, Any], change: dict[str, Any], why: str) -> None:
    world = failed(None, **changes)
    with pytest.raises(RejectedError, match=why):
        resumed(world, **change)
    assert world.run().policy.deadline is None
