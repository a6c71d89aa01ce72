"""The log of a run is its story: each line says what was heard, what was made of it, and why."""

from __future__ import annotations

from contextlib import suppress

import pytest

from spot_relay.domain.run.launch import launch_of_attempt
from spot_relay.domain.run.observation import CanaryChanged, Due, Launched, Overtaken, Refused, RoomFreed
from spot_relay.domain.run.policy import Policy
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.service import RejectedError
from tests.unit.worlds import World, submission

ACCEPTED = "Submitted: accepted; the first attempt is being launched"
LAUNCHED = "Launched: churn-relay-01 was launched (submitted)"
THROTTLED = "Refused: churn-relay-01 can't be created for now (Throttled): Rate exceeded. It is tried again."


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
    assert log(world) == [
        ACCEPTED,
        LAUNCHED,
        "JobChanged: churn-relay-01 is Training",
        "JobChanged: churn-relay-01 is Interrupted; SageMaker resumes it when capacity returns",
        "JobChanged: churn-relay-01 is Starting",
    ]
    world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    world.tell(2, "Failed", "Failed", failure_reason="CapacityError: none")
    world.passes(60)
    world.tell(3, "Failed", "Failed", failure_reason="InternalServerError: We")
    world.passes(60)
    world.tell(4, "Completed", "Completed")
    assert log(world) == [
        "JobChanged: churn-relay-01: the wait for spot capacity expired; "
        "churn-relay-02 goes on from churn/checkpoints/a",
        "Launched: churn-relay-02 was launched (after MaxWaitTimeExceeded)",
        "JobChanged: churn-relay-02: SageMaker found no capacity (CapacityError: none); "
        "the next attempt is due in 30 s",
        "Due: it is time for the next attempt; churn-relay-03 goes on from churn/checkpoints/a",
        "Launched: churn-relay-03 was launched (after CapacityError)",
        "JobChanged: churn-relay-03: SageMaker had an internal error (InternalServerError: We); "
        "the next attempt is due in 15 s",
        "Due: it is time for the next attempt; churn-relay-04 goes on from churn/checkpoints/a",
        "Launched: churn-relay-04 was launched (after ServiceError)",
        "JobChanged: churn-relay-04 completed the training",
    ]


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
    assert log(world) == [
        "JobChanged: the event is not newer than what is known",
        "JobChanged: attempt 7 is not one of this run's",
        "RoomFreed: the run waits for no room",
        "CanaryChanged: canary 3 is none that this run waits for",
        "Launched: the launch is known already",
        "Launched: the launch is known already",
        "Refused: the refusal is out of date",
    ]


def test_what_comes_too_early_and_what_comes_after_the_end_is_logged_too() -> None:
    world = submitted()
    world.advance(Due())
    world.advance(Overtaken())
    with suppress(RejectedError):
        world.service.resume("churn")
    assert log(world) == [
        ACCEPTED,
        LAUNCHED,
        "Due: the run is not due yet",
        "Overtaken: another writer was faster; its state is published",
        "ResumeRequested: the run has not ended: it is InProgress",
    ]
    run = world.tell(1, "Completed", "Completed")
    for observation in (Due(), world.event(1, "InProgress", "Training"), Launched(1, "arn")):
        assert world.advance(observation) == run
    for ask in (world.service.stop, world.service.resume):
        with pytest.raises(RejectedError):
            ask("churn")
    assert log(world) == [
        "JobChanged: churn-relay-01 completed the training",
        "Due: the run has ended; nothing is due",
        "JobChanged: the event speaks of an attempt that has ended",
        "Launched: the launch is known already",
        "StopRequested: the run has ended already: it is Completed",
        "ResumeRequested: the run has completed; there is nothing to resume",
    ]


def test_stops_and_a_resumption() -> None:
    world = submitted()
    world.service.stop("churn")
    world.service.stop("churn")
    world.tell(1, "Stopped", "Stopped")
    world.service.stop("churn")
    world.service.resume("churn")
    world.tell(2, "Failed", "Failed", failure_reason="CapacityError: none")
    world.service.stop("churn")
    assert log(world) == [
        ACCEPTED,
        LAUNCHED,
        "StopRequested: a stop was requested",
        "StopRequested: the run is being stopped already",
        "JobChanged: stopped by request",
        "StopRequested: the run has ended already: it is Stopped",
        "ResumeRequested: resumed by request; churn-relay-02 goes on from the beginning",
        "Launched: churn-relay-02 was launched (after Resumed)",
        "JobChanged: churn-relay-02: SageMaker found no capacity (CapacityError: none); "
        "the next attempt is due in 30 s",
        "StopRequested: stopped by request between attempts",
    ]


def test_a_launch_that_is_refused_for_now_and_then_for_good_and_is_resumed() -> None:
    world = submitted((Refusal.THROTTLED, "Rate exceeded."), (Refusal.INVALID, "No such role."))
    world.passes(60)
    world.service.resume("churn")
    assert log(world) == [
        ACCEPTED,
        THROTTLED,
        "Due: the launch is tried again",
        "Refused: churn-relay-01 could not be created: No such role. Correct what the message names, then resume the "
        "run, or submit a corrected spec under another name.",
        "ResumeRequested: resumed by request; the launch is tried again",
        "Launched: churn-relay-01 was launched (resumed)",
    ]


def test_a_stop_before_there_is_a_job_and_a_job_that_turns_up_all_the_same() -> None:
    world = submitted((Refusal.THROTTLED, "Rate exceeded."))
    world.service.stop("churn")
    world.advance(world.event(1, "InProgress", "Training"))
    world.passes(300)
    world.jobs.create(launch_of_attempt(world.run(), world.run().current))
    world.advance(Launched(1, "arn"))
    world.advance(world.event(1, "InProgress", "Training"))
    assert log(world) == [
        ACCEPTED,
        THROTTLED,
        "StopRequested: a stop was requested",
        "JobChanged: the event speaks of a job that is not this run's: churn-relay-01",
        "Due: stopped by request before a job was created",
        "Launched: a job of a run that has given up on it is stopped",
        "JobChanged: a job of a run that has given up on it is stopped",
    ]
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
    assert log(world) == [
        ACCEPTED,
        LAUNCHED,
        "JobChanged: churn-relay-01 was created but is not found yet",
        "Due: SageMaker has no job churn-relay-01: it is created",
        LAUNCHED,
    ]


def test_a_wait_for_room() -> None:
    world = submitted((Refusal.QUOTA_FULL, "Full."))
    world.advance(RoomFreed())
    assert log(world) == [
        ACCEPTED,
        "Refused: churn-relay-01 can't be created for now (QuotaFull): Full. It waits for room in ml.m5.xlarge/spot.",
        "RoomFreed: there may be room in ml.m5.xlarge/spot: the launch is tried again",
        LAUNCHED,
    ]


@pytest.mark.parametrize(
    ("status", "secondary", "failure", "told"),
    [
        ("Stopped", "Stopped", None, "churn-relay-01 was stopped by someone else"),
        ("Failed", "Failed", "AlgorithmError: exit 1", "churn-relay-01: the training failed (AlgorithmError: exit 1)"),
        ("Failed", "Failed", "Odd", "churn-relay-01 failed in a way Spot Relay does not know: Odd"),
        (
            "Stopped",
            "MaxRuntimeExceeded",
            None,
            "churn-relay-01: MaxRuntimeInSeconds was exceeded; raise it, or set policy.relaunch_on_max_runtime to "
            "true, and submit the spec under another name",
        ),
    ],
)
def test_an_end_that_is_final(status: str, secondary: str, failure: str | None, told: str) -> None:
    world = submitted()
    world.tell(1, status, secondary, failure_reason=failure)
    assert log(world) == [ACCEPTED, LAUNCHED, f"JobChanged: {told}"]
    assert world.run().reason == told


def test_a_job_that_ran_for_all_its_time_and_kept_nothing() -> None:
    world = World()
    world.service.submit(submission(Policy(relaunch_on_max_runtime=True)))
    world.trains(1)
    world.tell(1, "Stopped", "MaxRuntimeExceeded", training_seconds=600)
    assert log(world)[-1] == (
        "JobChanged: churn-relay-01: MaxRuntimeInSeconds was exceeded; the attempt left no checkpoint newer than its "
        "beginning, so another would end the same way"
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
    assert log(world) == [
        "JobChanged: the event speaks of a job that is not this run's: churn-relay-01",
        "Due: stopped by request before a job was created",
    ]
    assert world.run().status is RunStatus.STOPPED
