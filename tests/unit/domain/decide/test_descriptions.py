"""What a description shows of a job is taken over: whole, once, and with what events had told before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.decide.decision import decide
from spot_relay.domain.decide.descriptions import follow_description
from spot_relay.domain.decide.ends import follow_outcome, wait_for_listing
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.decide.steps import (
    Decision,
    close_uncreated,
    describe_giving_up,
    finish,
    finish_stopped,
    launch_again,
)
from spot_relay.domain.rules.progress import count_progress
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.launch import launch_of_attempt
from spot_relay.domain.run.observation import Due, JobChanged, Overtaken
from spot_relay.domain.run.outbox import Measure, Outbox, Room
from spot_relay.domain.run.policy import Spent
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Absent, Checkpoint, Job, Market, Placement, Transition
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.fakes import NOON
from tests.unit.worlds import World, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

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


NOW = NOON + timedelta(hours=1)
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
NAME = "churn-relay-01"
SPOT, ON_DEMAND = Placement("ml.m5.xlarge", 1, Market.SPOT), Placement("ml.m5.xlarge", 1, Market.ON_DEMAND)
TELLS = Outbox(status=True)
ROOM = (Room(SPOT.pool, NAME),)
EVENT = JobChanged(1, "Stopped", "Stopped", NOW - MINUTE)
FOUND = Checkpoint("churn/checkpoints/a", NOON + 30 * MINUTE, 9)
WAITED = Transition("Starting", NOON + MINUTE, NOON + 3 * MINUTE, "Preparing")
TRAINED = Transition("Training", NOON + 3 * MINUTE, None, "In progress")


def a_run(attempt: dict[str, Any] | None = None, **changes: Any) -> Run:
    """A run that owes nothing, with its first attempt in some state."""
    run = replace(accept(submission(), "one", NOON), outbox=Outbox(), spent=Spent(refusals=2))
    return replace(run.with_attempt(replace(run.current, **attempt or {})), **changes)


def a_job(status: str = "InProgress", secondary_status: str = "Training", **changes: Any) -> Job:
    """A job that waited for two minutes and trains."""
    job = Job(NAME, ARN, status, secondary_status, NOON + MINUTE, NOW - MINUTE, SPOT)
    return replace(job, training_started_at=NOON + 3 * MINUTE, transitions=(WAITED, TRAINED), **changes)


def followed(run: Run, job: Any, observation: Any = EVENT, **facts: Any) -> Decision:
    return follow_description(run, run.current, Facts(observation, job, **facts), NOW)


def measured(name: str, value: float = 1, market: Market = Market.SPOT) -> Measure:
    return Measure(name, value, market, "ml.m5.xlarge")


# What was known of an attempt before its job was described.
LIVES: dict[str, Any] = {"status": AttemptStatus.IN_PROGRESS, "launched_at": NOON, "heard_at": NOON}
PLANNED: dict[str, Any] = {
    "refusals": 2,
    "gives_up": True,
    "waits_for_room": True,
    "waits_for_any_room": True,
    "waiting_since": NOON,
    "unsaved_since": NOON,
}
# What its job's description shows.
SHOWN: dict[str, Any] = {
    "arn": ARN,
    "phase": "Training",
    "created_at": NOON + MINUTE,
    "training_started_at": NOON + 3 * MINUTE,
    "transitions": (WAITED, TRAINED),
    "status_message": "In progress",
    "gives_up": False,
    "waits_for_room": False,
    "waits_for_any_room": False,
    "waiting_since": None,
}


def test_a_planned_attempt_whose_job_lives_is_known_as_launched_with_all_that_is_described() -> None:
    run = a_run(PLANNED)
    after = replace(
        run.current, **SHOWN, status=AttemptStatus.IN_PROGRESS, launched_at=NOW, heard_at=NOW - MINUTE, interruptions=0
    )
    expected = replace(
        run.with_attempt(after),
        spent=Spent(),
        status=RunStatus.IN_PROGRESS,
        reason="churn-relay-01 is Training.",
        updated_at=NOW,
        check_at=NOW + 5 * MINUTE,
    )
    owes = Outbox(status=True, measures=(measured("AttemptsLaunched"),))
    assert followed(run, a_job(), Due()) == Decision(expected, owes, "churn-relay-01 is Training.")


def test_a_live_job_that_runs_on_demand_after_all_is_moved_there_and_counted() -> None:
    run = a_run(LIVES)
    decision = followed(run, a_job(placement=ON_DEMAND), Due())
    assert decision.run.current.placement == ON_DEMAND
    assert decision.owes == Outbox(status=True, measures=(measured("SpotBilledAsOnDemand"),))
    assert decision.run.spent == run.spent, "only a launch that succeeds takes the refusals back"


INTERRUPTED = (
    Transition("Training", NOON + 3 * MINUTE, NOON + 9 * MINUTE),
    Transition("Interrupted", NOON + 9 * MINUTE, None, "Waiting"),
)


@pytest.mark.parametrize(
    ("known", "counted", "owed", "reason"),
    [
        (0, 1, (measured("Interruptions"),), "was interrupted. SageMaker resumes it when spot capacity returns."),
        (1, 1, (), "is Interrupted."),
        # The oldest transitions may be missing.
        (3, 3, (), "is Interrupted."),
    ],
)
def test_interruptions_that_were_not_told_are_counted_and_told(
    known: int, counted: int, owed: tuple[Measure, ...], reason: str
) -> None:
    run = a_run({**LIVES, "interruptions": known})
    job = a_job("InProgress", "Interrupted")
    decision = followed(run, replace(job, transitions=INTERRUPTED), Due())
    attempt = decision.run.current
    assert (attempt.interruptions, attempt.waiting_since) == (counted, NOON + 9 * MINUTE)
    assert decision.owes.measures == owed
    assert decision.reason == f"churn-relay-01 {reason}"


def test_an_interruption_that_is_over_is_counted_and_the_job_is_what_it_is_by_now() -> None:
    job = replace(a_job(), transitions=(*INTERRUPTED, TRAINED._replace(started_at=NOON + 10 * MINUTE)))
    decision = followed(a_run(LIVES), job, Due())
    assert decision.run.current.interruptions == 1
    assert decision.reason == "churn-relay-01 is Training."


def test_a_job_without_transitions_has_no_message_and_waits_since_it_was_created() -> None:
    job = replace(a_job("InProgress", "Starting"), transitions=(), training_started_at=None)
    attempt = followed(a_run(LIVES), job, Due()).run.current
    assert (attempt.status_message, attempt.transitions, attempt.waiting_since) == (None, (), NOON + MINUTE)


def heard(status: str, secondary_status: str, at: timedelta = -2 * MINUTE) -> JobChanged:
    return JobChanged(1, status, secondary_status, NOW + at)


@pytest.mark.parametrize(
    ("attempt", "changes", "observation", "job", "seconds"),
    [
        (LIVES, {}, Due(), a_job(), 300),
        (LIVES, {}, heard("InProgress", "Training"), a_job(), 300),
        # The description does not show yet what an event has claimed.
        (LIVES, {}, heard("Stopped", "Stopped"), a_job(), 30),
        (LIVES, {}, heard("InProgress", "Interrupted"), a_job(), 30),
        (LIVES, {}, heard("InProgress", "Interrupted"), replace(a_job(), transitions=INTERRUPTED), 300),
        (LIVES, {"stop_requested": True}, Due(), a_job(), 30),
        ({**LIVES, "switch_to": Market.ON_DEMAND}, {}, Due(), a_job("Stopping", "Stopping"), 30),
    ],
)
def test_a_live_job_is_looked_at_soon_if_its_description_is_about_to_change(
    attempt: dict[str, Any], changes: dict[str, Any], observation: Any, job: Job, seconds: int
) -> None:
    assert followed(a_run(attempt, **changes), job, observation).run.check_at == NOW + seconds * SECOND


@pytest.mark.parametrize(
    ("known", "observation", "modified", "newest"),
    [
        (None, Due(), NOON, NOON),
        (NOON + MINUTE, Due(), NOON, NOON + MINUTE),
        (NOON, Due(), NOON + MINUTE, NOON + MINUTE),
        (NOON, replace(EVENT, at=NOON + 2 * MINUTE), NOON + MINUTE, NOON + 2 * MINUTE),
        (None, replace(EVENT, at=NOON + 2 * MINUTE), NOON + MINUTE, NOON + 2 * MINUTE),
        (NOON + 3 * MINUTE, replace(EVENT, at=NOON + 2 * MINUTE), NOON + MINUTE, NOON + 3 * MINUTE),
    ],
)
def test_the_newest_news_of_a_job_is_the_event_or_the_description_or_what_was_known(
    known: Any, observation: Any, modified: Any, newest: Any
) -> None:
    run = a_run({**LIVES, "heard_at": known})
    assert followed(run, a_job(modified_at=modified), observation).run.current.heard_at == newest


@pytest.mark.parametrize(
    ("job", "owes", "reason"),
    [
        (a_job(), Outbox(stop=NAME, status=True), "churn-relay-01 is Training. Stopping it as requested."),
        (a_job("Stopping", "Stopping"), TELLS, "churn-relay-01 is Stopping."),
    ],
)
def test_a_live_job_of_a_run_that_is_to_be_stopped_is_stopped_unless_it_is_stopping(
    job: Job, owes: Outbox, reason: str
) -> None:
    decision = followed(a_run(LIVES, stop_requested=True), job, Due())
    assert (decision.owes, decision.reason, decision.run.reason) == (owes, reason, reason)
    assert decision.run.status is RunStatus.STOPPING


def test_a_switch_that_a_job_ignores_is_asked_for_again_and_says_so() -> None:
    run = a_run({**LIVES, "switch_to": Market.SPOT, "placement": ON_DEMAND})
    decision = followed(run, a_job(placement=ON_DEMAND), Due())
    assert decision.owes == Outbox(stop=NAME, status=True)
    assert decision.reason == "churn-relay-01 is still Training. Asking SageMaker again to stop it."


UNLISTED = "S3 denies the listing of its checkpoints."


def test_checkpoints_that_cannot_be_listed_leave_the_progress_as_it_is_and_are_told() -> None:
    known = {"checkpoint": FOUND, "ignored_objects": 3}
    run = a_run({**LIVES, **known}, progress_seconds=60.0)
    job = a_job()
    decision = followed(run, job, Due(), unlisted=UNLISTED, checkpoint=replace(FOUND, key="b"))
    attempt = decision.run.current
    assert (attempt.checkpoint, attempt.ignored_objects, decision.run.progress_seconds) == (FOUND, 3, 60.0)
    assert (attempt.phase, decision.reason) == ("Training", f"churn-relay-01 is Training. {UNLISTED}")


@pytest.mark.parametrize(
    ("facts", "known"),
    [
        ({}, (replace(FOUND, key="old"), 3)),
        ({"checkpoint": FOUND}, (FOUND, None)),
        ({"checkpoint": FOUND, "ignored_objects": 4}, (FOUND, 4)),
        ({"ignored_objects": 4}, (None, 4)),
        ({"ignored_objects": 0}, (None, 0)),
    ],
)
def test_what_was_found_of_the_checkpoints_replaces_what_was_known_if_they_were_listed(
    facts: dict[str, Any], known: tuple[Any, ...]
) -> None:
    run = a_run({**LIVES, "checkpoint": replace(FOUND, key="old"), "ignored_objects": 3})
    attempt = followed(run, a_job(), Due(), **facts).run.current
    assert (attempt.checkpoint, attempt.ignored_objects) == known


def test_the_training_up_to_the_newest_checkpoint_is_counted() -> None:
    run = followed(a_run(LIVES), a_job(), Due(), checkpoint=FOUND).run
    assert run.progress_seconds == 27 * 60
    assert run.current.counted_until == FOUND.last_modified


DONE: dict[str, Any] = {"ended_at": NOW - MINUTE, "training_seconds": 3360, "billable_seconds": 1100}


def test_an_ended_job_is_known_whole_and_its_run_goes_on_by_the_table_of_ends() -> None:
    run = a_run(PLANNED)
    job = a_job("Completed", "Completed", **DONE, model_artifacts="s3://models/model.tar.gz")
    over = (WAITED, TRAINED._replace(ended_at=NOW - MINUTE))
    job = replace(job, transitions=over)
    after = replace(
        run.current,
        **{**SHOWN, "transitions": over, "phase": "Completed"},
        **DONE,
        status=AttemptStatus.ENDED,
        outcome=Outcome.COMPLETED,
        launched_at=NOON + MINUTE,
        interruptions=0,
        waited_seconds=120,
        model_artifacts="s3://models/model.tar.gz",
        unsaved_since=None,
    )
    facts = Facts(EVENT, job)
    counted = count_progress(replace(run, spent=Spent()), after, job, None, NOW)
    measures = (
        measured("AttemptsLaunched"),
        measured("TrainingSeconds", 3360),
        measured("BillableSeconds", 1100),
        measured("CapacityWaitSeconds", 120),
    )
    expected = follow_outcome(counted, Outcome.COMPLETED, facts, NOW, Outbox(freed=ROOM, measures=measures))
    assert follow_description(run, run.current, facts, NOW) == expected


def test_the_end_of_a_job_that_nothing_had_told_of_since_its_launch_is_told_whole() -> None:
    run = a_run({**LIVES, "interruptions": 1})
    twice = (*INTERRUPTED, WAITED, *INTERRUPTED)
    job = a_job("Failed", "Failed", ended_at=NOW - MINUTE, placement=ON_DEMAND, failure_reason="Odd: very-secret")
    decision = followed(run, replace(job, transitions=twice, model_artifacts="s3://a"))
    attempt = decision.run.attempts[0]
    assert (attempt.interruptions, attempt.placement, attempt.launched_at) == (2, ON_DEMAND, NOON)
    assert (attempt.outcome, attempt.failure_reason) == (Outcome.UNKNOWN_FAILURE, "Odd: [hidden]")
    assert (attempt.model_artifacts, attempt.status_message) == (None, "Waiting")
    assert decision.owes.freed == (Room(ON_DEMAND.pool, NAME),)
    assert decision.owes.measures[:2] == (measured("SpotBilledAsOnDemand"), measured("Interruptions"))
    assert decision.run.spent == run.spent


def test_a_job_that_ended_without_transitions_keeps_the_interruptions_that_events_have_told() -> None:
    job = replace(a_job("Stopped", "Stopped"), transitions=())
    attempt = followed(a_run({**LIVES, "interruptions": 2}), job).run.attempts[0]
    assert (attempt.interruptions, attempt.transitions, attempt.status_message) == (2, (), None)


def test_an_end_is_left_open_until_the_checkpoints_can_be_listed_unless_the_run_is_to_be_stopped() -> None:
    run, job = a_run(LIVES), a_job("Stopped", "MaxWaitTimeExceeded")
    facts = Facts(EVENT, job, unlisted=UNLISTED)
    reason = f"churn-relay-01 is MaxWaitTimeExceeded. {UNLISTED}"
    assert followed(run, job, unlisted=UNLISTED) == wait_for_listing(run, reason, facts, NOW)
    stopped = followed(replace(run, stop_requested=True), job, unlisted=UNLISTED).run
    assert (stopped.status, stopped.current.outcome) == (RunStatus.STOPPED, Outcome.MAX_WAIT_TIME_EXCEEDED)


def test_the_newest_forty_transitions_are_stored_clean_short_and_without_secrets() -> None:
    first = Transition("x" * 99, NOON, NOON + SECOND, f"It is very-secret{'y' * 500}")
    others = tuple(Transition("Training", NOON + number * MINUTE, None, None) for number in range(39))
    oldest = (Transition("Starting", NOON),) * 5
    job = replace(a_job(), transitions=(*oldest, first, *others))
    attempt = followed(a_run(LIVES), job, Due()).run.current
    shown = Transition(f"{'x' * 61}…", NOON, NOON + SECOND, f"It is [hidden]{'y' * (256 - 14 - 3)}…")
    assert attempt.transitions == (shown, *others)
    assert attempt.status_message is None


@pytest.mark.parametrize(
    ("error", "known", "reason", "owes"),
    [
        (None, "", "could not describe churn-relay-01 just now. Checking again within a minute.", Outbox()),
        (
            "AccessDenied with very-secret",
            "",
            "could not describe churn-relay-01 just now: AccessDenied with [hidden]. Checking again within a minute.",
            TELLS,
        ),
        (
            "AccessDenied.",
            "SageMaker could not describe churn-relay-01 just now: AccessDenied. Checking again within a minute.",
            "could not describe churn-relay-01 just now: AccessDenied. Checking again within a minute.",
            Outbox(),
        ),
    ],
    ids=["one that passes", "one that may not", "known"],
)
def test_why_a_job_cannot_be_described_is_told_once(error: str | None, known: str, reason: str, owes: Outbox) -> None:
    run = a_run(LIVES, reason=known)
    expected = replace(run, updated_at=NOW, reason=f"SageMaker {reason}", check_at=NOW + 37.5 * SECOND)
    assert followed(run, None, undescribed=error, draw=0.25) == Decision(expected, owes, f"SageMaker {reason}")


NOT_YET = "SageMaker created churn-relay-01 but cannot find it yet. Checking again in 30 s."
FOREIGN = "The event is about a training job named churn-relay-01 that does not belong to this run."


def test_a_job_is_waited_for_until_it_must_be_visible_and_then_launched() -> None:
    early, late = (a_run({**LIVES, "launched_at": NOW - after}) for after in (299 * SECOND, 300 * SECOND))
    soon = replace(early, updated_at=NOW, reason=NOT_YET, check_at=NOW + 30 * SECOND)
    assert followed(early, Absent()) == Decision(soon, TELLS, NOT_YET)
    reason = "SageMaker has no training job churn-relay-01. Launching it."
    assert followed(late, Absent()) == launch_again(late, late.current, NOW, reason)
    never = a_run()
    assert followed(never, Absent()) == launch_again(never, never.current, NOW, reason)


def test_a_job_that_is_not_there_is_stopped_by_ending_the_run_once_it_must_have_been_visible() -> None:
    run = a_run({"gives_up": True, "failure_reason": "Rate exceeded"}, stop_requested=True)
    assert followed(run, Absent()) == Decision(run, Outbox(), FOREIGN)
    never = run.with_attempt(close_uncreated(run.current, NOW, "Rate exceeded"))
    expected = finish_stopped(never, NOW, Outbox(freed=ROOM), " No training job was created.")
    assert followed(run, Absent(), Due()) == expected


@pytest.mark.parametrize("observation", [Due(), EVENT])
def test_a_launch_that_is_given_up_ends_the_run_once_its_job_is_known_not_to_exist(observation: Any) -> None:
    run = a_run({"gives_up": True, "failure_reason": "Rate exceeded"})
    never = run.with_attempt(close_uncreated(run.current, NOW, "Rate exceeded"))
    why = describe_giving_up(run, run.current)
    assert followed(run, Absent(), observation) == finish(never, RunStatus.FAILED, NOW, why, Outbox(freed=ROOM))
