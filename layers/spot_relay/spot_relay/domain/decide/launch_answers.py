"""What follows the answer to a launch: the job exists, or it was refused, for now or for good."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from spot_relay.domain.decide.markets import next_look
from spot_relay.domain.decide.steps import CHECK_SOON, Decision, becomes, finish, launch_again, never_created
from spot_relay.domain.rules.after_end import (
    Following,
    affordable_on_demand,
    cooling,
    following,
    until_demand,
    wait_limit,
)
from spot_relay.domain.rules.money import unaffordable
from spot_relay.domain.rules.next_place import placed
from spot_relay.domain.run.outbox import Measure, Outbox, Room
from spot_relay.domain.run.run import ABSENCE_PATIENCE, Attempt, AttemptStatus, Run, RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.redaction import without_secrets
from spot_relay.domain.sagemaker.refusal import Refusal, advice
from spot_relay.domain.shown import metrics as measures
from spot_relay.domain.values import replace

if TYPE_CHECKING:
    from spot_relay.domain.decide.facts import Facts
    from spot_relay.domain.rules.pace import Demand
    from spot_relay.domain.run.observation import Launched, Refused

# The oldest run that waits for room asks again with each tick; those behind it are woken, and rarely look themselves.
ROOM_LOOK = timedelta(seconds=60)
QUEUE_LOOK = timedelta(minutes=15)


def launched(run: Run, answer: Launched, facts: Facts, now: datetime) -> Decision:
    """Follow a job that exists."""
    attempt = run.attempt(answer.attempt)
    if attempt is None or attempt.status is AttemptStatus.IN_PROGRESS:
        return Decision(run, Outbox(), "the launch is known already")
    if attempt.status is AttemptStatus.ENDED:
        if attempt.outcome is Outcome.NEVER_CREATED:
            return Decision(run, Outbox(stop=attempt.job_name), "a job of a run that has given up on it is stopped")
        return Decision(run, Outbox(), "the launch is known already")
    lives = replace(
        placed(run, attempt, answer.placement or attempt.placement),
        status=AttemptStatus.IN_PROGRESS,
        arn=answer.arn,
        launched_at=now,
        refusals=0,
        waits_for_room=False,
        waiting_since=now,
    )
    owes = Outbox(measures=adoption(run, attempt, now))
    # A launch that was refused before may have succeeded then, and its events have come and gone.
    soon = run.stop_requested or attempt.refusals > 0
    if run.stop_requested:
        owes |= Outbox(stop=attempt.job_name)
    run = run.with_attempt(lives)
    return becomes(
        run,
        now,
        f"{attempt.job_name} was launched ({_because(attempt)})",
        owes,
        status=RunStatus.STOPPING if run.stop_requested else RunStatus.IN_PROGRESS,
        check_at=now + CHECK_SOON if soon else next_look(run, now, facts.check_every),
    )


def refused(run: Run, answer: Refused, facts: Facts, now: datetime) -> Decision:
    """Wait and try again, go on elsewhere, or end the run."""
    attempt = run.attempt(answer.attempt)
    if attempt is None or run.has_ended or attempt.status is not AttemptStatus.PLANNED:
        return Decision(run, Outbox(), "the refusal is out of date")
    message = without_secrets(answer.message, run.training_job)
    reason = f"{attempt.job_name} can't be created for now ({answer.refusal}): {message}"
    if answer.refusal.for_want_of_room:
        return _waits_for_room(run, attempt, answer.refusal, facts, now, reason)
    if answer.refusal.passes:
        # One that waits for room keeps its place: else each of those behind it would be sent to try in its turn.
        again = replace(attempt, refusals=attempt.refusals + 1)
        seconds = run.policy.backoff.seconds(again.refusals, facts.draw)
        wait = timedelta(seconds=min(seconds, until_demand(run, now, waited=0.0)))
        wait = min(wait, ROOM_LOOK) if run.waits_for else wait
        # Nothing is launched any more once a stop was requested, but the job may exist, and not be found yet.
        wait = ABSENCE_PATIENCE if run.stop_requested else wait
        return becomes(run.with_attempt(again), now, f"{reason} It is tried again.", check_at=now + wait)
    reason = f"{attempt.job_name} could not be created: {message} {advice(answer.refusal, message)}"
    if answer.refusal is Refusal.QUOTA_TOO_SMALL and not run.stop_requested:
        run = replace(run, closed=tuple(dict.fromkeys((*run.closed, attempt.placement))))
        onward = following(run, attempt.cause, now)
        no = unaffordable(run, onward.place.placement, now) if isinstance(onward, Following) else None
        if isinstance(onward, Following) and no is None:
            rest = cooling(run, onward.place.placement.pool, facts.draw, now)
            why = f"{reason} The run goes on in its next placement"
            return _elsewhere(run, attempt, onward, now, why, rest)
        reason = f"{reason} Its next placement costs too much: {no}" if no else reason
    never = run.with_attempt(never_created(attempt, now, message))
    status = RunStatus.STOPPED if run.stop_requested else RunStatus.FAILED
    owes = Outbox(freed=(Room(attempt.placement.pool, attempt.job_name),))
    return finish(never, status, now, reason, owes)


def goes_on_demand(run: Run, attempt: Attempt, demand: Demand, now: datetime) -> Decision:
    """Let an attempt that waits for room in a spot pool go on demand instead; its job is not known to exist."""
    place = affordable_on_demand(run, now)
    if place is None:
        return launch_again(run, attempt, now, "the launch is tried again")
    reason = f"{attempt.job_name} has waited for room for too long ({demand})"
    return _elsewhere(run, attempt, Following(place, demand), now, reason)


def adoption(run: Run, attempt: Attempt, now: datetime) -> tuple[Measure, ...]:
    """Count a launch when it becomes known, by its answer or by looking."""
    if attempt.status is not AttemptStatus.PLANNED:
        return ()
    return measures.launched(attempt, run.attempt(attempt.number - 1), now)


def _waits_for_room(run: Run, attempt: Attempt, refusal: Refusal, facts: Facts, now: datetime, reason: str) -> Decision:
    waits = replace(attempt, waits_for_room=True, refusals=0, waiting_since=attempt.waiting_since or now)
    look = ROOM_LOOK
    if refusal is Refusal.QUEUED_BEHIND:
        # Whoever has just been put in the queue may have missed the news that room was freed.
        look = (QUEUE_LOOK if run.waits_for else ROOM_LOOK) * (1 + facts.draw)
    run = run.with_attempt(waits)
    check_at = min(now + look, max(now + CHECK_SOON, next_look(run, now, look)))
    return becomes(run, now, f"{reason} It waits for room in {attempt.placement.pool}.", check_at=check_at)


def _elsewhere(
    run: Run, attempt: Attempt, onward: Following, now: datetime, reason: str, rest: float | None = None
) -> Decision:
    """Launch an attempt that was never created in another placement, under the same name; after a rest, if need be."""
    placement = onward.place.placement
    moved = replace(
        attempt,
        placement=placement,
        rung=onward.place.rung,
        cause=onward.cause,
        refusals=0,
        waits_for_room=False,
        waiting_since=None,
        max_wait_seconds=wait_limit(run, placement, now),
    )
    reason = f"{reason}; it is launched on {placement.instance_count} x {placement.instance_type} ({placement.market})"
    if rest is None:
        return launch_again(run, moved, now, reason)
    rest = min(rest, until_demand(run, now))
    check_at = now + timedelta(seconds=rest)
    return becomes(run.with_attempt(moved), now, f"{reason} in {rest:.0f} s", check_at=check_at)


def _because(attempt: Attempt) -> str:
    return f"after {attempt.cause}" if attempt.number > 1 else attempt.cause.lower()
