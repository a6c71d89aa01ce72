"""What runs cost and saved, by run, instance type or month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spot_relay_client.models import Attempt, Run

FIELDS: Final = (
    "key",
    "runs",
    "unpriced_runs",
    "training_seconds",
    "billable_seconds",
    "interruptions",
    "savings_percent",
    "cost_usd",
    "on_demand_cost_usd",
    "saved_usd",
)


@dataclass(frozen=True)
class Savings:
    """Sums over runs. Seconds are of jobs, as SageMaker counts them; money is in USD, and leaves out unpriced runs."""

    key: str
    runs: int
    unpriced_runs: int
    """How many runs have no known prices, or, by instance type, attempts without."""
    training_seconds: int
    billable_seconds: int
    interruptions: int
    cost_usd: float | None
    """None if no run has a known price, as is on_demand_cost_usd."""
    on_demand_cost_usd: float | None
    compared_seconds: int
    """The training seconds of the attempts whose billable seconds are known."""

    @property
    def savings_percent(self) -> float | None:
        """The savings by SageMaker's own formula, (1 - billable / training) * 100, or None if nothing trained."""
        if not self.compared_seconds:
            return None
        return round((1 - self.billable_seconds / self.compared_seconds) * 100, 1)

    @property
    def saved_usd(self) -> float | None:
        """The difference to on-demand, or None if no run has a known price."""
        if self.cost_usd is None or self.on_demand_cost_usd is None:
            return None
        return round(self.on_demand_cost_usd - self.cost_usd, 6)


def group_savings(runs: Iterable[Run], by: str) -> list[Savings]:
    """Return the savings of runs by ``run``, ``instance-type`` or ``month``; months in their order."""
    if by == "instance-type":
        return _sum_by_instance_type(list(runs))
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.name if by == "run" else f"{run.created_at:%Y-%m}", []).append(run)
    rows = [_sum(key, members) for key, members in groups.items()]
    return sorted(rows, key=lambda row: row.key) if by != "run" else rows


def total_of(runs: Sequence[Run]) -> Savings:
    """Return the savings of all runs together."""
    return _sum("total", runs)


def to_document(row: Savings) -> dict[str, Any]:
    """Return a row with the keys of `FIELDS`."""
    return {name: getattr(row, name) for name in FIELDS}


def _sum_by_instance_type(runs: Sequence[Run]) -> list[Savings]:
    """Return a row for each instance type, with the attempts on it, and its canaries' costs; types in their order."""
    attempts = [(run.name, attempt) for run in runs for attempt in run.attempts]
    canaries = [canary for run in runs for canary in run.canaries]
    return [
        _sum_attempts(
            kind,
            [(name, attempt) for name, attempt in attempts if attempt.placement.instance_type == kind],
            sum(canary.cost_usd or 0 for canary in canaries if canary.placement.instance_type == kind),
        )
        for kind in sorted({attempt.placement.instance_type for _, attempt in attempts})
    ]


def _sum_attempts(key: str, attempts: Sequence[tuple[str, Attempt]], canaries_usd: float) -> Savings:
    priced = [attempt for _, attempt in attempts if attempt.cost_usd is not None]
    trained = [attempt for _, attempt in attempts]
    return Savings(
        key=key,
        runs=len({name for name, _ in attempts}),
        unpriced_runs=len({name for name, attempt in attempts if attempt.cost_usd is None}),
        training_seconds=sum(attempt.training_seconds or 0 for attempt in trained),
        billable_seconds=sum(attempt.billable_seconds or 0 for attempt in trained),
        interruptions=sum(attempt.interruptions for attempt in trained),
        cost_usd=round(sum(attempt.cost_usd or 0 for attempt in priced) + canaries_usd, 6) if priced else None,
        on_demand_cost_usd=round(sum(attempt.on_demand_cost_usd or 0 for attempt in priced), 6) if priced else None,
        compared_seconds=_compare(trained),
    )


def _compare(attempts: Iterable[Attempt]) -> int:
    """Return the training seconds of those attempts whose billable seconds are known."""
    return sum(attempt.training_seconds or 0 for attempt in attempts if attempt.billable_seconds is not None)


def _sum(key: str, runs: Sequence[Run]) -> Savings:
    priced = [run for run in runs if run.cost_usd is not None and run.on_demand_cost_usd is not None]
    attempts = [attempt for run in runs for attempt in run.attempts]
    return Savings(
        key=key,
        runs=len(runs),
        unpriced_runs=len(runs) - len(priced),
        training_seconds=sum(run.training_seconds for run in runs),
        billable_seconds=sum(run.billable_seconds for run in runs),
        interruptions=sum(run.interruptions for run in runs),
        cost_usd=round(sum(run.cost_usd or 0 for run in priced), 6) if priced else None,
        on_demand_cost_usd=round(sum(run.on_demand_cost_usd or 0 for run in priced), 6) if priced else None,
        compared_seconds=_compare(attempts),
    )
