"""What is told and kept of a canary, from when it is sent to when its room is free again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spot_relay.domain.decide.decision import decide
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.run.attempt import CanaryStatus
from spot_relay.domain.run.observation import CanaryChanged, CanaryCreated, CanaryRefused
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.unit.canaries import CANARY, HOUR, ahead, finds_capacity, kept, on_demand, stopped
from tests.unit.worlds import World, submission

SENT = (
    "Due: churn-relay-02 is described as InProgress / Training; the run is ahead of its pace: churn-canary-02 waits "
    "for spot capacity"
)


def log(world: World) -> list[str]:
    """The lines since the log was last read, each once."""
    lines = [line.removeprefix("churn ") for line in world.telemetry.reasons]
    world.telemetry.reasons.clear()
    return list(dict.fromkeys(lines))


def test_its_way_from_its_launch_to_the_return() -> None:
    world = on_demand()
    log(world)
    kept(world, 3 * HOUR)
    assert log(world)[-2:] == [SENT, "CanaryCreated: churn-canary-02 was created; it waits for spot capacity"]
    world.advance(CanaryCreated(2, "arn"))
    world.advance(CanaryChanged(2, "Pending"))
    assert log(world) == [
        "CanaryCreated: the canary is known already",
        "CanaryChanged: churn-canary-02 is Pending, which changes nothing",
    ]
    finds_capacity(world)
    assert any(line.endswith("the canary has found spot capacity: it is stopped to move there") for line in log(world))
    stopped(world)
    log(world)
    world.clock.passes(5)
    run = world.canary_tells(2, "Stopped", "Stopped", billable_seconds=90)
    assert log(world) == ["CanaryChanged: churn-canary-02 has made room"]
    assert run.canary is not None
    assert (run.canary.status, run.canary.phase, run.canary.billable_seconds) == (CanaryStatus.ENDED, "Stopped", 90)
    assert run.updated_at == world.clock()
    assert world.documents.written["churn"]["canaries"][0]["billable_seconds"] == 90


def test_one_that_is_refused_for_good_is_shown_with_the_kind_of_refusal() -> None:
    world = on_demand()
    world.jobs.refusals = [(Refusal.INVALID, "No such role.")]
    run = kept(world, 3 * HOUR)
    assert "CanaryRefused: churn-canary-02 could not be created, so the run stays on demand: No such role." in log(
        world
    )
    assert run.canary is not None
    assert (run.canary.status, run.canary.phase) == (CanaryStatus.ENDED, Refusal.INVALID)
    [shown] = world.documents.written["churn"]["canaries"]
    assert (shown["status"], shown["phase"]) == ("Ended", "Invalid")


def test_a_refusal_that_passes_leaves_the_run_as_it_is() -> None:
    world = ahead()
    run = world.run()
    assert world.advance(CanaryRefused(2, Refusal.THROTTLED, "Rate exceeded.")) == run
    assert log(world)[-1] == "CanaryRefused: churn-canary-02 can't be created for now: Rate exceeded."


@pytest.mark.parametrize("refusal", [Refusal.THROTTLED, Refusal.INVALID])
def test_what_a_refusal_says_is_told_without_the_secrets_of_the_run_and_no_longer_than_it_can_be_kept(
    refusal: Refusal,
) -> None:
    world = ahead()
    run = world.advance(CanaryRefused(2, refusal, "very-secret " + "x" * 100_000))
    told = log(world)[-1]
    assert "[hidden] xxx" in told
    assert max(len(told), len(run.reason)) < 1200


@pytest.mark.parametrize(
    "seen",
    [
        CanaryChanged(3, "Stopped"),
        CanaryChanged(1, "Training"),
        CanaryCreated(1, "arn"),
        CanaryRefused(1, Refusal.INVALID, ""),
    ],
    ids=lambda seen: type(seen).__name__,
)
def test_what_is_told_of_another_canary_changes_nothing(seen: CanaryChanged | CanaryCreated | CanaryRefused) -> None:
    world = ahead()
    run = world.run()
    assert world.advance(seen) == run
    assert log(world)[-1].endswith(f": canary {seen.canary} is none that this run waits for")


@pytest.mark.parametrize(
    "seen",
    [CanaryChanged(2, "Downloading"), CanaryRefused(2, Refusal.INVALID, ""), CanaryRefused(2, Refusal.THROTTLED, "")],
    ids=["no end", "refused", "throttled"],
)
def test_what_is_no_end_of_one_that_was_given_up_changes_nothing_and_wakes_nobody(
    seen: CanaryChanged | CanaryRefused,
) -> None:
    world = ahead()
    run = world.tell(2, "Completed", "Completed")
    world.jobs.refusals = [(Refusal.QUOTA_FULL, "Full.")]
    world.service.submit(submission(name="other", CheckpointConfig={"S3Uri": "s3://models/other/"}))
    assert world.advance(seen) == run
    assert log(world)[-1].endswith(": canary 2 is none that this run waits for")
    assert world.wakeups.woken == []


def test_one_that_ends_after_its_run_changes_nothing_of_that_and_wakes_the_oldest_that_waits_for_its_pool() -> None:
    world = ahead()
    run = world.tell(2, "Completed", "Completed")
    world.jobs.refusals = [(Refusal.QUOTA_FULL, "Full.")]
    world.service.submit(submission(name="other", CheckpointConfig={"S3Uri": "s3://models/other/"}))
    assert world.run("other").waits_for is not None
    world.clock.passes(5)
    assert world.canary_tells(2, "Stopped", "Stopped", billable_seconds=90) == run
    assert log(world)[-1] == "CanaryChanged: churn-canary-02 has made room"
    assert world.wakeups.woken == ["other"]


def test_one_that_is_found_to_have_ended_by_the_tick_has_cost_what_it_is_described_with() -> None:
    world = ahead()
    world.clock.passes(30)
    world.jobs.becomes(CANARY, "Failed", "Failed", billable_seconds=30)
    run = world.passes(600)
    assert run.canary is not None
    assert (run.canary.status, run.canary.phase, run.canary.billable_seconds) == (CanaryStatus.ENDED, "Failed", 30)


def test_a_blind_return_says_what_it_stops_the_job_for() -> None:
    world = ahead(ReturnToSpot.BLIND)
    assert any(
        line.endswith("the run is well ahead of its pace: it is stopped to wait for spot") for line in log(world)
    )


@pytest.mark.parametrize(
    "told", [CanaryCreated(2, "arn"), CanaryRefused(2, Refusal.INVALID, "no such role"), CanaryChanged(2, "Training")]
)
def test_a_run_that_has_ended_stays_as_it_is_whatever_is_told_of_a_canary(
    told: CanaryCreated | CanaryRefused | CanaryChanged,
) -> None:
    world = on_demand()
    kept(world, 3 * HOUR)
    run = world.run()
    # No run ends so: its canary is given up with it. What is told of one must change nothing all the same.
    planned = replace(run.canaries[-1], status=CanaryStatus.PLANNED)
    ended = replace(run, status=RunStatus.FAILED, ended_at=world.clock(), check_at=None, canaries=(planned,))
    decision = decide(ended, Facts(told), world.clock())
    assert decision.run is ended
    assert decision.owes.stop_canary == (None if isinstance(told, CanaryRefused) else CANARY)
