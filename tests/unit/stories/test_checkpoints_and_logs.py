"""A run whose container writes logs beside its checkpoints, and one whose checkpoints cannot be listed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.policy import Budgets, Policy
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Checkpoint
from spot_relay.domain.shown.report import status_document
from spot_relay.domain.values import No
from spot_relay.service import RejectedError
from tests.fakes import REGION
from tests.unit.worlds import PREFIX, World, deadline, submission

HOUR = 3600.0
STOPPING = {"MaxRuntimeInSeconds": 72_000, "MaxWaitTimeInSeconds": 90_000}
UNLISTED = No("The checkpoints cannot be found: there are too many.")


def training(policy: Policy | None = None, **changes: Any) -> World:
    """A run whose first attempt has begun to train."""
    world = World()
    world.service.submit(submission(policy, StoppingCondition=STOPPING, **changes))
    world.trains(1, 0)
    return world


def rewrite(world: World, name: str) -> None:
    """Write an object now, in place of its last version."""
    key = f"churn/checkpoints/{name}"
    kept = [known for known in world.checkpoints.found.get(PREFIX, []) if known.key != key]
    world.checkpoints.found[PREFIX] = [*kept, Checkpoint(key, world.clock())]


def trains_with_a_log(world: World, hours: float) -> None:
    """Train with a checkpoint every three hours and an event file that is rewritten each minute."""
    for minute in range(1, round(hours * 60) + 1):
        world.clock.passes(60)
        rewrite(world, "runs/events.out.tfevents.1.algo-1")
        if minute % 180 == 0:
            rewrite(world, f"model-{minute // 180}")


def test_a_log_that_is_rewritten_each_minute_saves_no_training() -> None:
    world = training()
    trains_with_a_log(world, 5)
    run = world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    first, second = run.attempts
    assert run.progress_seconds == 3 * HOUR
    assert first.wasted_seconds == 2 * HOUR
    assert second.resumes_from is not None
    assert second.resumes_from.key == "churn/checkpoints/model-1"
    shown = status_document(run, REGION)["attempts"][0]
    assert shown["checkpoint"]["key"] == "churn/checkpoints/model-1"
    assert shown["ignored_objects"] == 1


def test_under_a_deadline_a_log_does_not_make_the_run_look_further_than_it_is() -> None:
    world = training(deadline(48 * 3600, expected_runtime_seconds=72_000))
    trains_with_a_log(world, 5)
    world.tick()
    run = world.run()
    assert run.progress_seconds == 3 * HOUR
    assert run.current.checkpoint is not None
    assert run.current.checkpoint.key == "churn/checkpoints/model-1"
    assert run.current.ignored_objects == 1


def test_attempts_that_leave_only_logs_draw_on_the_budget_for_no_progress() -> None:
    world = training(Policy(Budgets(attempts_without_progress=1)))
    for number in (1, 2):
        world.trains(number) if number > 1 else world.clock.passes(600)
        rewrite(world, "runs/events.out.tfevents.1.algo-1")
        world.tell(number, "Stopped", "MaxWaitTimeExceeded")
    run = world.run()
    assert run.status is RunStatus.FAILED
    assert "attempts_without_progress" in run.reason
    assert run.spent.attempts_without_progress == 1


def test_a_pattern_of_the_spec_decides() -> None:
    world = training(Policy(checkpoint_pattern="state/*.csv"))
    world.clock.passes(600)
    rewrite(world, "state/5.csv")
    world.clock.passes(600)
    rewrite(world, "model-1")
    run = world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    assert run.current.resumes_from is not None
    assert run.current.resumes_from.key == "churn/checkpoints/state/5.csv"
    assert run.progress_seconds == 600


def test_nothing_is_relaunched_while_the_checkpoints_cannot_be_listed() -> None:
    world = training()
    world.clock.passes(HOUR)
    world.checkpoint("model-1")
    world.clock.passes(HOUR)
    world.checkpoints.unlisted = UNLISTED
    run = world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    assert len(run.attempts) == 1
    assert run.current.status is AttemptStatus.IN_PROGRESS
    assert UNLISTED.because in run.reason
    assert run.check_at == world.clock() + timedelta(minutes=5)
    world.checkpoints.unlisted = None
    run = world.passes(300)
    assert [attempt.number for attempt in run.attempts] == [1, 2]
    assert (run.progress_seconds, run.attempts[0].wasted_seconds) == (HOUR, HOUR)


def test_a_relaunch_after_a_backoff_waits_for_the_list_as_well() -> None:
    world = training()
    world.tell(1, "Failed", "Failed", failure_reason="InternalServerError: We encountered an internal error.")
    world.checkpoints.unlisted = UNLISTED
    run = world.passes(120)
    assert len(run.attempts) == 1
    assert UNLISTED.because in run.reason
    world.checkpoints.unlisted = None
    assert len(world.passes(360).attempts) == 2


def test_a_live_attempt_whose_checkpoints_cannot_be_listed_loses_nothing() -> None:
    world = training(deadline(48 * 3600, expected_runtime_seconds=72_000))
    world.clock.passes(HOUR)
    world.checkpoint("model-1")
    world.checkpoints.unlisted = UNLISTED
    world.tell(1, "InProgress", "Interrupted")
    run = world.passes(300)
    assert UNLISTED.because in run.reason
    assert (run.progress_seconds, run.current.wasted_seconds) == (0, 0)
    world.checkpoints.unlisted = None
    assert world.passes(600).progress_seconds == HOUR


def test_a_stop_needs_no_list() -> None:
    world = training()
    world.service.stop("churn")
    world.checkpoints.unlisted = UNLISTED
    assert world.tell(1, "Stopped", "Stopped").status is RunStatus.STOPPED


def test_a_run_is_not_resumed_from_the_beginning_because_its_checkpoints_cannot_be_listed() -> None:
    world = training()
    world.service.stop("churn")
    world.tell(1, "Stopped", "Stopped")
    world.checkpoints.unlisted = UNLISTED
    with pytest.raises(RejectedError, match="too many"):
        world.service.resume("churn")
    world.checkpoints.unlisted = None
    assert world.service.resume("churn").status is RunStatus.IN_PROGRESS
