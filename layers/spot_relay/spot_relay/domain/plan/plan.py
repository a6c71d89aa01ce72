"""The plan of a submission: where it would run and in which order, when it would finish, and what it would cost."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from spot_relay.domain.decide.beginnings import begin
from spot_relay.domain.plan.jobs import Luck
from spot_relay.domain.plan.play import Work, play
from spot_relay.domain.rules.next_place import ladder_of, on_demand_places
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.request import max_runtime_of
from spot_relay.domain.shown.accounting import account_of
from spot_relay.domain.values import dataclass, replace

if TYPE_CHECKING:
    from spot_relay.domain.run.prices import Price, PriceList
    from spot_relay.domain.run.run import Run
    from spot_relay.domain.run.start import Start


@dataclass(frozen=True)
class Room:
    """What the stack knows of the room in a placement's pool. What is None is not known."""

    limit: int | None = None
    """How many attempts on this instance type the stack runs at once, in both markets together."""
    used: int | None = None
    """How many of them run."""
    waiting: int = 0
    """How many runs wait for room in the pool, and go first."""
    oldest: str | None = None
    """The run that is next."""
    because: str | None = None
    """Why it waits: SageMaker's refusal, with the quota's limit and use where the refusal has them."""
    as_of: datetime | None = None
    """When it was refused last."""


@dataclass(frozen=True)
class Step:
    """A placement that the run may use, in the order in which it would."""

    placement: Placement
    rung: int
    attempts: int | None
    """How many attempts may fail to get capacity there; None if only a deadline leads there."""
    price: Price | None
    room: Room


@dataclass(frozen=True)
class Outlook:
    """How a run would end with some luck."""

    status: RunStatus
    reason: str
    ended_at: datetime | None
    """None if it was not played to its end."""
    attempts: int
    on_demand_from: datetime | None
    """When its first on-demand attempt would be launched."""
    cost_usd: float | None
    """None if a price is missing."""


@dataclass(frozen=True)
class Plan:
    """What would happen to a submission if it were accepted now."""

    run_id: str
    as_of: datetime
    steps: tuple[Step, ...]
    training_seconds: int
    """The training that the figures assume: the deadline's expected runtime, or else MaxRuntimeInSeconds."""
    is_training_known: bool
    """Whether the policy says how long it trains; else the figures hold for a job that uses all of MaxRuntime."""
    startup_seconds: int
    """What each start takes before it trains. It is billed as well."""
    deadline_at: datetime | None
    outlooks: dict[Luck, Outlook]
    on_demand_usd: float | None
    """What the training costs on-demand."""
    is_spot_priced: bool
    """Whether the spot prices are known; else spot counts at the on-demand price, which is the most that it costs."""
    prices: PriceList | None
    start: Start
    """What it waits for. The outlooks assume that the runs that it comes after have completed."""

    @property
    def earliest_finish(self) -> datetime | None:
        """When it finishes if spot capacity comes at once; None if it fails even so."""
        return _finish(self.outlooks[Luck.AT_ONCE])

    @property
    def latest_finish(self) -> datetime | None:
        """When it finishes with the worst luck; None if it may fail, or has no deadline that limits the wait."""
        finishes = [_finish(outlook) for outlook in self.outlooks.values()]
        known = [finish for finish in finishes if finish is not None]
        return max(known) if self.deadline_at is not None and len(known) == len(finishes) else None

    @property
    def best_usd(self) -> float | None:
        """What it costs if spot capacity comes at once; None while the spot price is not known."""
        return self.outlooks[Luck.AT_ONCE].cost_usd if self.is_spot_priced else None

    @property
    def worst_usd(self) -> float | None:
        """What it costs with the worst luck."""
        costs = [outlook.cost_usd for outlook in self.outlooks.values()]
        known = [cost for cost in costs if cost is not None]
        return max(known) if len(known) == len(costs) else None


def build_plan(accepted: Run, prices: PriceList | None, rooms: dict[Placement, Room]) -> Plan:
    """Return the plan of a run as `accept` returned it, from the whole price list and what is known of the room."""
    work, is_known = _work_of(accepted)
    begun = _begin(accepted)
    played = {luck: play(begun, luck, work) for luck in Luck}
    best = played[Luck.AT_ONCE]
    return Plan(
        run_id=accepted.id,
        as_of=accepted.created_at,
        steps=tuple(
            Step(placement, rung, attempts, _price(placement, accepted.prices), rooms.get(placement, Room()))
            for placement, rung, attempts in list_steps(accepted)
        ),
        training_seconds=round(work.training),
        is_training_known=is_known,
        startup_seconds=round(work.startup),
        deadline_at=accepted.deadline_at,
        outlooks={luck: _look_at(run) for luck, run in played.items()},
        on_demand_usd=account_of(best, best.updated_at).on_demand_cost_usd,
        is_spot_priced=all(
            (price := _price(attempt.placement, accepted.prices)) is not None and price.spot_usd is not None
            for attempt in best.attempts
            if attempt.placement.market is Market.SPOT
        ),
        prices=prices,
        start=accepted.start,
    )


def _begin(accepted: Run) -> Run:
    """Return a run as it begins if nobody keeps it waiting but its own time."""
    if not accepted.waits_to_begin:
        return accepted
    decision = begin(accepted, accepted.start.earliest(accepted.created_at))
    return replace(decision.run, outbox=decision.owes)


def list_steps(accepted: Run) -> tuple[tuple[Placement, int, int | None], ...]:
    """Return the placements of a run in order, with their rungs and the attempts that each gets.

    A deadline adds the placements on-demand that it may lead to.
    """
    rungs = ladder_of(accepted.policy, accepted.training_job)
    steps: dict[Placement, tuple[int, int | None]] = {}
    for index, rung in enumerate(rungs):
        steps.setdefault(rung.placement, (index, rung.attempts))
    if accepted.deadline_at is not None:
        for place in on_demand_places(accepted):
            steps.setdefault(place.placement, (place.rung, None))
    return tuple((placement, rung, attempts) for placement, (rung, attempts) in steps.items())


def _work_of(accepted: Run) -> tuple[Work, bool]:
    """Return what a run needs, and whether its policy says so."""
    deadline = accepted.policy.deadline
    if deadline is None:
        return Work(max_runtime_of(accepted.training_job), 0), False
    return Work(deadline.expected_runtime_seconds, deadline.changeover_seconds), True


def _look_at(run: Run) -> Outlook:
    paid = (attempt for attempt in run.attempts if attempt.placement.market is Market.ON_DEMAND)
    first = next(paid, None)
    return Outlook(
        status=run.status,
        reason=run.reason,
        ended_at=run.ended_at,
        attempts=len(run.attempts),
        on_demand_from=first.launched_at if first else None,
        cost_usd=account_of(run, run.updated_at).cost_usd,
    )


def _price(placement: Placement, prices: PriceList | None) -> Price | None:
    return prices.by_instance_type.get(placement.instance_type) if prices else None


def _finish(outlook: Outlook) -> datetime | None:
    return outlook.ended_at if outlook.status is RunStatus.COMPLETED else None
