"""Whether, when and from where an attempt is followed by another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from math import inf

from spot_relay.domain.rules.money import unaffordable
from spot_relay.domain.rules.next_place import Place, next_place, on_demand_places, spot_place
from spot_relay.domain.rules.pace import AHEAD_OF_PACE, Demand, max_wait_seconds, standing_of
from spot_relay.domain.run.launch import max_runtime_seconds
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.domain.run.run import MAX_ATTEMPTS, Attempt, AttemptStatus, Run, Spent
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Checkpoint, Market, Placement, Pool, attempt_name
from spot_relay.domain.values import replace

_BUDGETS = {
    Outcome.MAX_WAIT_TIME_EXCEEDED: ("expired_waits", "the wait for spot capacity expired"),
    Outcome.CAPACITY_ERROR: ("capacity_failures", "SageMaker found no capacity"),
    Outcome.SERVICE_ERROR: ("service_errors", "SageMaker had an internal error"),
    Outcome.USER_ERROR: ("user_errors", "the training failed"),
}

# After an expired wait a new job at once is right: while it waits it is the one sensor of capacity there is.
_AT_ONCE = frozenset({Outcome.MAX_WAIT_TIME_EXCEEDED, Outcome.MAX_RUNTIME_EXCEEDED})


@dataclass(frozen=True)
class Relaunch:
    """Another attempt follows, after ``wait_seconds``, or at once when that is None."""

    reason: str
    spent: Spent
    wait_seconds: float | None


@dataclass(frozen=True)
class Following:
    """Where the next attempt runs, and the cause it is given."""

    place: Place
    cause: str


def relaunch_forbidden(run: Run) -> str | None:
    """Say what forbids any further attempt, whatever ended the last one; None if nothing does."""
    if len(run.attempts) >= MAX_ATTEMPTS:
        return f"the run has had {MAX_ATTEMPTS} attempts, the most a run can have"
    if run.checkpoint_uri is None and not run.policy.restart_from_scratch:
        return (
            "the training job has no CheckpointConfig, so another attempt would begin at zero: give it one, "
            "or set policy.restart_from_scratch to true, and submit it under another name"
        )
    return None


def after_end(run: Run, attempt: Attempt, draw: float, now: datetime) -> Relaunch | str:
    """Decide what follows an attempt's bad end: a relaunch, or the sentence with which the run fails."""
    outcome = attempt.outcome or Outcome.UNKNOWN_FAILURE
    if outcome is Outcome.UNKNOWN_FAILURE:
        return f"{attempt.job_name} failed in a way Spot Relay does not know: {attempt.failure_reason}"
    why = f"{attempt.job_name}: {_what_happened(attempt, outcome)}"
    if outcome is Outcome.MAX_RUNTIME_EXCEEDED and (no := _runtime_is_final(run, attempt)):
        return f"{why}; {no}"
    if outcome is Outcome.USER_ERROR and run.policy.budgets.user_errors == 0:
        return why
    if forbidden := relaunch_forbidden(run):
        return f"{why}; {forbidden}"
    spent = run.spent
    for budget in _budgets_touched(run, attempt, outcome):
        allowed, used = getattr(run.policy.budgets, budget), getattr(spent, budget)
        if used >= allowed:
            return (
                f"{why}; the budget {budget} ({allowed}) is spent. Resume the run to go on with its counts at zero, "
                f"with a higher policy.budgets.{budget} if need be"
            )
        spent = replace(spent, **{budget: used + 1})
    return Relaunch(why, spent, _wait(run, outcome, draw, now))


def following(run: Run, cause: str, now: datetime) -> Following | str:
    """Choose where the run goes on after its newest attempt has ended; a sentence if no quota lets it go on at all.

    The deadline has the first word, then a return to spot that is under way, then the ladder. The time that the stop
    of such a return has taken is no reason to give it up: only the safety net is.
    """
    standing, returns = standing_of(run, now), run.current.switch_to is Market.SPOT
    demand = standing.demand(0.0 if returns else inf) if standing else None
    if demand is not None and (place := affordable_on_demand(run, now)):
        keeps_cause = demand is not Demand.SAFETY_NET and run.current.placement.market is Market.ON_DEMAND
        return Following(place, cause if keeps_cause else demand)
    if returns and (place := spot_place(run)):
        return Following(place, AHEAD_OF_PACE)
    if standing is not None and run.current.placement.market is Market.ON_DEMAND:
        place = affordable_on_demand(run, now) if _stays_on_demand(run) else spot_place(run)
        if place is not None:
            return Following(place, cause)
    if place := next_place(run):
        return Following(place, cause)
    closed = ", ".join(f"{place.instance_count} x {place.pool}" for place in run.closed)
    return f"no quota can hold another attempt (asked for: {closed}). Raise one of them and resume the run"


def _stays_on_demand(run: Run) -> bool:
    return run.policy.deadline is not None and run.policy.deadline.return_to_spot is ReturnToSpot.NEVER


def affordable_on_demand(run: Run, now: datetime) -> Place | None:
    """Give the place to go to on demand, or None where no quota or the money budget lets the run go there.

    A pool that has failed for capacity lately is left alone where there is another.
    """
    places = [place for place in on_demand_places(run) if unaffordable(run, place.placement, now) is None]
    rested = (place for place in places if cooling(run, place.placement.pool, 0.0, now) is None)
    return next(rested, places[0] if places else None)


def next_attempt(run: Run, following: Following, checkpoint: Checkpoint | None, now: datetime) -> Attempt:
    """Plan the run's next attempt."""
    number = len(run.attempts) + 1
    placement = following.place.placement
    return Attempt(
        number=number,
        job_name=attempt_name(run.id, number),
        placement=placement,
        planned_at=now,
        cause=following.cause,
        resumes_from=checkpoint,
        rung=following.place.rung,
        max_wait_seconds=wait_limit(run, placement, now),
    )


def wait_limit(run: Run, placement: Placement, now: datetime) -> int | None:
    """Give the MaxWaitTimeInSeconds that the deadline asks of an attempt planned now, or None."""
    if placement.market is not Market.SPOT:
        return None
    return max_wait_seconds(run, max_runtime_seconds(run.training_job), now)


def cooling(run: Run, pool: Pool, draw: float, now: datetime) -> float | None:
    """Draw how long to leave a pool alone that has failed for capacity lately; None if it can be tried at once.

    The pool of the newest end, if that was a capacity failure, is never tried at once.
    """
    backoff, failure = run.policy.backoff, Outcome.CAPACITY_ERROR
    lately = now - timedelta(seconds=backoff.max_seconds)
    ended = [attempt for attempt in run.attempts if attempt.status is AttemptStatus.ENDED]
    failed = {
        a.placement.pool for a in ended if a.outcome is failure and a.ended_at is not None and a.ended_at > lately
    }
    failed |= {a.placement.pool for a in ended[-1:] if a.outcome is failure}
    if pool not in failed:
        return None
    return max(backoff.seconds(_in_a_row(ended, failure), draw), backoff.base_seconds)


def _wait(run: Run, outcome: Outcome, draw: float, now: datetime) -> float | None:
    """Draw how long to back off, or None for at once."""
    if outcome in _AT_ONCE:
        return None
    if outcome is not Outcome.CAPACITY_ERROR:
        return run.policy.backoff.seconds(_in_a_row(run.attempts, outcome), draw)
    onward = following(run, outcome, now)
    place = onward.place.placement if isinstance(onward, Following) else run.current.placement
    return cooling(run, place.pool, draw, now)


def until_demand(run: Run, now: datetime, waited: float = inf) -> float:
    """Give the seconds after which a run has to go on demand whose job does not live, if it does not have to yet.

    Between two attempts it has ``waited`` for long enough; before its first chance of capacity it has not at all.
    """
    standing = standing_of(run, now)
    if standing is None or standing.demand(waited) is not None:
        return inf
    return standing.demand_in(waited)


def _what_happened(attempt: Attempt, outcome: Outcome) -> str:
    if outcome is Outcome.MAX_RUNTIME_EXCEEDED:
        return "MaxRuntimeInSeconds was exceeded"
    text = _BUDGETS[outcome][1]
    return f"{text} ({attempt.failure_reason})" if attempt.failure_reason else text


def _runtime_is_final(run: Run, attempt: Attempt) -> str | None:
    # Under a deadline interruptions and changeovers may add up to it; a run that gets on goes on.
    if not run.policy.relaunch_on_max_runtime and run.policy.deadline is None:
        return "raise it, or set policy.relaunch_on_max_runtime to true, and submit the spec under another name"
    if not attempt.has_progressed:
        return "the attempt left no checkpoint newer than its beginning, so another would end the same way"
    return None


def _budgets_touched(run: Run, attempt: Attempt, outcome: Outcome) -> tuple[str, ...]:
    """Name the budgets an end draws on. An attempt that never trained had no chance to make progress."""
    kind = (_BUDGETS[outcome][0],) if outcome in _BUDGETS else ()
    idle = run.checkpoint_uri is not None and attempt.has_trained and not attempt.has_progressed
    return (*kind, "attempts_without_progress") if idle else kind


def _in_a_row(attempts: Sequence[Attempt], outcome: Outcome) -> int:
    return sum(1 for _ in takewhile(lambda a: a.outcome is outcome, reversed(attempts)))
