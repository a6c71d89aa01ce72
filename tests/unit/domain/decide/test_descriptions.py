"""What a description shows of a job is taken over: whole, once, and with what events had told before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from spot_relay.domain.decide.decision import decide
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.launch import launch_of_attempt
from spot_relay.domain.run.observation import Due, JobChanged, Overtaken
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Job
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.fakes import NOON
from tests.unit.worlds import World, submission

ARN = "arn:aws:sagemaker:us-east-1:111122223333:training-job/churn-relay-01"
LOST = (Refusal.UNAVAILABLE, "SageMaker did not answer.")


def unanswered() -> World:
    """A service whose first launch got no answer, and whose job exists all the same, a second later."""
    world = World()
    world.jobs.refusals = [LOST]
    run = world.service.submit(submission())
    world.clock.passes(1)
    world.jobs.create(launch_of_attempt(run, run.current))
    return world


def test_a_job_that_is_found_by_its_event_is_known_as_if_its_launch_had_been_answered() -> None:
    world = unanswered()
    world.clock.passes(60)
    run = world.tell(1, "InProgress", "Training", training_started_at=world.clock())
    attempt = run.current
    assert (run.status, attempt.status) == (RunStatus.IN_PROGRESS, AttemptStatus.IN_PROGRESS)
    assert (attempt.arn, attempt.phase) == (ARN, "Training")
    assert attempt.created_at == NOON + timedelta(seconds=1)
    assert attempt.launched_at == attempt.training_started_at == attempt.heard_at == world.clock()
    assert attempt.waiting_since is None
    assert world.telemetry.total("AttemptsLaunched") == 1


@pytest.mark.parametrize("by", ["an answer", "an event"])
def test_a_run_whose_launch_is_known_waits_for_room_no_more(by: str) -> None:
    world = World()
    full = (Refusal.QUOTA_FULL, "Full.")
    world.jobs.refusals = [full] if by == "an answer" else [full, LOST]
    run = world.service.submit(submission())
    assert run.current.waits_for_room
    run = world.passes(60)
    if by == "an event":
        assert run.current.waits_for_room
        world.jobs.create(launch_of_attempt(run, run.current))
        run = world.tell(1, "InProgress", "Pending")
    assert (run.current.status, run.current.waits_for_room) == (AttemptStatus.IN_PROGRESS, False)


def test_a_job_that_is_found_to_have_ended_is_known_as_if_all_had_been_told() -> None:
    world = unanswered()
    world.clock.passes(60)
    world.jobs.becomes("churn-relay-01", "InProgress", "Training", training_started_at=world.clock())
    world.clock.passes(600)
    run = world.tell(1, "Completed", "Completed", training_seconds=600, billable_seconds=200)
    attempt = run.current
    assert (run.status, attempt.status) == (RunStatus.COMPLETED, AttemptStatus.ENDED)
    assert (attempt.arn, attempt.phase, attempt.outcome) == (ARN, "Completed", "Completed")
    created = NOON + timedelta(seconds=1)
    assert (attempt.launched_at, attempt.created_at) == (created, created)
    assert (attempt.training_started_at, attempt.ended_at) == (NOON + timedelta(seconds=61), world.clock())
    assert (attempt.training_seconds, attempt.billable_seconds, attempt.waited_seconds) == (600, 200, 60)
    assert world.telemetry.total("AttemptsLaunched") == 1


def test_an_end_without_a_time_was_when_the_job_was_last_changed() -> None:
    world = World()
    world.service.submit(submission())
    world.clock.passes(60)
    world.jobs.becomes("churn-relay-01", "Stopped", "MaxWaitTimeExceeded", ended_at=None)
    world.clock.passes(600)
    run = world.advance(world.event(1, "Stopped", "MaxWaitTimeExceeded"))
    assert run.attempts[0].ended_at == NOON + timedelta(seconds=60)
    assert run.attempts[0].waited_seconds == 60


def test_an_attempt_that_waited_for_room_or_capacity_waits_for_neither_when_it_has_ended() -> None:
    world = World()
    world.service.submit(submission())
    waits = replace(world.run().current, waits_for_room=True)
    world.store.runs["churn"] = world.run().with_attempt(waits)
    world.clock.passes(60)
    assert world.tell(1, "InProgress", "Starting").current.waiting_since is not None
    attempt = world.tell(1, "Completed", "Completed").current
    assert (attempt.waits_for_room, attempt.waiting_since) == (False, None)


def test_a_launch_is_known_from_its_answer_and_stays_so_when_the_job_is_described() -> None:
    world = World()
    run = world.service.submit(submission())
    assert (run.current.arn, run.current.launched_at, run.current.waiting_since) == (ARN, NOON, NOON)
    run = world.passes(300)
    assert (run.current.launched_at, run.current.phase) == (NOON, "Starting")
    assert run.current.waiting_since == NOON


def test_a_launch_that_got_no_answer_before_and_is_answered_now_is_looked_at_soon() -> None:
    world = World()
    world.jobs.refusals = [LOST]
    world.service.submit(submission())
    world.passes(60)
    run = world.run()
    assert (run.current.status, run.current.refusals, run.current.waits_for_room) == (
        AttemptStatus.IN_PROGRESS,
        0,
        False,
    )
    assert run.check_at == world.clock() + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("status", "secondary_status"), [("InProgress", "Starting"), ("Completed", "Completed")], ids=["lives", "ended"]
)
def test_a_relaunch_that_is_found_by_looking_is_measured_from_the_end_before_it(
    status: str, secondary_status: str
) -> None:
    world = World()
    world.service.submit(submission())
    world.jobs.refusals = [LOST]
    run = world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    world.jobs.create(launch_of_attempt(run, run.current))
    world.clock.passes(20)
    world.tell(2, status, secondary_status)
    assert world.telemetry.total("EventToRelaunchSeconds") == 20


@pytest.mark.parametrize("told", [0, 1, 2])
def test_the_interruptions_of_a_job_are_counted_once_however_many_of_them_were_told(told: int) -> None:
    world = World()
    world.service.submit(submission())
    world.trains(1)
    for number in range(2):
        world.clock.passes(60)
        world.jobs.becomes("churn-relay-01", "InProgress", "Interrupted")
        if number < told:
            world.advance(world.event(1, "InProgress", "Interrupted"))
        world.clock.passes(60)
        world.jobs.becomes("churn-relay-01", "InProgress", "Training")
        if number < told:
            world.advance(world.event(1, "InProgress", "Training"))
    run = world.tell(1, "Completed", "Completed", training_seconds=600)
    assert run.current.interruptions == 2
    assert world.telemetry.total("Interruptions") == 2
    assert sum(measure.name == "Interruptions" for measure in world.telemetry.measures) == told + (told < 2)


def test_a_job_waits_since_the_first_news_of_it_until_the_news_that_it_does_not() -> None:
    world = World()
    world.service.submit(submission())
    world.trains(1)
    assert world.run().current.waiting_since is None
    since = world.clock()
    assert world.tell(1, "InProgress", "Interrupted").current.waiting_since == since
    world.clock.passes(10)
    assert world.tell(1, "InProgress", "Starting").current.waiting_since == since
    world.clock.passes(10)
    assert world.tell(1, "InProgress", "Downloading").current.waiting_since is None


def test_an_event_of_before_the_description_is_late_and_one_of_after_it_is_news() -> None:
    world = World()
    world.service.submit(submission())
    world.clock.passes(60)
    world.jobs.becomes("churn-relay-01", "InProgress", "Training")
    modified = world.clock()
    run = world.passes(600)
    assert run.current.heard_at == modified
    late = JobChanged(1, "InProgress", "Starting", modified)
    assert world.advance(late) == run
    news = JobChanged(1, "InProgress", "Uploading", modified + timedelta(seconds=1))
    assert world.advance(news).current.phase == "Uploading"


@pytest.mark.parametrize("lag", [-30, 30])
def test_an_event_that_claims_an_end_is_heard_and_so_is_what_was_described_for_it(lag: int) -> None:
    world = World()
    run = world.service.submit(submission())
    event = JobChanged(1, "Stopped", "Stopped", NOON + timedelta(seconds=60))
    job = replace(world.jobs.jobs["churn-relay-01"], modified_at=event.at + timedelta(seconds=lag))
    run = run.with_attempt(replace(run.current, heard_at=NOON))
    after = decide(run, Facts(event, job), NOON + timedelta(seconds=120)).run
    assert after.current.heard_at == max(event.at, job.modified_at)
    older = decide(after, Facts(Due(), replace(job, modified_at=NOON)), NOON + timedelta(hours=1)).run
    assert older.current.heard_at == after.current.heard_at, "what was heard stays heard"


@pytest.mark.parametrize(("draw", "seconds"), [(0.0, 30), (0.5, 45)])
@pytest.mark.parametrize("seen", [Due(), JobChanged(1, "Stopped", "Stopped", NOON + timedelta(seconds=60))])
def test_a_job_that_was_not_described_is_looked_at_again_soon(
    seen: Due | JobChanged, draw: float, seconds: float
) -> None:
    world = World()
    run = world.service.submit(submission())
    now = NOON + timedelta(seconds=400)
    decision = decide(run, Facts(seen, job=None, draw=draw), now)
    assert (decision.run.check_at, decision.run.updated_at) == (now + timedelta(seconds=seconds), now)
    assert decision.run.attempts == run.attempts
    assert decision.owes == Outbox(), "its status document would show nothing new"


def test_a_state_that_another_writer_has_published_is_published_once_more() -> None:
    world = World()
    run = world.service.submit(submission())
    decision = decide(run, Facts(Overtaken()), NOON)
    assert decision.run is run
    assert decision.owes == Outbox(status=True)


def test_while_a_run_is_stopped_its_news_are_followed_by_a_look_within_half_a_minute() -> None:
    world = World()
    world.service.submit(submission())
    run = replace(world.run(), stop_requested=True, check_at=NOON + timedelta(hours=1))
    now = NOON + timedelta(seconds=60)
    job = Job("churn-relay-01", ARN, "Stopping", "Stopping", NOON, now, world.run().current.placement)
    heard = decide(run, Facts(JobChanged(1, "Stopping", "Stopping", now), job), now).run
    assert heard.check_at == now + timedelta(seconds=30)


def test_a_time_that_goes_on_waiting_is_counted_up_to_now_and_an_ended_ones_up_to_its_end() -> None:
    world = World()
    world.service.submit(submission())
    job = world.jobs.jobs["churn-relay-01"]
    assert job.seconds_waited(NOON + timedelta(seconds=90)) == 90
    ended = replace(job, status="Stopped", modified_at=NOON + timedelta(seconds=60))
    assert ended.seconds_waited(NOON + timedelta(seconds=90)) == 60
    assert replace(ended, ended_at=NOON + timedelta(seconds=50)).seconds_waited(NOON + timedelta(seconds=90)) == 50
    assert job.seconds_waited(NOON - timedelta(seconds=5)) == 0, "the clock of a function may be behind"
