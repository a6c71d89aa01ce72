"""What follows the answer to a launch: the job exists, or it was refused, for now or for good."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from spot_relay.domain.decide.markets import describe_demand, next_look
from spot_relay.domain.decide.steps import (
    CHECK_SOON,
    STOP_LATER,
    STOPPING_IT,
    UNRECOGNIZED_TRIES,
    Decision,
    change,
    close_uncreated,
    describe_giving_up,
    finish,
    forget_refusals,
    ignore_repeated_launch,
    ignore_unknown_attempt,
    launch_again,
    stop_needless_job,
    unchanged,
)
from spot_relay.domain.rules.money import check_money
from spot_relay.domain.rules.next_place import (
    Onward,
    affordable_on_demand,
    choose_place,
    move_to_job,
    rest_of_pool,
)
from spot_relay.domain.rules.pace import max_wait_of, seconds_until_demand
from spot_relay.domain.rules.turns import LEAD
from spot_relay.domain.run.attempt import Attempt, AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.outbox import Measure, Outbox, Room
from spot_relay.domain.run.policy import Budget
from spot_relay.domain.run.run import ABSENCE_PATIENCE, TICK, Run, RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.quota import parse_quota
from spot_relay.domain.sagemaker.redaction import hide_secrets
from spot_relay.domain.sagemaker.refusal import Refusal, advise
from spot_relay.domain.shown import metrics
from spot_relay.domain.values import No, as_sentence, replace

if TYPE_CHECKING:
    from spot_relay.domain.decide.facts import Facts
    from spot_relay.domain.run.cause import Demand
    from spot_relay.domain.run.observation import Launched, Refused

# The oldest run that waits for room tries again with each tick; those behind it are woken, and rarely try unasked.
ROOM_LOOK = TICK
QUEUE_LOOK = timedelta(minutes=15)
# After a throttled launch the next one follows within these seconds. Its turn may be later, if others are in line.
LEAST_AFTER_THROTTLING, MOST_AFTER_THROTTLING = 20, 110
_EACH_MINUTE = "Trying again every minute."

# Why an attempt was launched, in words that follow the name of its job.
_WHY: dict[Cause, str] = {
    Cause.SUBMITTED: "for the submitted spec",
    Cause.RESUMED: "to resume the run",
    Cause.SAFETY_NET: "because the deadline leaves no time to wait for spot",
    Cause.BEHIND_PACE: "because waiting longer for spot would put the deadline at risk",
    Cause.AHEAD_OF_PACE: "to return to spot, because the run is ahead of schedule",
    Cause.MOVED: "because the run was moved by request",
    Cause.MAX_WAIT_TIME_EXCEEDED: "because the attempt before it reached MaxWaitTimeInSeconds",
    Cause.MAX_PENDING_TIME_EXCEEDED: "because the attempt before it reached MaxPendingTimeInSeconds",
    Cause.MAX_RUNTIME_EXCEEDED: "because the attempt before it reached MaxRuntimeInSeconds",
    Cause.STOPPED: "because the attempt before it was stopped as planned",
    Cause.CAPACITY_ERROR: "because the attempt before it got no capacity",
    Cause.SERVICE_ERROR: "because the attempt before it met an internal error in SageMaker",
    Cause.USER_ERROR: "because the attempt before it failed and the policy allows a restart",
    Cause.UNKNOWN_FAILURE: "because the attempt before it failed",
}


def follow_launch(run: Run, answer: Launched, facts: Facts, now: datetime) -> Decision:
    """Record that the job of an attempt exists."""
    attempt = run.attempt(answer.attempt)
    if attempt is None:
        return ignore_unknown_attempt(run, answer.attempt)
    if attempt.outcome is Outcome.NEVER_CREATED:
        return stop_needless_job(run, attempt.job_name, Outbox(stop=attempt.job_name))
    if attempt.status is not AttemptStatus.PLANNED:
        return ignore_repeated_launch(run, attempt.job_name)
    lives = replace(
        move_to_job(run, attempt, answer.placement or attempt.placement),
        status=AttemptStatus.IN_PROGRESS,
        arn=answer.arn,
        launched_at=now,
        refusals=0,
        unrecognized_refusals=0,
        gives_up=False,
        waits_for_room=False,
        waits_for_any_room=False,
        waiting_since=now,
        turn_at=None,
    )
    owes = Outbox(measures=measure_adoption(run, attempt, now))
    # An earlier launch that seemed to fail may have created the job, and its events may have come too early.
    soon = run.stop_requested or attempt.refusals > 0 or lives.switch_to is not None
    stopping = f" {STOPPING_IT}" if run.stop_requested else ""
    if run.stop_requested:
        owes = owes.then(Outbox(stop=attempt.job_name))
    run = forget_refusals(run.with_attempt(lives))
    return change(
        run,
        now,
        f"Created {attempt.job_name} {_WHY[attempt.cause]}.{stopping}",
        owes,
        status=RunStatus.STOPPING if run.stop_requested else RunStatus.IN_PROGRESS,
        check_at=now + CHECK_SOON if soon else next_look(run, now, facts.check_every),
    )


def follow_refusal(run: Run, answer: Refused, facts: Facts, now: datetime) -> Decision:
    """Wait and try again, continue in another placement, or end the run."""
    attempt = run.attempt(answer.attempt)
    if attempt is None or run.has_ended or attempt.status is not AttemptStatus.PLANNED:
        return unchanged(run, "The refusal is out of date and changes nothing.")
    attempt = replace(attempt, turn_at=answer.turn_at)
    message = as_sentence(hide_secrets(answer.message, run.training_job))
    if answer.turn_at is not None:
        return _await_turn(run, attempt, answer, answer.turn_at, message, now)
    if answer.refusal.needs_room:
        return _wait_for_room(run, attempt, answer.refusal, message, facts, now)
    if answer.refusal.backs_off:
        return _try_again(run, attempt, answer.refusal, message, facts, now)
    refused = f"SageMaker refused to create {attempt.job_name}: {message}"
    advice = advise(answer.refusal, message)
    if answer.refusal.closes_place and not run.stop_requested:
        run = _close_place(run, attempt)
        onward = _open_place(run, attempt, now)
        if isinstance(onward, Onward):
            return _relocate(run, attempt, onward, facts, now, refused)
        if onward is not None:
            advice = onward.because
    never = run.with_attempt(close_uncreated(attempt, now, message))
    status = RunStatus.STOPPED if run.stop_requested and run.failing_because is None else RunStatus.FAILED
    owes = Outbox(freed=(Room(attempt.placement.pool, attempt.job_name),))
    return finish(never, status, now, f"{refused} {advice}", owes)


def go_on_demand(run: Run, attempt: Attempt, demand: Demand, now: datetime) -> Decision:
    """Move an attempt that waits for room in a spot pool to on-demand; its job is not known to exist."""
    place = affordable_on_demand(run, now)
    if place is None:
        return launch_again(run, attempt, now)
    moved = move_attempt(run, attempt, Onward(place, demand), now)
    return launch_again(run, moved, now, f"{describe_demand(demand, attempt)} {_describe_move(moved)}")


def measure_adoption(run: Run, attempt: Attempt, now: datetime) -> tuple[Measure, ...]:
    """Return the metrics of a launch once it is known to have succeeded, from its answer or a description."""
    if attempt.status is not AttemptStatus.PLANNED:
        return ()
    return metrics.measure_launch(attempt, run.attempt(attempt.number - 1), now)


def _wait_for_room(run: Run, attempt: Attempt, refusal: Refusal, message: str, facts: Facts, now: datetime) -> Decision:
    waits = replace(
        attempt,
        waits_for_room=True,
        waits_for_any_room=False,
        refusals=0,
        unrecognized_refusals=0,
        waiting_since=attempt.waiting_since or now,
    )
    look = ROOM_LOOK
    if refusal is Refusal.QUEUED_BEHIND:
        # A run that has just joined the queue may have missed the news that room was freed.
        look = (QUEUE_LOOK if run.waits_for else ROOM_LOOK) * (1 + facts.draw)
    run = run.with_attempt(waits)
    check_at = min(now + look, max(now + CHECK_SOON, next_look(run, now, look)))
    return change(run, now, _describe_wait(attempt, refusal, message), check_at=check_at)


def _describe_wait(attempt: Attempt, refusal: Refusal, message: str) -> str:
    """Return what an attempt waits for, and when it starts."""
    if refusal is Refusal.QUEUED_BEHIND:
        return f"{message} {attempt.job_name} starts when its turn comes."
    if refusal is Refusal.LIMIT_REACHED:
        return f"{message} {attempt.job_name} starts when one of them ends. {_EACH_MINUTE}"
    quota, pool = parse_quota(message), attempt.placement.pool
    if quota is None or quota.utilization is None or quota.delta is None:
        full = f"The quota for {pool} has no room: {message}"
    else:
        used = f"{quota.utilization:,.0f} of {quota.limit:,.0f} in use, {quota.delta:,.0f} needed"
        full = f"The quota for {pool} has no room ({used})."
    return f"{full} {attempt.job_name} is next in the queue and starts when enough instances are free. {_EACH_MINUTE}"


def _await_turn(
    run: Run, attempt: Attempt, answer: Refused, turn_at: datetime, message: str, now: datetime
) -> Decision:
    """Launch when its turn comes, and a little before be there. A run that waits for room keeps its place."""
    if run.stop_requested:
        # After a stop nothing is launched any more, but the job may exist from an earlier launch.
        return change(run.with_attempt(attempt), now, f"{message} {STOP_LATER}", check_at=now + ABSENCE_PATIENCE)
    reason = f"{message} {attempt.job_name} is launched at {turn_at:%Y-%m-%d %H:%M:%S} UTC."
    # If a message wakes it, the tick only has to find a run whose message was lost, and must not launch it twice.
    check_at = turn_at + TICK if answer.is_woken else turn_at - LEAD
    return change(run.with_attempt(attempt), now, reason, check_at=check_at)


def _try_again(run: Run, attempt: Attempt, refusal: Refusal, message: str, facts: Facts, now: datetime) -> Decision:
    """Retry a launch later that was refused for a temporary reason, a bounded number of times."""
    again = _count_refusal(attempt, refusal)
    if refusal.draws and not run.stop_requested:
        if again.unrecognized_refusals >= UNRECOGNIZED_TRIES:
            return _leave_place(run, again, message, facts, now)
        if run.spent.refusals >= run.policy.budgets.refusals:
            return _give_up(run, again, message, now)
        run = replace(run, spent=run.spent.draw(Budget.REFUSALS))
    run = run.with_attempt(again)
    most = run.policy.backoff.max_seconds
    seconds = run.policy.backoff.seconds(again.refusals, facts.draw)
    if refusal in {Refusal.THROTTLED, Refusal.UNDESCRIBED}:
        # The rate is the account's, and says nothing about this run: others would only overtake one that backs off.
        most = MOST_AFTER_THROTTLING
        seconds = LEAST_AFTER_THROTTLING + facts.draw * (most - LEAST_AFTER_THROTTLING)
    wait = timedelta(seconds=min(seconds, seconds_until_demand(run, now, waited=0.0)))
    wait = min(wait, ROOM_LOOK) if again.waits_for_room else wait
    # Name the bound, not the drawn wait: decisions with equal reasons share one explanation.
    sooner = ", or sooner if instances become free" if again.waits_for_any_room else ""
    then = f"Trying again within {most} s{sooner}."
    if run.stop_requested:
        # After a stop nothing is launched any more, but the job may exist without being found yet.
        wait, then = ABSENCE_PATIENCE, STOP_LATER
    return change(run, now, f"Could not create {attempt.job_name} yet: {message} {then}", check_at=now + wait)


def _count_refusal(attempt: Attempt, refusal: Refusal) -> Attempt:
    """Return the attempt after one more temporary refusal.

    One that waits for room keeps its place while SageMaker does not answer; otherwise all runs behind it would be
    woken one after another. For anything else nobody has to wait behind it.
    """
    unanswered = refusal in {Refusal.THROTTLED, Refusal.UNAVAILABLE, Refusal.UNDESCRIBED}
    return replace(
        attempt,
        refusals=attempt.refusals + refusal.draws,
        unrecognized_refusals=attempt.unrecognized_refusals + (refusal is Refusal.UNRECOGNIZED),
        waits_for_room=attempt.waits_for_room and unanswered,
        waits_for_any_room=refusal is Refusal.SHARED_QUOTA_FULL or (attempt.waits_for_any_room and unanswered),
    )


def _give_up(run: Run, attempt: Attempt, message: str, now: datetime) -> Decision:
    """Launch an attempt no more, and end the run once the attempt's job is known not to exist."""
    last = replace(attempt, gives_up=True, failure_reason=message, waits_for_room=False, waits_for_any_room=False)
    run = run.with_attempt(last)
    minutes = ABSENCE_PATIENCE.seconds // 60
    reason = f"{describe_giving_up(run, last)} Checking in {minutes} minutes that it does not exist."
    return change(run, now, reason, check_at=now + ABSENCE_PATIENCE)


def _leave_place(run: Run, attempt: Attempt, message: str, facts: Facts, now: datetime) -> Decision:
    """Continue in another placement, or give up if there is none."""
    run = _close_place(run, attempt)
    onward = _open_place(run, attempt, now)
    if not isinstance(onward, Onward):
        return _give_up(run, attempt, message, now)
    refused = f"SageMaker has refused to create {attempt.job_name} {attempt.unrecognized_refusals} times: {message}"
    return _relocate(run, attempt, onward, facts, now, refused)


def _close_place(run: Run, attempt: Attempt) -> Run:
    return replace(run, closed=tuple(dict.fromkeys((*run.closed, attempt.placement))))


def _open_place(run: Run, attempt: Attempt, now: datetime) -> Onward | No | None:
    """Return where an attempt continues whose placement is closed, why it cannot be paid for, or None if nowhere."""
    onward = choose_place(run, attempt.cause, now)
    if isinstance(onward, No):
        return None
    if no := check_money(run, onward.place.placement, now):
        return No(f"Its next placement costs too much. {no.because}")
    return onward


def _relocate(run: Run, attempt: Attempt, onward: Onward, facts: Facts, now: datetime, reason: str) -> Decision:
    """Move an attempt that was never created to another placement, and launch it there, after a rest if needed."""
    moved = move_attempt(run, attempt, onward, now)
    rest = rest_of_pool(run, moved.placement.pool, facts.draw, now)
    if rest is None:
        return launch_again(run, moved, now, f"{reason} {_describe_move(moved)}")
    rest = min(rest, seconds_until_demand(run, now))
    reason = f"{reason} Launching it on {moved.placement} instead, in {rest:.0f} s."
    return change(run.with_attempt(moved), now, reason, check_at=now + timedelta(seconds=rest))


def _describe_move(moved: Attempt) -> str:
    return f"Launching it on {moved.placement} instead."


def move_attempt(run: Run, attempt: Attempt, onward: Onward, now: datetime) -> Attempt:
    """Return an attempt that was never created in another placement."""
    placement = onward.place.placement
    return replace(
        attempt,
        placement=placement,
        rung=onward.place.rung,
        cause=onward.cause,
        refusals=0,
        unrecognized_refusals=0,
        waits_for_room=False,
        waits_for_any_room=False,
        waiting_since=None,
        switch_to=None,
        max_wait_seconds=max_wait_of(run, placement, now),
    )
