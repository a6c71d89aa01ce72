"""Where and when the next attempt runs: by the ladder, and by the deadline, which may overrule it."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile
from math import inf
from typing import Any

from spot_relay.domain.rules.after_end import ENDS, count_in_a_row, end_of
from spot_relay.domain.rules.money import check_money
from spot_relay.domain.rules.pace import standing_of
from spot_relay.domain.run.attempt import Attempt, AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.policy import Policy, ReturnToSpot, Rung
from spot_relay.domain.run.run import MAX_ATTEMPTS, Run
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Market, Placement, Pool
from spot_relay.domain.sagemaker.request import placement_of
from spot_relay.domain.values import No, dataclass, replace


@dataclass(frozen=True)
class Place:
    """A placement, and the index of the ladder's rung it belongs to."""

    rung: int
    placement: Placement


@dataclass(frozen=True)
class Onward:
    """Where the next attempt runs, and the cause that it gets."""

    place: Place
    cause: Cause


def choose_place(run: Run, cause: Cause, now: datetime) -> Onward | No:
    """Return where the run continues after its newest attempt has ended; No if it cannot continue in any.

    The deadline decides first, then its user's move or a return to spot that is under way, then the ladder. The time
    that going to spot takes is no reason to abandon it; only the safety net is.
    """
    standing = standing_of(run, now)
    returns = run.moved_to is not Market.ON_DEMAND and Market.SPOT in {run.current.switch_to, run.moved_to}
    demand = standing.demand(0.0 if returns else inf) if standing else None
    if demand is not None and (place := affordable_on_demand(run, now)):
        keeps_cause = demand is not Cause.SAFETY_NET and run.current.placement.market is Market.ON_DEMAND
        return Onward(place, cause if keeps_cause else demand)
    if run.moved_to is Market.ON_DEMAND and (place := affordable_on_demand(run, now)):
        is_there = run.current.placement.market is Market.ON_DEMAND and run.current.switch_to is None
        return Onward(place, cause if is_there else Cause.MOVED)
    if returns and (place := spot_place(run)):
        return Onward(place, Cause.MOVED if run.moved_to is Market.SPOT else Cause.AHEAD_OF_PACE)
    if standing is not None and run.current.placement.market is Market.ON_DEMAND:
        place = affordable_on_demand(run, now) if _stays_on_demand(run) else spot_place(run)
        if place is not None:
            return Onward(place, cause)
    if place := place_by_ladder(run):
        return Onward(place, cause)
    closed = ", ".join(map(str, run.closed))
    return No(
        f"SageMaker refuses every placement for good (tried: {closed}). Resume the run when a quota has been raised, "
        "or submit the spec under another name with other placements."
    )


def wait_after(run: Run, outcome: Outcome, draw: float, now: datetime) -> float | None:
    """Return how many seconds to wait before the relaunch after an end, or None to relaunch at once."""
    if ENDS[outcome].at_once:
        return None
    if outcome is not Outcome.CAPACITY_ERROR:
        return run.policy.backoff.seconds(count_in_a_row(run.attempts, outcome), draw)
    onward = choose_place(run, Cause.CAPACITY_ERROR, now)
    placement = onward.place.placement if isinstance(onward, Onward) else run.current.placement
    return rest_of_pool(run, placement.pool, draw, now)


def rest_of_pool(run: Run, pool: Pool, draw: float, now: datetime) -> float | None:
    """Return how many seconds to rest a pool that had no capacity lately; None if it can be tried at once."""
    if not _needs_rest(run, pool, now):
        return None
    backoff, ended = run.policy.backoff, _ended_attempts(run)
    return max(backoff.seconds(count_in_a_row(ended, Outcome.CAPACITY_ERROR), draw), backoff.base_seconds)


def _needs_rest(run: Run, pool: Pool, now: datetime) -> bool:
    """Whether a pool had no capacity lately, or when the newest attempt ended, however long ago that was."""
    lately = now - timedelta(seconds=run.policy.backoff.max_seconds)
    newest_first = reversed(_ended_attempts(run))
    return any(
        attempt.placement.pool == pool
        and attempt.outcome is Outcome.CAPACITY_ERROR
        and (place == 0 or (attempt.ended_at is not None and attempt.ended_at > lately))
        for place, attempt in enumerate(newest_first)
    )


def _ended_attempts(run: Run) -> list[Attempt]:
    return [attempt for attempt in run.attempts if attempt.status is AttemptStatus.ENDED]


def ladder_of(policy: Policy, training_job: dict[str, Any]) -> tuple[Rung, ...]:
    """Return the ladder; a policy without one has the job's own placement, for all attempts."""
    return policy.ladder or (Rung(placement_of(training_job), MAX_ATTEMPTS),)


def place_by_ladder(run: Run) -> Place | None:
    """Return the place of the next attempt by the ladder alone; None if all its placements are refused for good.

    The run stays on a rung until as many attempts as the rung allows have failed to get capacity there. After the
    last rung comes the first again: budgets, not the ladder, end a run.
    """
    rungs, here = ladder_of(run.policy, run.training_job), run.current.rung
    stay = takewhile(lambda attempt: attempt.rung == here, reversed(run.attempts))
    failed = sum(end_of(attempt).moves_down for attempt in stay)
    first = here + (failed >= rungs[here].attempts)
    order = [(first + step) % len(rungs) for step in range(len(rungs))]
    return next((Place(i, rungs[i].placement) for i in order if is_open(run, rungs[i].placement)), None)


def place_of_job(run: Run, attempt: Attempt, placement: Placement) -> Place:
    """Return the place that an attempt's job runs in, as SageMaker describes it; the attempt's own if none matches.

    The two differ if a launch was not answered and the attempt was then moved, although its job exists.
    """
    own = Place(attempt.rung, attempt.placement)
    listed = [Place(i, rung.placement) for i, rung in enumerate(ladder_of(run.policy, run.training_job))]
    moved = (replace(place, placement=replace(place.placement, market=placement.market)) for place in listed)
    return next((place for place in (own, *listed, *moved) if _looks_like(place.placement, placement)), own)


def move_to_job(run: Run, attempt: Attempt, placement: Placement) -> Attempt:
    """Return the attempt in the place that its job runs in.

    One that its user has moved before its launch was answered has to switch only if its job runs in the other market.
    """
    place = place_of_job(run, attempt, placement)
    arrives = attempt.status is AttemptStatus.PLANNED and attempt.switch_to is place.placement.market
    switch_to = None if arrives else attempt.switch_to
    return replace(attempt, placement=place.placement, rung=place.rung, switch_to=switch_to)


def affordable_on_demand(run: Run, now: datetime) -> Place | None:
    """Return the place to go to on-demand, or None if SageMaker or the money budget allows none.

    A pool that had no capacity lately is skipped if there is another.
    """
    places = [place for place in on_demand_places(run) if check_money(run, place.placement, now) is None]
    rested = (place for place in places if not _needs_rest(run, place.placement.pool, now))
    return next(rested, places[0] if places else None)


def on_demand_places(run: Run) -> tuple[Place, ...]:
    """Return the on-demand places that are not refused for good, in order of preference.

    First come the ladder's on-demand rungs, then the current rung's instances on-demand, then those of other rungs.
    """
    rungs, here = ladder_of(run.policy, run.training_job), run.current.rung
    listed = ((i, rung.placement) for i, rung in enumerate(rungs) if rung.placement.market is Market.ON_DEMAND)
    here_first = sorted(range(len(rungs)), key=lambda i: i != here)
    moved = ((i, replace(rungs[i].placement, market=Market.ON_DEMAND)) for i in here_first)
    return tuple(Place(rung, placement) for rung, placement in (*listed, *moved) if is_open(run, placement))


def spot_place(run: Run) -> Place | None:
    """Return the place to return to from on-demand: the ladder's first open spot rung, or None."""
    rungs = enumerate(ladder_of(run.policy, run.training_job))
    places = (Place(i, rung.placement) for i, rung in rungs if rung.placement.market is Market.SPOT)
    return next((place for place in places if is_open(run, place.placement)), None)


def is_open(run: Run, placement: Placement) -> bool:
    """Whether SageMaker may accept a placement, as far as is known.

    If it has refused one for good, fewer instances of the same pool may still fit.
    """
    return not any(
        other.pool == placement.pool and other.instance_count <= placement.instance_count for other in run.closed
    )


def _stays_on_demand(run: Run) -> bool:
    return run.policy.deadline is not None and run.policy.deadline.return_to_spot is ReturnToSpot.NEVER


def _looks_like(placement: Placement, described: Placement) -> bool:
    """Whether a described job may run in a placement. Its volume size may be the job's own, so it is not compared."""
    same_instances = (placement.instance_type, placement.instance_count) == (
        described.instance_type,
        described.instance_count,
    )
    return same_instances and placement.market is described.market
