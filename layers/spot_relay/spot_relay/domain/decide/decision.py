"""The decision: what happens to a run, given what is known. Pure and total; every branch has its reason."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from spot_relay.domain.decide import canaries, launch_answers, user_requests
from spot_relay.domain.decide.facts import Facts, clean_facts
from spot_relay.domain.decide.looks import is_due, may_be_orphan, says_net_is_due
from spot_relay.domain.decide.markets import demand_before_launch, next_look, steer
from spot_relay.domain.decide.steps import (
    CHECK_SOON,
    STOPPING_IT,
    Decision,
    change,
    close_uncreated,
    describe_giving_up,
    describe_retry,
    explain,
    finish,
    finish_stopped,
    forget_refusals,
    ignore_unknown_attempt,
    launch_again,
    leave_queue,
    plan,
    record,
    stop_needless_job,
    unchanged,
)
from spot_relay.domain.rules.after_end import ENDS, Then, describe_end, describe_last_end, relaunch_after
from spot_relay.domain.rules.next_place import choose_place, move_to_job, wait_after
from spot_relay.domain.rules.pace import seconds_until_demand
from spot_relay.domain.rules.progress import count_progress
from spot_relay.domain.run.attempt import Attempt, AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.observation import (
    CanaryChanged,
    CanaryCreated,
    CanaryRefused,
    Due,
    JobChanged,
    Launched,
    Observation,
    Overgrown,
    Overtaken,
    Refused,
    ResumeRequested,
    RoomFreed,
    StopRefused,
    StopRequested,
)
from spot_relay.domain.run.outbox import Outbox, Room
from spot_relay.domain.run.run import ABSENCE_PATIENCE, Run, RunStatus
from spot_relay.domain.sagemaker.ending import Outcome, outcome_of
from spot_relay.domain.sagemaker.job import Absent, Job, SecondaryStatus, TrainingJobStatus
from spot_relay.domain.sagemaker.redaction import hide_secrets
from spot_relay.domain.shown import metrics
from spot_relay.domain.text import MAX_MESSAGE_BYTES, shorten
from spot_relay.domain.values import No, as_sentence, replace

# How a job may end that was stopped as planned, because its own limits may come first.
_PLANNED_STOPS = frozenset({Outcome.STOPPED, Outcome.MAX_WAIT_TIME_EXCEEDED, Outcome.MAX_PENDING_TIME_EXCEEDED})
_CHECKING_SOON = f"Checking again in {CHECK_SOON.seconds} s."


def decide(run: Run, facts: Facts, now: datetime) -> Decision:
    """Return what happens to ``run`` given what is known at ``now``, and keep the reason on the run."""
    decision = _decide(run, clean_facts(facts), now)
    if decision.run is run:
        return decision
    changed = explain(decision.run, type(facts.observation).__name__, decision.reason, now)
    return replace(decision, run=changed, owes=decision.owes.then(leave_queue(run, changed)))


def settle(run: Run, answers: tuple[Observation, ...], facts: Facts, now: datetime) -> Run:
    """Return the run with its outbox cleared and the answers of performing it folded in; it may owe something new."""
    settled = replace(run, outbox=Outbox())
    owed = Outbox()
    for answer in answers:
        decision = decide(settled, replace(facts, observation=answer), now)
        settled, owed = decision.run, owed.then(decision.owes)
    return replace(settled, outbox=owed)


def _decide(run: Run, facts: Facts, now: datetime) -> Decision:
    match facts.observation:
        case JobChanged() as event:
            return _follow_event(run, event, facts, now)
        case Due():
            return _follow_due(run, facts, now)
        case RoomFreed():
            return _follow_room(run, now)
        case Launched() as answer:
            return launch_answers.follow_launch(run, answer, facts, now)
        case Refused() as answer:
            return launch_answers.follow_refusal(run, answer, facts, now)
        case CanaryChanged() | CanaryCreated() | CanaryRefused() as news:
            return _follow_canary(run, news, facts, now)
        case StopRequested():
            return user_requests.stop(run, now)
        case ResumeRequested() as request:
            return user_requests.resume(run, request, facts, now)
        case Overtaken() | Overgrown() | StopRefused() as failure:
            return _follow_failure(run, failure, now)
        case _:
            assert_never(facts.observation)


def _follow_failure(run: Run, failure: Overtaken | Overgrown | StopRefused, now: datetime) -> Decision:
    if isinstance(failure, StopRefused):
        return user_requests.follow_refused_stop(run, failure, now)
    if isinstance(failure, Overgrown):
        return user_requests.give_up(run, now)
    return unchanged(run, "Another function saved the run first. Publishing that state.", Outbox(status=True))


def _follow_event(run: Run, event: JobChanged, facts: Facts, now: datetime) -> Decision:
    attempt = run.attempt(event.attempt)
    if attempt is None:
        return ignore_unknown_attempt(run, event.attempt)
    if run.has_ended or attempt.status is AttemptStatus.ENDED:
        if may_be_orphan(attempt, event) and isinstance(facts.job, Job) and not facts.job.has_ended:
            return stop_needless_job(run, attempt.job_name, Outbox(stop=attempt.job_name))
        return _ignore_late(run, attempt, f"The event comes after the end of {attempt.job_name}.")
    if attempt.status is AttemptStatus.PLANNED:
        # A job has the attempt's name. Its tags have proved it ours, or it would not have been described.
        if isinstance(facts.job, Absent):
            return _ignore_foreign_job(run, attempt)
        return _look(run, attempt, facts, now)
    if event.says_ended:
        return _look(run, attempt, facts, now)
    if attempt.heard_at is not None and event.at <= attempt.heard_at:
        return _ignore_late(run, attempt, "The event is no newer than what is already known.")
    if says_net_is_due(run, event, now):
        return _look(run, attempt, facts, now)
    return _note_event(run, attempt, event, facts, now)


def _note_event(run: Run, attempt: Attempt, event: JobChanged, facts: Facts, now: datetime) -> Decision:
    """Record a state change that ends nothing, such as Interrupted: SageMaker itself resumes the job.

    Look again soon after an interruption: the description can lag behind the event, and the last checkpoint may still
    be on its way. Until then the run counts as further from its end than it is, so no rule fires late.
    """
    interrupted = event.secondary_status == SecondaryStatus.INTERRUPTED and attempt.phase != event.secondary_status
    noted = replace(
        attempt,
        phase=event.secondary_status,
        heard_at=event.at,
        waiting_since=(attempt.waiting_since or event.at) if event.is_waiting else None,
        interruptions=attempt.interruptions + interrupted,
    )
    reason = _describe_interruption(attempt) if interrupted else f"{attempt.job_name} is {event.secondary_status}."
    owes = Outbox(measures=metrics.measure_interruptions(attempt, 1) if interrupted else ())
    run = run.with_attempt(noted)
    costs = interrupted and run.checkpoint_uri is not None
    every = min(CHECK_SOON, facts.check_every) if costs else facts.check_every
    look = now + CHECK_SOON if run.stop_requested else next_look(run, now, every)
    # No event delays a look that is due sooner: an earlier interruption may have asked for it.
    return record(run, now, reason, owes, check_at=min(look, run.check_at or look))


def _follow_due(run: Run, facts: Facts, now: datetime) -> Decision:
    if run.has_ended:
        return unchanged(run, "The run has ended, so nothing is due.")
    if not is_due(run, now):
        return unchanged(run, "The run is not due yet.")
    if canary := canaries.live_canary(run):
        run = canaries.note_description(run, canary, facts.canary)
    attempt = run.current
    if attempt.status is AttemptStatus.ENDED:
        if facts.unlisted:
            return _wait_for_listing(run, facts.unlisted, facts, now)
        return _continue(run, Cause.of_end(attempt.outcome), facts, now, "The backoff is over.")
    if attempt.status is AttemptStatus.PLANNED and not (run.stop_requested or attempt.gives_up):
        if demand := demand_before_launch(run, now):
            return launch_answers.go_on_demand(run, attempt, demand, now)
        return launch_again(run, attempt, now)
    return _look(run, attempt, facts, now)


def _follow_room(run: Run, now: datetime) -> Decision:
    if run.waits_for is None:
        return unchanged(run, "The run is not waiting for room.")
    reason = f"There may be room on {run.waits_for} now. {describe_retry(run.current)}"
    return launch_again(run, run.current, now, reason)


def _follow_canary(
    run: Run, news: CanaryChanged | CanaryCreated | CanaryRefused, facts: Facts, now: datetime
) -> Decision:
    canary = canaries.live_canary(run)
    if canary is None or canary.number != news.canary:
        return _follow_given_up_canary(run, news, facts, now)
    match news:
        case CanaryCreated() as answer:
            return canaries.follow_creation(run, canary, answer, now)
        case CanaryRefused() as answer:
            return canaries.follow_refusal(run, canary, answer, now)
        case CanaryChanged() as event if not event.has_ended:
            return canaries.follow_event(run, canary, event, now)
        case CanaryChanged():
            return canaries.follow_end(run, canary, facts.canary, now)
        case _:
            assert_never(news)


def _follow_given_up_canary(
    run: Run, news: CanaryChanged | CanaryCreated | CanaryRefused, facts: Facts, now: datetime
) -> Decision:
    """Treat the end of a canary that the run no longer needs as freed room, and record what it cost."""
    canary = run.canary_beside(news.canary)
    if canary is not None and canaries.shows_life(canary, news):
        return stop_needless_job(run, canary.job_name, Outbox(stop_canary=canary.job_name))
    if canary is None or not isinstance(news, CanaryChanged) or not news.has_ended:
        return unchanged(run, f"The run is not waiting for canary {news.canary}.")
    noted = run if run.has_ended else canaries.note_description(run, canary, facts.canary)
    if run.waits_for == canary.placement.pool:
        return _follow_room(noted, now)
    room, reason = canaries.room_of(canary), f"{canary.job_name} has ended, so its instances are free."
    return unchanged(run, reason, room) if noted is run else change(noted, now, reason, room)


def _look(run: Run, attempt: Attempt, facts: Facts, now: datetime) -> Decision:
    """Decide on what the description of the job shows."""
    match facts.job:
        case None:
            return _wait_for_description(run, attempt, facts, now)
        case Absent():
            return _follow_absence(run, attempt, facts, now)
        case Job() as job if job.has_ended:
            return _follow_end(run, attempt, job, facts, now)
        case Job() as job:
            return _follow_life(run, attempt, job, facts, now)
        case _:
            assert_never(facts.job)


def _wait_for_description(run: Run, attempt: Attempt, facts: Facts, now: datetime) -> Decision:
    """Look again soon, and show an error that may not pass by itself, once."""
    error = facts.undescribed and hide_secrets(facts.undescribed, run.training_job)
    because = f": {as_sentence(error)}" if error else "."
    reason = f"SageMaker could not describe {attempt.job_name} just now{because} Checking again within a minute."
    note = change if error and reason != run.reason else record
    # Jitter, because whatever kept SageMaker from answering is likely to concern other runs, too.
    return note(run, now, reason, check_at=now + CHECK_SOON * (1 + facts.draw))


def _follow_absence(run: Run, attempt: Attempt, facts: Facts, now: datetime) -> Decision:
    began = attempt.launched_at
    if began is not None and now - began < ABSENCE_PATIENCE:
        reason = f"SageMaker created {attempt.job_name} but cannot find it yet. {_CHECKING_SOON}"
        return change(run, now, reason, check_at=now + CHECK_SOON)
    if run.stop_requested and not isinstance(facts.observation, Due):
        return _ignore_foreign_job(run, attempt)
    if run.stop_requested or attempt.gives_up:
        owes = Outbox(freed=(Room(attempt.placement.pool, attempt.job_name),))
        never = run.with_attempt(close_uncreated(attempt, now, attempt.failure_reason))
        if run.stop_requested:
            return finish_stopped(never, now, owes, " No training job was created.")
        return finish(never, RunStatus.FAILED, now, describe_giving_up(run, attempt), owes)
    return launch_again(run, attempt, now, f"SageMaker has no training job {attempt.job_name}. Launching it.")


def _follow_life(run: Run, attempt: Attempt, job: Job, facts: Facts, now: datetime) -> Decision:
    """Record what a description shows of a live job, including what lost events would have reported."""
    missed = max(0, job.interruptions - attempt.interruptions)
    described = replace(
        move_to_job(run, attempt, job.placement),
        status=AttemptStatus.IN_PROGRESS,
        arn=job.arn,
        launched_at=attempt.launched_at or now,
        phase=job.secondary_status,
        # The description covers everything before it, so an older event that arrives later is late.
        heard_at=_newest_news(attempt, job, facts.observation),
        created_at=job.created_at,
        training_started_at=job.training_started_at,
        interruptions=attempt.interruptions + missed,
        status_message=_hide_in_message(run, job),
        gives_up=False,
        waits_for_room=False,
        waits_for_any_room=False,
        waiting_since=job.waiting_since,
    )
    if attempt.status is AttemptStatus.PLANNED:
        run = forget_refusals(run)
    run = _count(run, described, job, facts, now)
    adopted = launch_answers.measure_adoption(run, attempt, now)
    owes = Outbox(measures=adopted + metrics.measure_interruptions(attempt, missed))
    if run.stop_requested and job.status == TrainingJobStatus.IN_PROGRESS:
        owes = owes.then(Outbox(stop=attempt.job_name))
    steering = steer(run, facts, now)
    switches = steering.run.current.switch_to is not None
    soon = run.stop_requested or switches or _is_unconfirmed(facts.observation, missed)
    reason = f"{attempt.job_name} is {job.secondary_status}."
    if missed and job.waiting_since:
        reason = _describe_interruption(attempt)
    if facts.unlisted:
        reason = f"{reason} {facts.unlisted}"
    if owes.stop:
        reason = f"{reason} {STOPPING_IT}"
    return change(
        steering.run,
        now,
        steering.reason or reason,
        owes.then(steering.owes),
        status=RunStatus.STOPPING if run.stop_requested else RunStatus.IN_PROGRESS,
        check_at=now + CHECK_SOON if soon else next_look(steering.run, now, facts.check_every),
    )


def _hide_in_message(run: Run, job: Job) -> str | None:
    return job.status_message and shorten(hide_secrets(job.status_message, run.training_job), MAX_MESSAGE_BYTES)


def _newest_news(attempt: Attempt, job: Job, observation: Observation) -> datetime:
    reported = observation.at if isinstance(observation, JobChanged) else job.modified_at
    return max(job.modified_at, reported, attempt.heard_at or reported)


def _is_unconfirmed(observation: Observation, missed: int) -> bool:
    """Whether an event has claimed something that the description does not show yet."""
    if not isinstance(observation, JobChanged):
        return False
    return observation.says_ended or (observation.secondary_status == SecondaryStatus.INTERRUPTED and not missed)


def _follow_end(run: Run, attempt: Attempt, job: Job, facts: Facts, now: datetime) -> Decision:
    """Close an attempt that is described as ended, and continue by the table of ends.

    If its checkpoints cannot be listed, it is not known where to continue. Only a stop can do without that.
    """
    if facts.unlisted and not run.stop_requested:
        return _wait_for_listing(run, f"{attempt.job_name} is {job.secondary_status}. {facts.unlisted}", facts, now)
    outcome = outcome_of(job) or Outcome.UNKNOWN_FAILURE
    missed = max(0, job.interruptions - attempt.interruptions)
    closed = replace(
        move_to_job(run, attempt, job.placement),
        status=AttemptStatus.ENDED,
        arn=job.arn,
        launched_at=attempt.launched_at or job.created_at,
        phase=job.secondary_status,
        interruptions=job.interruptions if job.transitions else attempt.interruptions,
        outcome=outcome,
        failure_reason=job.failure_reason and hide_secrets(job.failure_reason, run.training_job),
        status_message=_hide_in_message(run, job),
        created_at=job.created_at,
        training_started_at=job.training_started_at,
        ended_at=job.ended_at or job.modified_at,
        training_seconds=job.training_seconds,
        billable_seconds=job.billable_seconds,
        waited_seconds=job.seconds_waited(now),
        gives_up=False,
        waits_for_room=False,
        waits_for_any_room=False,
        waiting_since=None,
    )
    if attempt.status is AttemptStatus.PLANNED:
        run = forget_refusals(run)
    run = _count(run, closed, job, facts, now)
    adopted = launch_answers.measure_adoption(run, attempt, now)
    measures = adopted + metrics.measure_interruptions(attempt, missed) + metrics.measure_attempt_end(closed)
    owes = Outbox(freed=(Room(closed.placement.pool, attempt.job_name),), measures=measures)
    return _follow_outcome(run, outcome, facts, now, owes)


def _follow_outcome(run: Run, outcome: Outcome, facts: Facts, now: datetime, owes: Outbox) -> Decision:
    """Continue after the newest attempt has ended, or end the run."""
    closed, then = run.current, ENDS[outcome].then
    if then is Then.COMPLETE:
        return finish(run, RunStatus.COMPLETED, now, describe_end(closed), owes)
    if run.stop_requested:
        return finish_stopped(run, now, owes)
    if closed.switch_to is not None and outcome in _PLANNED_STOPS:
        reason = f"{closed.job_name} was stopped as planned."
        return _continue(run, Cause.of_end(outcome), facts, now, reason, owes)
    if then is Then.STOP:
        return finish(run, RunStatus.STOPPED, now, describe_last_end(closed), owes)
    relaunch = relaunch_after(run, closed)
    if isinstance(relaunch, No):
        return finish(run, RunStatus.FAILED, now, relaunch.because, owes)
    wait = wait_after(run, outcome, facts.draw, now)
    run = replace(run, spent=relaunch.spent)
    if wait is None:
        return _continue(run, Cause.of_end(outcome), facts, now, relaunch.because, owes)
    wait = min(wait, seconds_until_demand(run, now))
    reason = f"{relaunch.because} Launching the next attempt in {wait:.0f} s."
    return change(run, now, reason, owes, status=RunStatus.PENDING, check_at=now + timedelta(seconds=wait))


def _count(run: Run, attempt: Attempt, job: Job, facts: Facts, now: datetime) -> Run:
    """Return the run with this attempt, what was found of its checkpoints, and the training that they hold."""
    if facts.unlisted:
        return run.with_attempt(attempt)
    if facts.checkpoint is not None or facts.ignored_objects is not None:
        attempt = replace(attempt, checkpoint=facts.checkpoint, ignored_objects=facts.ignored_objects)
    return count_progress(run, attempt, job, facts.checkpoint, now)


def _wait_for_listing(run: Run, reason: str, facts: Facts, now: datetime) -> Decision:
    """Look again later: nothing may be relaunched while the newest checkpoint is unknown."""
    again = (
        f"Nothing is launched until they can be listed. Checking again in {facts.check_every.total_seconds():.0f} s."
    )
    return change(run, now, f"{reason} {again}", check_at=now + facts.check_every)


def _continue(run: Run, cause: Cause, facts: Facts, now: datetime, reason: str, owes: Outbox | None = None) -> Decision:
    """Plan the next attempt in the place that the deadline and the ladder choose."""
    onward = choose_place(run, cause, now)
    if isinstance(onward, No):
        return finish(run, RunStatus.FAILED, now, f"{reason} {onward.because}", owes)
    return plan(run, facts.checkpoint, onward, now, reason, owes)


def _describe_interruption(attempt: Attempt) -> str:
    return f"{attempt.job_name} was interrupted. SageMaker resumes it when spot capacity returns."


def _ignore_foreign_job(run: Run, attempt: Attempt) -> Decision:
    return unchanged(
        run, f"The event is about a training job named {attempt.job_name} that does not belong to this run."
    )


def _ignore_late(run: Run, attempt: Attempt, reason: str) -> Decision:
    return unchanged(run, reason, Outbox(measures=metrics.measure_late_event(attempt)))
