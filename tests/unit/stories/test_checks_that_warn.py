"""What the operator is told of runs: a deadline has passed, a checkpoint does not come, spot is billed in full."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from spot_relay.domain.rules.checkpoint_age import CHECKPOINT_PATIENCE
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.shown.report import iso, status_document
from spot_relay.domain.values import No
from tests.fakes import REGION
from tests.unit.worlds import World, deadline, submission

MINUTE, HOUR = 60, 3600
EVERY_CHECK = 5 * MINUTE
PATIENCE = CHECKPOINT_PATIENCE.total_seconds()
OVERDUE, LATE, BILLED = "CheckpointsOverdue", "RunsPastDeadline", "SpotBilledAsOnDemand"


@pytest.fixture
def world() -> World:
    """A run without a deadline whose first job has just begun to train."""
    world = World()
    world.service.submit(submission(StoppingCondition={"MaxRuntimeInSeconds": 86_400, "MaxWaitTimeInSeconds": 90_000}))
    world.trains(1, 0)
    return world


def test_the_first_hours_of_training_cost_no_look_for_a_checkpoint(world: World) -> None:
    world.passes(PATIENCE - MINUTE)
    assert world.checkpoints.asked == []
    assert world.telemetry.total(OVERDUE) == 0


def test_a_checkpoint_that_does_not_come_is_counted_at_each_check_until_it_comes(world: World) -> None:
    world.passes(PATIENCE + EVERY_CHECK)
    first = world.telemetry.total(OVERDUE)
    assert 1 <= first == len(world.checkpoints.asked) <= 2
    world.passes(HOUR)
    assert world.telemetry.total(OVERDUE) == first + HOUR / EVERY_CHECK
    world.checkpoint("last.pt")
    world.passes(HOUR)
    assert world.telemetry.total(OVERDUE) == first + HOUR / EVERY_CHECK


def test_a_training_that_saves_is_looked_at_once_per_patience_and_never_counted(world: World) -> None:
    for _ in range(9):
        world.passes(HOUR)
        world.checkpoint("last.pt")
    # A look is due for the first time after three hours. Each one finds a checkpoint of the last hour.
    assert 2 <= len(world.checkpoints.asked) <= 4
    assert world.telemetry.total(OVERDUE) == 0


def test_a_run_with_a_deadline_misses_a_checkpoint_after_three_of_its_own_intervals() -> None:
    world = World()
    world.service.submit(submission(deadline(20 * HOUR)))
    world.trains(1, 0)
    for _ in range(5):
        world.passes(20 * MINUTE)
        world.checkpoint("last.pt")
    world.passes(HOUR - EVERY_CHECK)
    assert world.telemetry.total(OVERDUE) == 0
    assert overdue_since(world) is None
    last = world.clock() - timedelta(seconds=HOUR - EVERY_CHECK)
    world.passes(2 * EVERY_CHECK)
    assert world.telemetry.total(OVERDUE) >= 1
    assert overdue_since(world) == iso(last)
    world.tell(1, "InProgress", "Interrupted")
    assert overdue_since(world) is None


def test_the_status_document_says_that_a_checkpoint_is_missing_if_and_only_if_the_newest_check_counted_it(
    world: World,
) -> None:
    for minute in range(5 * 60):
        if minute == 4 * 60:
            world.checkpoint("last.pt")
        before = world.telemetry.total(OVERDUE)
        world.passes(MINUTE)
        if world.run().updated_at == world.clock():
            assert (world.telemetry.total(OVERDUE) > before) == (overdue_since(world) is not None)
    assert world.telemetry.total(OVERDUE) > 0


def overdue_since(world: World) -> str | None:
    since: str | None = status_document(world.run(), REGION)["checkpoints"]["overdue_since"]
    return since


def test_checkpoints_that_cannot_be_listed_are_not_taken_for_missing_ones(world: World) -> None:
    world.checkpoints.unlisted = No("S3 answers AccessDenied.")
    world.passes(PATIENCE + HOUR)
    assert world.checkpoints.asked
    assert world.telemetry.total(OVERDUE) == 0


def test_a_wait_for_capacity_is_no_training(world: World) -> None:
    world.passes(2 * HOUR)
    world.tell(1, "InProgress", "Interrupted")
    world.passes(2 * HOUR)
    world.tell(1, "InProgress", "Training")
    world.passes(PATIENCE - HOUR)
    assert world.telemetry.total(OVERDUE) == 0
    world.passes(HOUR + EVERY_CHECK)
    assert world.telemetry.total(OVERDUE) >= 1


def test_a_run_is_counted_at_each_check_after_its_deadline_and_once_when_it_ends_late() -> None:
    world = World()
    world.service.submit(submission(deadline(4 * HOUR)))
    world.trains(1, 0)
    for _ in range(4):
        world.checkpoint("last.pt")
        world.passes(HOUR)
    before = world.telemetry.total(LATE)
    world.passes(HOUR)
    checked = world.telemetry.total(LATE) - before
    assert before <= 1
    assert HOUR / EVERY_CHECK <= checked <= HOUR / MINUTE
    world.tell(1, "Completed", "Completed")
    assert world.telemetry.total(LATE) == before + checked + 1
    world.passes(HOUR)
    assert world.telemetry.total(LATE) == before + checked + 1


@pytest.mark.parametrize("status", ["InProgress", "Completed"])
def test_a_spot_job_that_sagemaker_runs_on_demand_is_counted_once(world: World, status: str) -> None:
    job = world.jobs.jobs["churn-relay-01"]
    elsewhere = replace(job.placement, market=Market.ON_DEMAND)
    world.jobs.becomes(job.name, "InProgress", "Training", placement=elsewhere)
    for _ in range(2 if status == "InProgress" else 0):
        world.passes(EVERY_CHECK)
    world.tell(1, "Completed", "Completed", training_seconds=3600, billable_seconds=3600)
    assert world.telemetry.total(BILLED) == 1
    assert world.run().current.placement.market is Market.ON_DEMAND


def test_an_attempt_on_demand_is_no_spot_job_that_was_billed_in_full() -> None:
    world = World()
    world.service.submit(submission(EnableManagedSpotTraining=False, StoppingCondition={"MaxRuntimeInSeconds": 86_400}))
    world.trains(1, HOUR)
    world.tell(1, "Completed", "Completed", training_seconds=3600, billable_seconds=3600)
    assert world.telemetry.total(BILLED) == 0
