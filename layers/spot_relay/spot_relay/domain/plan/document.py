"""A plan as users read it: plain JSON with a stable shape. Times are UTC, money is in USD, null is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spot_relay.domain.plan.jobs import Luck
from spot_relay.domain.shown.report import iso, start_document

if TYPE_CHECKING:
    from spot_relay.domain.plan.plan import Outlook, Plan, Room, Step

_FROM_POLICY = "policy.expected_runtime"
_FROM_LIMIT = "StoppingCondition.MaxRuntimeInSeconds"
_FROM_PARAMETER = "the stack's parameter AttemptLimits"


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return a plan as the API answers it."""
    never = plan.outlooks[Luck.NEVER]
    deadline = {
        "at": iso(plan.deadline_at),
        "earliest_finish": iso(plan.earliest_finish),
        "latest_finish": iso(plan.latest_finish),
        "on_demand_from": iso(never.on_demand_from),
    }
    return {
        "run_id": plan.run_id,
        "as_of": iso(plan.as_of),
        "start": start_document(plan.start, (), waits=bool(plan.start)),
        "placements": [_step(step, index) for index, step in enumerate(plan.steps)],
        "training_seconds": plan.training_seconds,
        "training_seconds_from": _FROM_POLICY if plan.is_training_known else _FROM_LIMIT,
        "startup_seconds": plan.startup_seconds,
        "deadline": deadline if plan.deadline_at is not None else None,
        "cost": {
            "best_usd": _usd(plan.best_usd),
            "worst_usd": _usd(plan.worst_usd),
            "on_demand_usd": _usd(plan.on_demand_usd),
        },
        "prices": {"source": plan.prices.source, "as_of": iso(plan.prices.as_of)} if plan.prices else None,
        "outlooks": {luck.value: _outlook(outlook) for luck, outlook in plan.outlooks.items()},
    }


def _step(step: Step, index: int) -> dict[str, Any]:
    placement, price = step.placement, step.price
    return {
        "order": index + 1,
        "rung": step.rung,
        "attempts": step.attempts,
        "instance_type": placement.instance_type,
        "instance_count": placement.instance_count,
        "market": placement.market.value,
        "on_demand_usd_per_hour": price and price.on_demand_usd,
        "spot_usd_per_hour": price and price.spot_usd,
        **_room(step.room),
    }


def _room(room: Room) -> dict[str, Any]:
    refusal = {"run_id": room.oldest, "message": room.because, "at": iso(room.as_of)}
    limit = {"limit": room.limit, "used": room.used, "source": _FROM_PARAMETER}
    return {
        "limit": limit if room.limit is not None else None,
        "queue": {"place": room.waiting + 1, "waiting": room.waiting, "oldest": refusal if room.oldest else None},
    }


def _outlook(outlook: Outlook) -> dict[str, Any]:
    return {
        "status": outlook.status.value,
        "reason": outlook.reason,
        "ended_at": iso(outlook.ended_at),
        "attempts": outlook.attempts,
        "on_demand_from": iso(outlook.on_demand_from),
        "cost_usd": _usd(outlook.cost_usd),
    }


def _usd(amount: float | None) -> float | None:
    return None if amount is None else round(amount, 2)
