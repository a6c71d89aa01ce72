"""The decision itself: what follows each observation in each state of a run, whole, with what is owed and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.decide.decision import decide, reason_after, settle
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.decide.steps import Decision
from spot_relay.domain.run.attempt import Attempt, AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.checkpoint_copy import CheckpointCopy, CopyPaused
from spot_relay.domain.run.hosting import HostingKind, HostingStatus, HostingStep, HostingTask, Made
from spot_relay.domain.run.observation import (
    CheckpointsCopied,
    DataArrived,
    DeadlineRequested,
    Due,
    EndpointChanged,
    FollowersTold,
    HostingAnswered,
    JobChanged,
    Launched,
    MoveRequested,
    Observation,
    Overgrown,
    Overtaken,
    PredecessorEnded,
    Refused,
    ResumeRequested,
    RoomFreed,
    StopRefused,
    StopRequested,
    TaskGone,
    TaskWaiting,
)
from spot_relay.domain.run.outbox import Measure, Outbox, Room
from spot_relay.domain.run.run import Explanation, Run, RunStatus
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Absent, Checkpoint, Job, Market, Placement, Transition
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.fakes import NOON
from tests.unit.worlds import deadline, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.policy import Policy

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
LATER = NOON + HOUR
JOB, ARN = "churn-relay-01", "arn:churn"
SPOT = Placement("ml.m5.xlarge", 1, Market.SPOT)
TRAINS = Job(JOB, ARN, "InProgress", "Training", NOON, NOON, SPOT, transitions=(Transition("Training", NOON),))
LATE = Measure("LateOrDuplicateEvents", 1, Market.SPOT, "ml.m5.xlarge")
INTERRUPTED = Measure("Interruptions", 1, Market.SPOT, "ml.m5.xlarge")
LAST = "The run has ended, so nothing is due."


def planned(policy: Policy | None = None, start: Start | None = None, **changes: Any) -> Run:
    """A run that was submitted at noon and has its first launch to come."""
    spec = replace(submission(policy, **changes), start=start or Start())
    return replace(accept(spec, "one", NOON, notify=()), outbox=Outbox(), check_at=NOON + 2 * HOUR, news=0)


def lives(policy: Policy | None = None, job: dict[str, Any] | None = None, **attempt: Any) -> Run:
    """The same once its first job trains."""
    known: dict[str, Any] = {"launched_at": NOON, "heard_at": NOON, "phase": "Training"}
    return replace(
        with_attempt(planned(policy, **job or {}), AttemptStatus.IN_PROGRESS, **known | attempt),
        status=RunStatus.IN_PROGRESS,
    )


def with_attempt(run: Run, status: AttemptStatus, **changes: Any) -> Run:
    return run.with_attempt(replace(run.current, status=status, **changes))


def event(secondary: str, status: str = "InProgress", attempt: int = 1, after: timedelta = HOUR) -> JobChanged:
    return JobChanged(attempt, status, secondary, NOON + after)


def untold(decision: Decision) -> Decision:
    """A decision without its news, which have tests of their own."""
    return replace(decision, run=replace(decision.run, news=0), owes=replace(decision.owes, news=()))


def decided(run: Run, observation: Observation, **facts: Any) -> Decision:
    return untold(decide(run, Facts(observation, **facts), LATER))


def ignored(run: Run, reason: str, owes: Outbox | None = None) -> Decision:
    return Decision(run, owes or Outbox(), reason)


def changed(run: Run, observation: Observation, reason: str, owes: Outbox, **changes: Any) -> Decision:
    """A decision that changes the run, which keeps the reason."""
    decisions = (*run.decisions, Explanation(LATER, type(observation).__name__, reason))
    return Decision(replace(run, updated_at=LATER, reason=reason, decisions=decisions, **changes), owes, reason)


def launches(run: Run, observation: Observation, reason: str, attempt: Attempt | None = None, **owes: Any) -> Decision:
    """The launch of the newest attempt is owed again."""
    again = run.with_attempt(replace(attempt or run.current, status=AttemptStatus.PLANNED))
    state: dict[str, Any] = {"status": RunStatus.PENDING, "check_at": LATER + 90 * SECOND}
    return changed(again, observation, reason, Outbox(launch=1, **owes), **state)


def test_what_changes_nothing_leaves_the_same_run_and_is_explained_nowhere() -> None:
    run = lives(deadline(1800))
    decision = decide(run, Facts(Due()), LATER)
    assert decision == ignored(run, "The run is not due yet.")
    assert decision.run is run


def test_news_and_explanations_come_with_every_change() -> None:
    run = lives()
    decision = decide(run, Facts(event("Uploading")), LATER)
    reason = f"{JOB} is Uploading."
    assert decision.run.decisions == (*run.decisions, Explanation(LATER, "JobChanged", reason))
    assert decision.run.news == 1
    [news] = decision.owes.news
    assert (news.number, news.state, news.before, news.at, news.reason) == (1, "Ending", "Training", LATER, reason)


def test_only_a_regular_check_measures_that_a_run_is_late() -> None:
    run = replace(lives(deadline(1800)), check_at=NOON)
    late = Measure("RunsPastDeadline", 1, Market.SPOT, "ml.m5.xlarge")
    checked = decided(run, Due(), job=replace(TRAINS, transitions=()))
    assert checked.owes == Outbox(status=True, measures=(late,))
    assert decided(run, event("Uploading")).owes == Outbox()


def test_a_checkpoint_is_noted_as_overdue_by_a_look_that_has_listed_them_and_found_none() -> None:
    run = replace(lives(transitions=TRAINS.transitions), check_at=NOON)
    now = NOON + 3 * HOUR
    for ignored_objects, since in ((None, None), (0, NOON), (7, NOON)):
        after = decide(run, Facts(Due(), TRAINS, ignored_objects=ignored_objects), now).run
        assert (after.current.unsaved_since, after.current.ignored_objects) == (since, ignored_objects)


def test_a_run_that_leaves_the_queue_for_room_lets_the_next_one_try() -> None:
    run = with_attempt(planned(), AttemptStatus.PLANNED, waits_for_room=True)
    launched = decided(run, Launched(1, ARN))
    freed = (Room(SPOT.pool),)
    assert (launched.owes.freed, launched.owes.status) == (freed, True)
    assert decided(run, StopRequested()).owes.freed == freed
    assert decided(run, RoomFreed()).owes.freed == ()
    assert decided(run, Refused(1, Refusal.QUOTA_FULL, "Full.")).owes.freed == ()


def test_texts_from_outside_are_stored_clean() -> None:
    run = decided(lives(), event("Down\x1b[31mloading\x00")).run
    assert run.current.phase == "Downloading"


def test_what_is_owed_is_settled_by_its_answers_and_leads_to_new_duties() -> None:
    full = Refused(1, Refusal.QUOTA_FULL, "Full.")
    gone = TaskGone("TaskTimedOut")
    run = replace(planned(), outbox=Outbox(launch=1, tasks=("a-token",)))
    assert settle(run, (), Facts(Due()), LATER) == replace(run, outbox=Outbox())
    first = decide(replace(run, outbox=Outbox()), Facts(full, draw=0.9), LATER)
    second = decide(first.run, Facts(gone, draw=0.9), LATER)
    settled = settle(run, (full, gone), Facts(Due(), draw=0.9), LATER)
    assert settled == replace(second.run, outbox=first.owes.then(second.owes))
    assert (settled.current.waits_for_room, settled.outbox.status) == (True, True)
    assert settle(run, (gone,), Facts(Due()), LATER).outbox == Outbox(status=True)


def test_a_run_whose_record_is_too_large_ends_once_the_copy_for_it_has_been_answered() -> None:
    copy = CheckpointCopy("s3://models/prep/")
    run = replace(
        planned(start=Start(after=("prep",), continue_from="prep", checkpoint=True)),
        completed=("prep",),
        copying=copy,
        outbox=Outbox(copy=True),
    )
    answers = (CheckpointsCopied(copy, CopyPaused(3, "3.pt")), Overgrown())
    assert settle(run, answers, Facts(Due()), LATER).status is RunStatus.FAILED
    assert decided(run, Overgrown()).run.status is RunStatus.STOPPING


def test_an_answer_is_logged_with_what_it_has_led_to() -> None:
    task = HostingTask(
        HostingKind.DEPLOY, HostingStep.LOOK, HostingStatus.IN_PROGRESS, "The endpoint is seen.", NOON, NOON, NOON
    )
    run = replace(lives(), reason="It goes on.", hosting=(task,))
    registered = HostingAnswered(HostingKind.REGISTER_MODEL, HostingStep.MODEL_PACKAGE, Made("arn"))
    deployed = HostingAnswered(HostingKind.DEPLOY, HostingStep.LOOK, Made("arn"))
    gone = "A task of Step Functions no longer waits for the end of the run: its token was refused (TaskTimedOut)."
    assert [reason_after(one, run) for one in (TaskGone("TaskTimedOut"), registered, deployed, Launched(1, ARN))] == [
        gone,
        "It goes on.",
        "The endpoint is seen.",
        "It goes on.",
    ]


def test_an_event_of_an_attempt_that_the_run_does_not_have_changes_nothing() -> None:
    run = lives()
    for number in (0, 2):
        assert decided(run, event("Training", attempt=number)) == ignored(run, f"The run has no attempt {number}.")


@pytest.mark.parametrize("changes", [{"status": RunStatus.STOPPED}, {}], ids=["of the run", "of the attempt"])
def test_an_event_that_comes_after_the_end_is_late(changes: dict[str, Any]) -> None:
    status = AttemptStatus.IN_PROGRESS if changes else AttemptStatus.ENDED
    run = replace(with_attempt(lives(), status, outcome=Outcome.STOPPED), **changes)
    reason = f"The event comes after the end of {JOB}."
    late = ignored(run, reason, Outbox(measures=(LATE,)))
    assert decided(run, event("Training"), job=TRAINS) == late
    assert decided(run, event("Stopped", "Stopped"), job=TRAINS) == late


def test_a_job_that_was_given_up_as_never_created_and_lives_is_stopped() -> None:
    run = with_attempt(lives(), AttemptStatus.ENDED, outcome=Outcome.NEVER_CREATED)
    stops = ignored(run, f"The run no longer needs {JOB}. Stopping it.", Outbox(stop=JOB))
    late = ignored(run, f"The event comes after the end of {JOB}.", Outbox(measures=(LATE,)))
    assert decided(run, event("Training"), job=TRAINS) == stops
    assert decided(run, event("Stopped", "Stopped"), job=TRAINS) == late
    for job in (None, Absent(), replace(TRAINS, status="Stopped")):
        assert decided(run, event("Training"), job=job) == late


def test_an_event_of_a_job_that_only_has_the_attempts_name_changes_nothing() -> None:
    run = planned()
    reason = f"The event is about a training job named {JOB} that does not belong to this run."
    assert decided(run, event("Training"), job=Absent()) == ignored(run, reason)
    assert decided(run, event("Training"), job=TRAINS).run.current.arn == ARN
    assert decided(run, event("Training")).reason == (
        f"SageMaker could not describe {JOB} just now. Checking again within a minute."
    )


def test_an_event_that_claims_an_end_is_followed_by_what_the_description_shows_even_if_it_is_old() -> None:
    run = lives()
    for after in (HOUR, -HOUR):
        claims = event("Stopped", "Stopped", after=after)
        assert decided(run, claims, job=TRAINS).run.check_at == LATER + 30 * SECOND
        ended = replace(TRAINS, status="Stopped", secondary_status="Stopped")
        assert decided(run, claims, job=ended).run.status is RunStatus.STOPPED


def test_an_event_that_is_no_newer_than_what_is_known_is_late() -> None:
    run = lives(heard_at=LATER)
    late = ignored(run, "The event is no newer than what is already known.", Outbox(measures=(LATE,)))
    assert decided(run, event("Uploading")) == late
    assert decided(run, event("Uploading", after=HOUR - SECOND)) == late
    assert decided(run, event("Uploading", after=HOUR + SECOND)).run.current.phase == "Uploading"
    assert decided(lives(heard_at=None), event("Uploading")).run.current.phase == "Uploading"


def test_an_interruption_that_the_deadline_leaves_no_time_to_wait_out_is_looked_at_at_once() -> None:
    run = replace(lives(deadline(3 * 3600)), check_at=NOON + 2 * HOUR)
    reason = f"SageMaker could not describe {JOB} just now. Checking again within a minute."
    assert decided(run, event("Interrupted")).reason == reason
    assert decided(run, event("Uploading")).reason == f"{JOB} is Uploading."
    assert decided(lives(deadline(9 * 3600)), event("Interrupted")).reason.startswith(f"{JOB} was interrupted.")


@pytest.mark.parametrize("secondary", ["Downloading", "Starting"])
def test_news_of_a_job_are_noted_and_looked_at_with_the_next_check(secondary: str) -> None:
    since = NOON + MINUTE
    run = lives(waiting_since=since, interruptions=2)
    seen = event(secondary)
    noted = replace(
        run.current, phase=secondary, heard_at=LATER, waiting_since=since if secondary == "Starting" else None
    )
    assert decided(run, seen, check_every=7 * MINUTE) == changed(
        run.with_attempt(noted), seen, f"{JOB} is {secondary}.", Outbox(), check_at=LATER + 7 * MINUTE
    )


@pytest.mark.parametrize(
    ("config", "every", "look"),
    [
        ({}, 5 * MINUTE, 30 * SECOND),
        ({}, 20 * SECOND, 20 * SECOND),
        ({"CheckpointConfig": None}, 5 * MINUTE, 5 * MINUTE),
    ],
    ids=["with checkpoints", "checked often", "without checkpoints"],
)
def test_an_interruption_is_counted_and_what_it_has_cost_is_looked_at_soon(
    config: dict[str, Any], every: timedelta, look: timedelta
) -> None:
    run, seen = lives(job=config, interruptions=2), event("Interrupted")
    noted = replace(run.current, phase="Interrupted", heard_at=LATER, waiting_since=LATER, interruptions=3)
    reason = f"{JOB} was interrupted. SageMaker resumes it when spot capacity returns."
    assert decided(run, seen, check_every=every) == changed(
        run.with_attempt(noted), seen, reason, Outbox(measures=(INTERRUPTED,)), check_at=LATER + look
    )


def test_an_interruption_that_is_told_twice_is_counted_once() -> None:
    run, seen = lives(phase="Interrupted", waiting_since=NOON, interruptions=1), event("Interrupted")
    noted = replace(run.current, heard_at=LATER)
    assert decided(run, seen) == changed(
        run.with_attempt(noted), seen, f"{JOB} is Interrupted.", Outbox(), check_at=LATER + 5 * MINUTE
    )


def test_no_event_delays_a_look_that_is_due_sooner() -> None:
    run = replace(lives(), check_at=LATER + SECOND)
    assert decided(run, event("Uploading")).run.check_at == LATER + SECOND
    assert decided(replace(run, check_at=None), event("Uploading")).run.check_at == LATER + 5 * MINUTE
    stopping = replace(lives(), stop_requested=True)
    assert decided(stopping, event("Uploading")).run.check_at == LATER + 30 * SECOND


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (replace(lives(), status=RunStatus.FAILED, check_at=NOON), LAST),
        (replace(lives(), check_at=LATER + SECOND), "The run is not due yet."),
    ],
    ids=["ended", "not due"],
)
def test_a_tick_that_finds_nothing_due_changes_nothing(run: Run, reason: str) -> None:
    assert decided(run, Due(), job=TRAINS) == ignored(run, reason)


def test_a_tick_goes_on_with_what_is_done_with_the_model_of_a_run_that_has_completed() -> None:
    task = HostingTask(HostingKind.DEPLOY, HostingStep.LOOK, HostingStatus.IN_PROGRESS, "It waits.", NOON, NOON, LATER)
    run = replace(lives(), status=RunStatus.COMPLETED, check_at=None, hosting=(task,))
    decision = decided(run, Due())
    assert decision.owes == Outbox(host=(HostingKind.DEPLOY,))
    assert decision.run.hosting == (replace(task, check_at=LATER + 90 * SECOND),)


def test_what_is_heard_of_an_endpoint_matters_to_a_run_that_deploys_to_it() -> None:
    answered = HostingAnswered(HostingKind.DEPLOY, HostingStep.FOLLOW, Made("arn"))
    for observation in (EndpointChanged(), answered):
        assert decided(lives(), observation) == ignored(lives(), "The run does nothing with its model.")
    task = HostingTask(HostingKind.DEPLOY, HostingStep.LOOK, HostingStatus.IN_PROGRESS, "It waits.", NOON, NOON, LATER)
    run = replace(lives(), status=RunStatus.COMPLETED, check_at=None, hosting=(task,))
    assert decided(run, EndpointChanged()).reason == "The endpoint has changed. Looking at it."
    assert decided(run, EndpointChanged()).run.updated_at == LATER
    assert decided(run, answered) == ignored(run, "The answer to Follow is no longer waited for.")
    made = replace(answered, step=HostingStep.MODEL)
    goes_on = replace(run, hosting=(replace(task, step=HostingStep.MODEL),))
    assert decided(goes_on, made).run.hosting[0].step is HostingStep.ENDPOINT_CONFIG
    assert decided(goes_on, made).run.updated_at == LATER


def due(run: Run) -> Run:
    return replace(run, check_at=LATER)


def test_a_tick_launches_again_what_was_not_answered() -> None:
    run = due(planned())
    assert decided(run, Due()) == launches(run, Due(), f"Trying to launch {JOB} again.")


def test_a_turn_that_has_passed_is_dropped_before_the_launch() -> None:
    run = due(with_attempt(planned(), AttemptStatus.PLANNED, turn_at=NOON))
    assert decided(run, Due()) == launches(
        run, Due(), f"Trying to launch {JOB} again.", replace(run.current, turn_at=None)
    )


def test_a_launch_that_waits_goes_on_demand_once_the_deadline_requires_that() -> None:
    run = due(with_attempt(planned(deadline(3 * 3600)), AttemptStatus.PLANNED, turn_at=NOON))
    decision = decided(run, Due())
    assert decision.reason.startswith(f"The deadline leaves no more time for {JOB} to wait for spot.")
    assert decision.run.current.placement == replace(SPOT, market=Market.ON_DEMAND)
    assert (decision.run.current.turn_at, decision.run.updated_at) == (None, LATER)
    assert decision.owes.launch == 1


@pytest.mark.parametrize("why", ["stop_requested", "gives_up"])
def test_a_launch_that_is_given_up_is_looked_at_instead_of_tried_again(why: str) -> None:
    run = due(planned())
    if why == "stop_requested":
        run = replace(run, stop_requested=True, status=RunStatus.STOPPING)
    else:
        run = with_attempt(run, AttemptStatus.PLANNED, gives_up=True, failure_reason="No.")
    ended = decided(run, Due(), job=Absent())
    assert ended.run.current.outcome is Outcome.NEVER_CREATED
    assert ended.run.status is (RunStatus.STOPPED if why == "stop_requested" else RunStatus.FAILED)
    assert decided(run, Due(), job=TRAINS).run.current.arn == ARN


def test_a_tick_looks_at_a_live_job() -> None:
    run = due(lives())
    looked = decided(run, Due(), job=TRAINS, check_every=7 * MINUTE)
    assert (looked.reason, looked.run.check_at) == (f"{JOB} is Training.", LATER + 7 * MINUTE)
    assert looked.owes == Outbox(status=True)


def test_a_tick_notes_what_it_sees_of_a_canary_beside_what_it_sees_of_the_job() -> None:
    canary = Canary(1, "churn-canary-01", SPOT, NOON, 3600, CanaryStatus.IN_PROGRESS, arn="arn:canary")
    run = due(lives(placement=replace(SPOT, market=Market.ON_DEMAND))).with_canary(canary)
    seen = replace(TRAINS, name=canary.job_name, arn="arn:canary", billable_seconds=7)
    job = replace(TRAINS, placement=run.current.placement)
    noted = decided(run, Due(), job=job, canary=seen).run
    assert noted.canary == replace(canary, phase="Training", billable_seconds=7)
    given_up = run.with_canary(replace(canary, status=CanaryStatus.ENDED))
    assert decided(given_up, Due(), job=job, canary=seen).run.canary == given_up.canary


def between(**attempt: Any) -> Run:
    """A run that waits to launch its next attempt, after one whose wait expired."""
    known = {"outcome": Outcome.CAPACITY_ERROR, "ended_at": NOON} | attempt
    return due(with_attempt(lives(), AttemptStatus.ENDED, **known))


def test_after_the_backoff_the_next_attempt_continues_from_the_newest_checkpoint() -> None:
    decision = decided(between(), Due(), checkpoint=Checkpoint("churn/a", NOON))
    assert decision.reason == "The backoff is over. churn-relay-02 continues from the checkpoint churn/a."
    assert decision.owes == Outbox(launch=2)
    second = decision.run.current
    assert (second.number, second.planned_at, second.cause) == (2, LATER, "CapacityError")
    assert second.resumes_from == Checkpoint("churn/a", NOON)


def test_nothing_follows_an_end_while_the_checkpoints_cannot_be_listed() -> None:
    run = between()
    reason = "They cannot be listed. Nothing is launched until they can be listed. Checking again in 420 s."
    assert decided(run, Due(), unlisted="They cannot be listed.", check_every=7 * MINUTE) == changed(
        run, Due(), reason, Outbox(status=True), check_at=LATER + 7 * MINUTE
    )


def test_a_tick_looks_at_what_a_run_waits_for_to_begin() -> None:
    run = due(planned(start=Start(at=LATER)))
    assert decided(run, Due()).reason == f"Its time has come. Launching {JOB}."
    assert decided(run, Due()).run.current.planned_at == LATER
    waits = due(planned(start=Start(after=("prep",))))
    assert decided(waits, Due()) == ignored(waits, "The run is not due yet.")


def test_room_that_is_free_is_for_a_run_that_waits_for_it() -> None:
    run = with_attempt(planned(), AttemptStatus.PLANNED, waits_for_room=True)
    reason = f"There may be room on ml.m5.xlarge (spot) now. Trying to launch {JOB} again."
    assert decided(run, RoomFreed()) == launches(run, RoomFreed(), reason)
    assert decided(lives(), RoomFreed()) == ignored(lives(), "The run is not waiting for room.")


def test_news_for_a_run_that_waits_to_begin_reach_it() -> None:
    copy = CheckpointCopy("s3://models/prep/")
    timed = planned(start=Start(at=NOON + MINUTE))
    chained = planned(start=Start(after=("prep",), continue_from="prep", checkpoint=True))
    copying = replace(chained, completed=("prep",), copying=copy)
    told = FollowersTold("until here")
    ended = replace(lives(), status=RunStatus.COMPLETED, check_at=None)
    assert decided(timed, DataArrived(LATER)).run.start.at == LATER
    assert decided(timed, DataArrived(LATER)).run.updated_at == LATER
    waits = decided(chained, PredecessorEnded(), predecessors={"prep": lives()})
    assert (waits.reason, waits.run.check_at) == ("Waiting for the run prep to complete.", LATER + HOUR)
    paused = decided(copying, CheckpointsCopied(copy, CopyPaused(3, "3.pt")))
    assert (paused.run.copying, paused.run.check_at) == (replace(copy, done=3, after="3.pt"), LATER)
    assert decided(ended, told) == ignored(
        ended,
        "Many runs come after this one. Some have been told of its end, and the others are told next.",
        Outbox(tell_followers=True, told="until here"),
    )


def test_the_answer_to_a_launch_reaches_the_attempt() -> None:
    created = decided(planned(), Launched(1, ARN), check_every=7 * MINUTE)
    assert created.run.current.launched_at == LATER
    assert (created.run.check_at, created.reason) == (LATER + 7 * MINUTE, f"Created {JOB} for the submitted spec.")
    refused = decided(planned(), Refused(1, Refusal.INVALID, "No such role."))
    assert (refused.run.status, refused.run.ended_at) == (RunStatus.FAILED, LATER)
    throttled = [decided(planned(), Refused(1, Refusal.THROTTLED, "Slow."), draw=draw).run for draw in (0.0, 0.9)]
    assert throttled[0].check_at != throttled[1].check_at


def test_what_a_user_asks_for_reaches_the_run() -> None:
    ended = replace(with_attempt(lives(), AttemptStatus.ENDED, outcome=Outcome.STOPPED), status=RunStatus.STOPPED)
    stopped = decided(lives(), StopRequested())
    assert (stopped.owes.stop, stopped.run.check_at) == (JOB, LATER + 30 * SECOND)
    resumed = decided(ended, ResumeRequested(), checkpoint=Checkpoint("churn/a", NOON))
    assert resumed.run.current.resumes_from == Checkpoint("churn/a", NOON)
    assert resumed.run.current.planned_at == LATER
    moved = decided(lives(), MoveRequested(Market.ON_DEMAND))
    assert (moved.run.current.switch_to, moved.run.moved_to) == (Market.ON_DEMAND, Market.ON_DEMAND)
    assert moved.run.updated_at == LATER
    removed = decided(lives(deadline(9 * 3600)), DeadlineRequested(None))
    assert (removed.run.deadline_at, removed.run.updated_at) == (None, LATER)
    waiting = decided(lives(), TaskWaiting("a-token")).run
    assert (waiting.waiting_tasks, waiting.updated_at) == (("a-token",), LATER)


def test_failures_of_what_was_tried_for_a_run_reach_it() -> None:
    run = lives()
    gone = decided(run, TaskGone("TaskTimedOut"))
    reason = "A task of Step Functions no longer waits for the end of the run: its token was refused (TaskTimedOut)."
    assert (gone.owes, gone.run.updated_at, gone.reason) == (Outbox(status=True), LATER, reason)
    refused = StopRefused(JOB, "Access denied")
    reason = f"SageMaker could not stop {JOB}: Access denied. Trying again within a minute."
    assert decided(run, refused) == changed(run, refused, reason, Outbox(status=True))
    overgrown = decided(run, Overgrown())
    assert (overgrown.run.stop_requested, overgrown.owes.stop, overgrown.run.updated_at) == (True, JOB, LATER)
    overtaken = "Another function saved the run first. Publishing that state."
    assert decided(run, Overtaken()) == ignored(run, overtaken, Outbox(status=True))
