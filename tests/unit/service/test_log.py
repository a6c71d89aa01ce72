"""The log of a run is its story: each line says what was heard, what was made of it, and why."""

from __future__ import annotations

from contextlib import suppress

import pytest
from inline_snapshot import snapshot

from spot_relay.domain.run.launch import launch_of_attempt
from spot_relay.domain.run.observation import CanaryChanged, Due, Launched, Overtaken, Refused, RoomFreed
from spot_relay.domain.run.policy import Policy
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.service import RejectedError
from tests.unit.worlds import World, submission


def submitted(*refusals: tuple[Refusal, str]) -> World:
    world = World()
    world.jobs.refusals = list(refusals)
    world.service.submit(submission())
    return world


def log(world: World) -> list[str]:
    """The lines since the log was last read."""
    lines = [line.removeprefix("churn ") for line in world.telemetry.reasons]
    world.telemetry.reasons.clear()
    return lines


def test_a_life_with_an_interruption_an_expired_wait_and_two_errors() -> None:
    world = submitted()
    world.trains(1)
    world.checkpoint("a")
    world.tell(1, "InProgress", "Interrupted")
    world.clock.passes(60)
    world.tell(1, "InProgress", "Starting")
    assert log(world) == snapshot(
        [
            "Submitted: Accepted. Launching churn-relay-01.",
            "Launched: Created churn-relay-01 for the submitted spec.",
            "JobChanged: churn-relay-01 is Training.",
            "JobChanged: churn-relay-01 was interrupted. SageMaker resumes it when spot capacity returns.",
            "JobChanged: churn-relay-01 is Starting.",
        ]
    )
    world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    world.tell(2, "Failed", "Failed", failure_reason="CapacityError: none")
    world.passes(60)
    world.tell(3, "Failed", "Failed", failure_reason="InternalServerError: We")
    world.passes(60)
    world.tell(4, "Completed", "Completed")
    assert log(world) == snapshot(
        [
            "JobChanged: churn-relay-01 reached MaxWaitTimeInSeconds before it finished. churn-relay-02 continues from the checkpoint churn/checkpoints/a.",
            "Launched: Created churn-relay-02 because the attempt before it reached MaxWaitTimeInSeconds.",
            "JobChanged: churn-relay-02 failed because SageMaker had no capacity: CapacityError: none. Launching the next attempt in 30 s.",
            "Due: The backoff is over. churn-relay-03 continues from the checkpoint churn/checkpoints/a.",
            "Launched: Created churn-relay-03 because the attempt before it got no capacity.",
            "JobChanged: churn-relay-03 failed because SageMaker had an internal error: InternalServerError: We. Launching the next attempt in 15 s.",
            "Due: The backoff is over. churn-relay-04 continues from the checkpoint churn/checkpoints/a.",
            "Launched: Created churn-relay-04 because the attempt before it met an internal error in SageMaker.",
            "JobChanged: churn-relay-04 completed the training.",
        ]
    )


def test_what_changes_nothing_is_logged_with_the_reason_why_it_does_not() -> None:
    world = submitted()
    world.clock.passes(1)
    old = world.event(1, "InProgress", "Starting")
    run = world.trains(1)
    log(world)
    for observation in (
        old,
        world.event(7, "InProgress", "Starting"),
        RoomFreed(),
        CanaryChanged(3, "Stopped"),
        Launched(1, "arn"),
        Launched(9, "arn"),
        Refused(1, Refusal.THROTTLED, "Rate exceeded."),
    ):
        assert world.advance(observation) == run
    assert log(world) == snapshot(
        [
            "JobChanged: The event is no newer than what is already known.",
            "JobChanged: The run has no attempt 7.",
            "RoomFreed: The run is not waiting for room.",
            "CanaryChanged: The run is not waiting for canary 3.",
            "Launched: churn-relay-01 is already known to exist.",
            "Launched: The run has no attempt 9.",
            "Refused: The refusal is out of date and changes nothing.",
        ]
    )


def test_what_comes_too_early_and_what_comes_after_the_end_is_logged_too() -> None:
    world = submitted()
    world.advance(Due())
    world.advance(Overtaken())
    with suppress(RejectedError):
        world.service.resume("churn")
    assert log(world) == snapshot(
        [
            "Submitted: Accepted. Launching churn-relay-01.",
            "Launched: Created churn-relay-01 for the submitted spec.",
            "Due: The run is not due yet.",
            "Overtaken: Another function saved the run first. Publishing that state.",
            "ResumeRequested: Only a run that has ended can be resumed, and this one is InProgress.",
        ]
    )
    run = world.tell(1, "Completed", "Completed")
    for observation in (Due(), world.event(1, "InProgress", "Training"), Launched(1, "arn")):
        assert world.advance(observation) == run
    for ask in (world.service.stop, world.service.resume):
        with pytest.raises(RejectedError):
            ask("churn")
    assert log(world) == snapshot(
        [
            "JobChanged: churn-relay-01 completed the training.",
            "Due: The run has ended, so nothing is due.",
            "JobChanged: The event comes after the end of churn-relay-01.",
            "Launched: churn-relay-01 is already known to exist.",
            "StopRequested: The run has already ended: it is Completed.",
            "ResumeRequested: The run has completed, so there is nothing to resume.",
        ]
    )


def test_stops_and_a_resumption() -> None:
    world = submitted()
    world.service.stop("churn")
    world.service.stop("churn")
    world.tell(1, "Stopped", "Stopped")
    world.service.stop("churn")
    world.service.resume("churn")
    world.tell(2, "Failed", "Failed", failure_reason="CapacityError: none")
    world.service.stop("churn")
    assert log(world) == snapshot(
        [
            "Submitted: Accepted. Launching churn-relay-01.",
            "Launched: Created churn-relay-01 for the submitted spec.",
            "StopRequested: A stop was requested. Stopping churn-relay-01.",
            "StopRequested: The run is already being stopped.",
            "JobChanged: Stopped by request.",
            "StopRequested: The run has already ended: it is Stopped.",
            "ResumeRequested: Resumed by request. churn-relay-02 starts from the beginning.",
            "Launched: Created churn-relay-02 to resume the run.",
            "JobChanged: churn-relay-02 failed because SageMaker had no capacity: CapacityError: none. Launching the next attempt in 30 s.",
            "StopRequested: Stopped by request.",
        ]
    )


def test_a_launch_that_is_refused_for_now_and_then_for_good_and_is_resumed() -> None:
    world = submitted((Refusal.THROTTLED, "Rate exceeded."), (Refusal.INVALID, "No such role."))
    world.passes(120)
    world.service.resume("churn")
    assert log(world) == snapshot(
        [
            "Submitted: Accepted. Launching churn-relay-01.",
            "Refused: Could not create churn-relay-01 yet: Rate exceeded. Trying again within 110 s.",
            "Due: Trying to launch churn-relay-01 again.",
            "Refused: SageMaker refused to create churn-relay-01: No such role. Correct what the message names and resume the run, or submit a corrected spec under another name.",
            "ResumeRequested: Resumed by request. Trying to launch churn-relay-01 again.",
            "Launched: Created churn-relay-01 to resume the run.",
        ]
    )


def test_a_stop_before_there_is_a_job_and_a_job_that_turns_up_all_the_same() -> None:
    world = submitted((Refusal.THROTTLED, "Rate exceeded."))
    world.service.stop("churn")
    world.advance(world.event(1, "InProgress", "Training"))
    world.passes(300)
    world.jobs.create(launch_of_attempt(world.run(), world.run().current))
    world.advance(Launched(1, "arn"))
    world.advance(world.event(1, "InProgress", "Training"))
    assert log(world) == snapshot(
        [
            "Submitted: Accepted. Launching churn-relay-01.",
            "Refused: Could not create churn-relay-01 yet: Rate exceeded. Trying again within 110 s.",
            "StopRequested: A stop was requested before churn-relay-01 was known to exist. Checking in 5 minutes whether it exists, to stop it.",
            "JobChanged: The event is about a training job named churn-relay-01 that does not belong to this run.",
            "Due: Stopped by request. No training job was created.",
            "Launched: The run no longer needs churn-relay-01. Stopping it.",
            "JobChanged: The run no longer needs churn-relay-01. Stopping it.",
        ]
    )
    assert set(world.jobs.stopped) == {"churn-relay-01"}


def test_a_job_that_is_not_found_is_looked_for_and_then_created_again() -> None:
    world = submitted()
    world.jobs.jobs.clear()
    world.advance(world.event(1, "Completed", "Completed"))
    run = world.run()
    assert run.check_at is not None
    assert (run.check_at - world.clock()).total_seconds() == 30
    world.clock.passes(300)
    world.tick()
    assert log(world) == snapshot(
        [
            "Submitted: Accepted. Launching churn-relay-01.",
            "Launched: Created churn-relay-01 for the submitted spec.",
            "JobChanged: SageMaker created churn-relay-01 but cannot find it yet. Checking again in 30 s.",
            "Due: SageMaker has no training job churn-relay-01. Launching it.",
            "Launched: Created churn-relay-01 for the submitted spec.",
        ]
    )


def test_a_wait_for_room() -> None:
    world = submitted((Refusal.QUOTA_FULL, "Full."))
    world.advance(RoomFreed())
    assert log(world) == snapshot(
        [
            "Submitted: Accepted. Launching churn-relay-01.",
            "Refused: The quota for ml.m5.xlarge (spot) has no room: Full. churn-relay-01 is next in the queue and starts when enough instances are free. Trying again every minute.",
            "RoomFreed: There may be room on ml.m5.xlarge (spot) now. Trying to launch churn-relay-01 again.",
            "Launched: Created churn-relay-01 for the submitted spec.",
        ]
    )


def test_ends_that_are_final() -> None:
    ends = [
        ("Stopped", "Stopped", None),
        ("Failed", "Failed", "AlgorithmError: exit 1"),
        ("Failed", "Failed", "Odd"),
        ("Stopped", "MaxRuntimeExceeded", None),
    ]
    lines = []
    for status, secondary, failure in ends:
        world = submitted()
        run = world.tell(1, status, secondary, failure_reason=failure)
        assert run.has_ended
        lines.append(log(world)[-1])
    assert lines == snapshot(
        [
            "JobChanged: churn-relay-01 was stopped outside Spot Relay. Resume the run to continue.",
            "JobChanged: churn-relay-01 failed because the training code or its configuration has an error: AlgorithmError: exit 1. Fix it and resume the run, or submit a corrected spec under another name.",
            "JobChanged: churn-relay-01 failed for a reason that Spot Relay does not know: Odd. Resume the run to try again.",
            "JobChanged: churn-relay-01 reached MaxRuntimeInSeconds before it finished. Raise it, or set policy.relaunch_on_max_runtime to true, and submit the spec under another name.",
        ]
    )


def test_a_job_that_ran_for_all_its_time_and_kept_nothing() -> None:
    world = World()
    world.service.submit(submission(Policy(relaunch_on_max_runtime=True)))
    world.trains(1)
    world.tell(1, "Stopped", "MaxRuntimeExceeded", training_seconds=600)
    assert log(world)[-1] == snapshot(
        "JobChanged: churn-relay-01 reached MaxRuntimeInSeconds before it finished. It left no checkpoint newer than its start, so another attempt would end the same way. Raise it, or save checkpoints more often, and submit the spec under another name."
    )


def test_a_job_that_is_gone_when_its_run_is_stopped() -> None:
    world = submitted()
    world.service.stop("churn")
    world.jobs.jobs.clear()
    world.clock.passes(301)
    stopping = world.run()
    log(world)
    assert world.advance(world.event(1, "Completed", "Completed")) == stopping
    world.tick()
    assert log(world) == snapshot(
        [
            "JobChanged: The event is about a training job named churn-relay-01 that does not belong to this run.",
            "Due: Stopped by request. No training job was created.",
        ]
    )
    assert world.run().status is RunStatus.STOPPED
