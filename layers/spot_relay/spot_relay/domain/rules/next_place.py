"""The ladder: which placement the next attempt gets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from spot_relay.domain.run.policy import Rung
from spot_relay.domain.run.run import MAX_ATTEMPTS, placement_of
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from spot_relay.domain.run.policy import Policy
    from spot_relay.domain.run.run import Attempt, Run

FOR_WANT_OF_CAPACITY = frozenset({Outcome.MAX_WAIT_TIME_EXCEEDED, Outcome.CAPACITY_ERROR})


@dataclass(frozen=True)
class Place:
    """A placement, and the index of the ladder's rung it belongs to."""

    rung: int
    placement: Placement


def ladder_of(policy: Policy, training_job: dict[str, Any]) -> tuple[Rung, ...]:
    """Give the ladder; a policy without one has the job's own placement, for all attempts."""
    return policy.ladder or (Rung(placement_of(training_job), MAX_ATTEMPTS),)


def first_place(policy: Policy, training_job: dict[str, Any]) -> Place:
    """Give the place of a run's first attempt."""
    return Place(0, ladder_of(policy, training_job)[0].placement)


def next_place(run: Run) -> Place | None:
    """Give the place of the attempt that follows, by the ladder alone; None if no quota can hold any of it.

    A rung keeps the run until as many attempts as it has ended there for want of capacity. After the last
    rung comes the first again: budgets, not the ladder, end a run.
    """
    rungs, here = ladder_of(run.policy, run.training_job), run.current.rung
    stay = takewhile(lambda attempt: attempt.rung == here, reversed(run.attempts))
    ended = sum(a.outcome in FOR_WANT_OF_CAPACITY for a in stay)
    first = here + (ended >= rungs[here].attempts)
    order = [(first + step) % len(rungs) for step in range(len(rungs))]
    return next((Place(i, rungs[i].placement) for i in order if is_open(run, rungs[i].placement)), None)


def place_of(run: Run, attempt: Attempt, placement: Placement) -> Place:
    """Give the place that an attempt's job runs in, which SageMaker tells; it is the attempt's own unless it is known.

    The two differ where a launch had no answer, and the attempt was then sent elsewhere although its job exists.
    """
    own = Place(attempt.rung, attempt.placement)
    listed = [Place(i, rung.placement) for i, rung in enumerate(ladder_of(run.policy, run.training_job))]
    moved = (replace(place, placement=replace(place.placement, market=placement.market)) for place in listed)
    return next((place for place in (own, *listed, *moved) if _seen(place.placement) == _seen(placement)), own)


def placed(run: Run, attempt: Attempt, placement: Placement) -> Attempt:
    """Put an attempt where its job runs."""
    place = place_of(run, attempt, placement)
    return replace(attempt, placement=place.placement, rung=place.rung)


def on_demand_places(run: Run) -> tuple[Place, ...]:
    """Give the places to go to when a run has to go on demand, the preferred first, as far as a quota may hold them.

    They are the ladder's on-demand rungs, then the present instances, and those of the other rungs, on demand.
    """
    rungs, here = ladder_of(run.policy, run.training_job), run.current.rung
    listed = ((i, rung.placement) for i, rung in enumerate(rungs) if rung.placement.market is Market.ON_DEMAND)
    others = (here, *(i for i in range(len(rungs)) if i != here))
    moved = ((i, replace(rungs[i].placement, market=Market.ON_DEMAND)) for i in others)
    return tuple(Place(rung, placement) for rung, placement in (*listed, *moved) if is_open(run, placement))


def spot_place(run: Run) -> Place | None:
    """Give the place to return to from on-demand: the ladder's first spot rung; None if it has none that is open."""
    rungs = ladder_of(run.policy, run.training_job)
    return _first_open(
        run, ((i, rung.placement) for i, rung in enumerate(rungs) if rung.placement.market is Market.SPOT)
    )


def is_open(run: Run, placement: Placement) -> bool:
    """Tell whether the quota of a placement's pool may hold it, as far as is known: fewer instances may still fit."""
    return not any(
        other.pool == placement.pool and other.instance_count <= placement.instance_count for other in run.closed
    )


def _seen(placement: Placement) -> tuple[str, int, Market]:
    """Give what a described job shows of its placement: its volume may be the training job's own."""
    return placement.instance_type, placement.instance_count, placement.market


def _first_open(run: Run, places: Iterable[tuple[int, Placement]]) -> Place | None:
    return next((Place(rung, placement) for rung, placement in places if is_open(run, placement)), None)
