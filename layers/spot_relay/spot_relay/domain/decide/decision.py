"""The decision: what becomes of a run, given what is known. Pure and total; every branch gives its reason."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import assert_never

from spot_relay.domain.decide import canaries
from spot_relay.domain.decide import launch_answers as answers
from spot_relay.domain.decide import user_requests as requests
from spot_relay.domain.decide.facts import Facts, is_due, may_be_orphan, says_net_is_due
from spot_relay.domain.decide.markets import demand_before_launch, next_look, steer
from spot_relay.domain.decide.steps import (
    CHECK_SOON,
    Decision,
    becomes,
    explained,
    finish,
    launch_again,
    never_created,
    plan,
    recorded,
    room_left,
)
from spot_relay.domain.rules import progress
from spot_relay.domain.rules.after_end import Following, after_end, following, until_demand
from spot_relay.domain.rules.next_place import placed
from spot_relay.domain.run.observation import (
    CanaryChanged,
    CanaryCreated,
    CanaryRefused,
    Due,
    JobChanged,
    Launched,
    Observation,
    Overtaken,
    Refused,
    ResumeRequested,
    RoomFreed,
    StopRequested,
)
from spot_relay.domain.run.outbox import Outbox, Room
from spot_relay.domain.run.run import ABSENCE_PATIENCE, Attempt, AttemptStatus, Run, RunStatus
from spot_relay.domain.sagemaker.ending import Outcome, outcome_of
from spot_relay.domain.sagemaker.job import Absent, Job, SecondaryStatus, TrainingJobStatus
from spot_relay.domain.sagemaker.redaction import without_secrets
from spot_relay.domain.shown import metrics as measures
from spot_relay.domain.values import replace


def decide(run: Run, facts: Facts, now: datetime) -> Decision:
    """Say what becomes of ``run`` given what is known at ``now``, and keep the reason on the run."""
    decision = _decide(run, facts, now)
    if decision.run is run:
        return decision
    changed = explained(decision.run, type(facts.observation).__name__, decision.reason, now)
    return Decision(changed, decision.owes | room_left(run, changed), decision.reason, decision.rejected)


def settle(run: Run, answers: tuple[Observation, ...], facts: Facts, now: datetime) -> Run:
    """Clear the outbox and fold in what performing it has brought; the result may owe something new."""
    settled = replace(run, outbox=Outbox())
    owed = Outbox()
    for answer in answers:
        decision = decide(settled, replace(facts, observation=answer), now)
        settled, owed = decision.run, owed | decision.owes
    return replace(settled, outbox=owed)


def _decide(run: Run, facts: Facts, now: datetime) -> Decision:
    match facts.observation:
        case JobChanged() as seen:
            return _job_changed(run, seen, facts, now)
        case Due():
            return _due(run, facts, now)
        case RoomFreed():
            return _room_freed(run, now)
        case Launched() as answer:
            return answers.launched(run, answer, facts, now)
        case Refused() as answer:
            return answers.refused(run, answer, facts, now)
        case CanaryChanged() | CanaryCreated() | CanaryRefused() as seen:
            return _canary(run, seen, facts, now)
        case StopRequested():
            return requests.stop(run, now)
        case ResumeRequested() as request:
            return requests.resume(run, request, facts, now)
        case Overtaken():
            return Decision(run, Outbox(status=True), "another writer was faster; its state is published")
        case _:
            assert_never(facts.observation)


def _job_changed(run: Run, seen: JobChanged, facts: Facts, now: datetime) -> Decision:
    attempt = run.attempt(seen.attempt)
    if attempt is None:
        return Decision(run, Outbox(), f"attempt {seen.attempt} is not one of this run's")
    if run.has_ended or attempt.status is AttemptStatus.ENDED:
        if may_be_orphan(attempt, seen) and isinstance(facts.job, Job) and not facts.job.has_ended:
            return Decision(run, Outbox(stop=attempt.job_name), "a job of a run that has given up on it is stopped")
        return _late(run, attempt, "the event speaks of an attempt that has ended")
    if attempt.status is AttemptStatus.PLANNED:
        # A job has the attempt's name; that it is ours its tags have told, else it was not described.
        if isinstance(facts.job, Absent):
            return Decision(run, Outbox(), f"the event speaks of a job that is not this run's: {attempt.job_name}")
        return _looked(run, attempt, facts, now)
    if seen.says_ended:
        return _looked(run, attempt, facts, now)
    if attempt.heard_at is not None and seen.at <= attempt.heard_at:
        return _late(run, attempt, "the event is not newer than what is known")
    if says_net_is_due(run, seen, now):
        return _looked(run, attempt, facts, now)
    return _heard(run, attempt, seen, facts, now)


def _heard(run: Run, attempt: Attempt, seen: JobChanged, facts: Facts, now: datetime) -> Decision:
    """Record a state change that ends nothing. Interrupted is one: SageMaker itself resumes the job.

    What an interruption has cost shows a look soon after it: the description may lag behind the event, and the last
    checkpoint be on its way. Until then the run counts as further from its end than it is, so no rule fires late.
    """
    interrupted = seen.secondary_status == SecondaryStatus.INTERRUPTED and attempt.phase != seen.secondary_status
    heard = replace(
        attempt,
        phase=seen.secondary_status,
        heard_at=seen.at,
        waiting_since=(attempt.waiting_since or seen.at) if seen.is_waiting else None,
        interruptions=attempt.interruptions + interrupted,
    )
    reason = f"{attempt.job_name} is {seen.secondary_status}"
    if interrupted:
        reason += "; SageMaker resumes it when capacity returns"
    owes = Outbox(measures=measures.interruptions(attempt, 1) if interrupted else ())
    run = run.with_attempt(heard)
    costs = interrupted and run.checkpoint_uri is not None
    every = min(CHECK_SOON, facts.check_every) if costs else facts.check_every
    look = now + CHECK_SOON if run.stop_requested else next_look(run, now, every)
    # No news puts a look off that was to come sooner: it may be what an interruption before it waits for.
    return recorded(run, now, reason, owes, check_at=min(look, run.check_at or look))


def _due(run: Run, facts: Facts, now: datetime) -> Decision:
    if run.has_ended:
        return Decision(run, Outbox(), "the run has ended; nothing is due")
    if not is_due(run, now):
        return Decision(run, Outbox(), "the run is not due yet")
    if canary := canaries.canary_beside(run):
        run = canaries.seen(run, canary, facts.canary)
    attempt = run.current
    if attempt.status is AttemptStatus.ENDED:
        return _follow(run, attempt.outcome or Outcome.UNKNOWN_FAILURE, facts, now, "it is time for the next attempt")
    if attempt.status is AttemptStatus.PLANNED and not run.stop_requested:
        if demand := demand_before_launch(run, now):
            return answers.goes_on_demand(run, attempt, demand, now)
        return launch_again(run, attempt, now, "the launch is tried again")
    return _looked(run, attempt, facts, now)


def _room_freed(run: Run, now: datetime) -> Decision:
    if run.waits_for is None:
        return Decision(run, Outbox(), "the run waits for no room")
    return launch_again(run, run.current, now, f"there may be room in {run.waits_for}: the launch is tried again")


def _canary(run: Run, seen: CanaryChanged | CanaryCreated | CanaryRefused, facts: Facts, now: datetime) -> Decision:
    canary = canaries.spoken_of(run, seen.canary)
    if canary is None:
        return _canary_gone(run, seen, facts, now)
    match seen:
        case CanaryCreated() as answer:
            return canaries.created(run, canary, answer, now)
        case CanaryRefused() as answer:
            return canaries.refused(run, canary, answer, now)
        case CanaryChanged() if not seen.has_ended:
            return canaries.heard(run, canary, seen, now)
        case _:
            noted = canaries.seen(run, canary, facts.canary)
    if noted is run:
        return Decision(run, Outbox(), f"{canary.job_name} is where it was")
    return becomes(noted, now, f"{canary.job_name} is {seen.secondary_status}")


def _canary_gone(
    run: Run, seen: CanaryChanged | CanaryCreated | CanaryRefused, facts: Facts, now: datetime
) -> Decision:
    """Take the end of a canary that nothing is expected of any more as news of room, and note what it cost."""
    canary = run.canary
    if canary is not None and canary.number == seen.canary and canaries.shows_life(canary, seen):
        return Decision(run, Outbox(stop_canary=canary.job_name), f"{canary.job_name} was given up: it is stopped")
    if canary is None or canary.number != seen.canary or not isinstance(seen, CanaryChanged) or not seen.has_ended:
        return Decision(run, Outbox(), f"canary {seen.canary} is none that this run waits for")
    noted = run if run.has_ended else canaries.seen(run, canary, facts.canary)
    if run.waits_for == canary.placement.pool:
        return _room_freed(noted, now)
    room, reason = Outbox(freed=(Room(canary.placement.pool),)), f"{canary.job_name} has made room"
    return Decision(run, room, reason) if noted is run else becomes(noted, now, reason, room)


def _looked(run: Run, attempt: Attempt, facts: Facts, now: datetime) -> Decision:
    """Decide on what a describe has shown."""
    match facts.job:
        case None:
            reason = f"{attempt.job_name} has not been described; it is looked at again"
            return becomes(run, now, reason, check_at=now + CHECK_SOON)
        case Absent():
            return _absent(run, attempt, facts, now)
        case Job() as job if job.has_ended:
            return _ended(run, attempt, job, facts, now)
        case Job() as job:
            return _lives(run, attempt, job, facts, now)
        case _:
            assert_never(facts.job)


def _absent(run: Run, attempt: Attempt, facts: Facts, now: datetime) -> Decision:
    began = attempt.launched_at
    if began is not None and now - began < ABSENCE_PATIENCE:
        reason = f"{attempt.job_name} was created but is not found yet"
        return becomes(run, now, reason, check_at=now + CHECK_SOON)
    if run.stop_requested and not isinstance(facts.observation, Due):
        return Decision(run, Outbox(), f"the event speaks of a job that is not this run's: {attempt.job_name}")
    if run.stop_requested:
        owes = Outbox(freed=(Room(attempt.placement.pool, attempt.job_name),))
        never = run.with_attempt(never_created(attempt, now))
        return finish(never, RunStatus.STOPPED, now, "stopped by request before a job was created", owes)
    return launch_again(run, attempt, now, f"SageMaker has no job {attempt.job_name}: it is created")


def _lives(run: Run, attempt: Attempt, job: Job, facts: Facts, now: datetime) -> Decision:
    """Take over what a describe shows of a job that goes on; repair what lost events left out."""
    missed = max(0, job.interruptions - attempt.interruptions)
    seen = replace(
        placed(run, attempt, job.placement),
        status=AttemptStatus.IN_PROGRESS,
        arn=job.arn,
        launched_at=attempt.launched_at or now,
        phase=job.secondary_status,
        # What happened before this is in the description, so an event of it that comes later is late.
        heard_at=_heard_until(attempt, job, facts.observation),
        created_at=job.created_at,
        training_started_at=job.training_started_at,
        interruptions=attempt.interruptions + missed,
        waits_for_room=False,
        waiting_since=job.waiting_since,
    )
    run = progress.counted(run, seen, job, facts.checkpoint, now)
    owes = Outbox(measures=answers.adoption(run, attempt, now) + measures.interruptions(attempt, missed))
    if run.stop_requested and job.status == TrainingJobStatus.IN_PROGRESS:
        owes |= Outbox(stop=attempt.job_name)
    steering = steer(run, facts, now)
    soon = run.stop_requested or steering.run.current.switch_to is not None or _unconfirmed(facts.observation, missed)
    reason = f"{attempt.job_name} is described as {job.status} / {job.secondary_status}"
    if missed and job.waiting_since:
        reason = f"{attempt.job_name} is {job.secondary_status}; SageMaker resumes it when capacity returns"
    return becomes(
        steering.run,
        now,
        f"{reason}; {steering.reason}" if steering.reason else reason,
        owes | steering.owes,
        status=RunStatus.STOPPING if run.stop_requested else RunStatus.IN_PROGRESS,
        check_at=now + CHECK_SOON if soon else next_look(steering.run, now, facts.check_every),
    )


def _heard_until(attempt: Attempt, job: Job, observation: Observation) -> datetime:
    told = observation.at if isinstance(observation, JobChanged) else job.modified_at
    return max(job.modified_at, told, attempt.heard_at or told)


def _unconfirmed(observation: Observation, missed: int) -> bool:
    """Tell whether an event has claimed what the description does not show yet."""
    if not isinstance(observation, JobChanged):
        return False
    return observation.says_ended or (observation.secondary_status == SecondaryStatus.INTERRUPTED and not missed)


def _ended(run: Run, attempt: Attempt, job: Job, facts: Facts, now: datetime) -> Decision:
    """Close an attempt that is described as ended, and go on by the decision table."""
    outcome = outcome_of(job) or Outcome.UNKNOWN_FAILURE
    missed = max(0, job.interruptions - attempt.interruptions)
    closed = replace(
        placed(run, attempt, job.placement),
        status=AttemptStatus.ENDED,
        arn=job.arn,
        launched_at=attempt.launched_at or job.created_at,
        phase=job.secondary_status,
        interruptions=job.interruptions if job.transitions else attempt.interruptions,
        outcome=outcome,
        failure_reason=job.failure_reason and without_secrets(job.failure_reason, run.training_job),
        created_at=job.created_at,
        training_started_at=job.training_started_at,
        ended_at=job.ended_at or job.modified_at,
        training_seconds=job.training_seconds,
        billable_seconds=job.billable_seconds,
        waited_seconds=job.seconds_waited(now),
        checkpoint=facts.checkpoint,
        waits_for_room=False,
        waiting_since=None,
    )
    run = progress.counted(run, closed, job, facts.checkpoint, now)
    counted = answers.adoption(run, attempt, now) + measures.interruptions(attempt, missed)
    room = Room(closed.placement.pool, attempt.job_name)
    owes = Outbox(freed=(room,), measures=counted + measures.attempt_ended(closed))
    return _after(run, outcome, facts, now, owes)


def _after(run: Run, outcome: Outcome, facts: Facts, now: datetime, owes: Outbox) -> Decision:
    """Go on after the newest attempt has ended, or end the run."""
    closed = run.current
    if outcome is Outcome.COMPLETED:
        return finish(run, RunStatus.COMPLETED, now, f"{closed.job_name} completed the training", owes)
    if run.stop_requested:
        return finish(run, RunStatus.STOPPED, now, "stopped by request", owes)
    if closed.switch_to is not None and outcome in {Outcome.STOPPED, Outcome.MAX_WAIT_TIME_EXCEEDED}:
        reason = f"{closed.job_name} was stopped as planned"
        return _follow(run, outcome, facts, now, reason, owes)
    if outcome is Outcome.STOPPED:
        return finish(run, RunStatus.STOPPED, now, f"{closed.job_name} was stopped by someone else", owes)
    match after_end(run, closed, facts.draw, now):
        case str() as final:
            return finish(run, RunStatus.FAILED, now, final, owes)
        case relaunch if relaunch.wait_seconds is None:
            return _follow(replace(run, spent=relaunch.spent), outcome, facts, now, relaunch.reason, owes)
        case relaunch:
            wait = min(relaunch.wait_seconds, until_demand(run, now))
            reason = f"{relaunch.reason}; the next attempt is due in {wait:.0f} s"
            at = now + timedelta(seconds=wait)
            return becomes(run, now, reason, owes, status=RunStatus.PENDING, check_at=at, spent=relaunch.spent)


def _follow(run: Run, cause: str, facts: Facts, now: datetime, reason: str, owes: Outbox | None = None) -> Decision:
    """Plan the next attempt where deadline and ladder want it."""
    match following(run, cause, now):
        case str() as nowhere:
            return finish(run, RunStatus.FAILED, now, f"{reason}; {nowhere}", owes)
        case Following() as onward:
            return plan(run, facts.checkpoint, onward, now, reason, owes)


def _late(run: Run, attempt: Attempt, reason: str) -> Decision:
    return Decision(run, Outbox(measures=measures.late_event(attempt)), reason)
