"""What is told and kept of a canary, from when it is sent to when its room is free again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from inline_snapshot import snapshot

from spot_relay.domain.decide.decision import decide
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.run.attempt import CanaryStatus
from spot_relay.domain.run.observation import CanaryChanged, CanaryCreated, CanaryRefused
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.unit.canaries import CANARY, HOUR, ahead, finds_capacity, kept, on_demand, stopped
from tests.unit.worlds import World, submission


def log(world: World) -> list[str]:
    """The lines since the log was last read, each once."""
    lines = [line.removeprefix("churn ") for line in world.telemetry.reasons]
    world.telemetry.reasons.clear()
    return list(dict.fromkeys(lines))


def test_its_way_from_its_launch_to_the_return() -> None:
    world = on_demand()
    log(world)
    kept(world, 3 * HOUR)
    assert log(world)[-2:] == snapshot(
        [
            "Due: The run is ahead of schedule. Launching churn-canary-02 to look for spot capacity while churn-relay-02 keeps training.",
            "CanaryCreated: Created churn-canary-02. It waits for spot capacity.",
        ]
    )
    world.advance(CanaryCreated(2, "arn"))
    world.advance(CanaryChanged(2, "Pending"))
    assert log(world) == snapshot(
        [
            "CanaryCreated: churn-canary-02 is already known to exist.",
            "CanaryChanged: churn-canary-02 is Pending, which changes nothing.",
        ]
    )
    finds_capacity(world)
    assert log(world) == snapshot(
        [
            "CanaryChanged: churn-canary-02 is Training, which changes nothing.",
            "Due: There is spot capacity again. Stopping churn-relay-02 to continue on spot.",
        ]
    )
    stopped(world)
    log(world)
    world.clock.passes(5)
    run = world.canary_tells(2, "Stopped", "Stopped", billable_seconds=90)
    assert log(world) == snapshot(["CanaryChanged: churn-canary-02 has ended, so its instances are free."])
    assert run.canary is not None
    assert (run.canary.status, run.canary.phase, run.canary.billable_seconds) == (CanaryStatus.ENDED, "Stopped", 90)
    assert run.updated_at == world.clock()
    assert world.documents.written["churn"]["canaries"][0]["billable_seconds"] == 90


def test_one_that_is_refused_for_good_is_shown_with_the_kind_of_refusal() -> None:
    world = on_demand()
    world.jobs.refusals = [(Refusal.INVALID, "No such role.")]
    run = kept(world, 3 * HOUR)
    assert [line for line in log(world) if line.startswith("CanaryRefused")] == snapshot(
        ["CanaryRefused: Could not create churn-canary-02, so the run stays on-demand: No such role."]
    )
    assert run.canary is not None
    assert (run.canary.status, run.canary.phase, run.canary.refusal) == (CanaryStatus.ENDED, None, Refusal.INVALID)
    [shown] = world.documents.written["churn"]["canaries"]
    assert (shown["status"], shown["phase"], shown["refusal"]) == ("Ended", None, "Invalid")


def test_a_refusal_that_passes_leaves_the_run_as_it_is() -> None:
    world = ahead()
    run = world.run()
    assert world.advance(CanaryRefused(2, Refusal.THROTTLED, "Rate exceeded.")) == run
    assert log(world)[-1] == snapshot(
        "CanaryRefused: Could not create churn-canary-02 yet: Rate exceeded. Trying again at the next check."
    )


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
    assert world.wakeups.woken == []


def test_one_that_ends_after_its_run_changes_nothing_of_that_and_wakes_the_oldest_that_waits_for_its_pool() -> None:
    world = ahead()
    run = world.tell(2, "Completed", "Completed")
    world.jobs.refusals = [(Refusal.QUOTA_FULL, "Full.")]
    world.service.submit(submission(name="other", CheckpointConfig={"S3Uri": "s3://models/other/"}))
    assert world.run("other").waits_for is not None
    world.clock.passes(5)
    assert world.canary_tells(2, "Stopped", "Stopped", billable_seconds=90) == run
    assert log(world)[-1] == snapshot("CanaryChanged: churn-canary-02 has ended, so its instances are free.")
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
    assert [line for line in log(world) if "churn-relay-02" in line] == snapshot(
        [
            "JobChanged: churn-relay-01 was stopped as planned. churn-relay-02 starts from the beginning on 1 x ml.m5.xlarge (on-demand).",
            "Launched: Created churn-relay-02 because waiting longer for spot would put the deadline at risk.",
            "JobChanged: churn-relay-02 is Training.",
            "Due: churn-relay-02 is Training.",
            "Due: The run is well ahead of schedule. Stopping churn-relay-02 to wait for spot capacity.",
            "Due: churn-relay-02 is Stopping.",
        ]
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
