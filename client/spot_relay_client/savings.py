"""What runs cost and saved, by run, instance type or month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from spot_relay_client.models import Run

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
    """How many runs have no known prices."""
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
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(_key(run, by), []).append(run)
    rows = [_sum(key, members) for key, members in groups.items()]
    return sorted(rows, key=lambda row: row.key) if by != "run" else rows


def total_of(runs: Sequence[Run]) -> Savings:
    """Return the savings of all runs together."""
    return _sum("total", runs)


def to_document(row: Savings) -> dict[str, Any]:
    """Return a row with the keys of `FIELDS`."""
    return {name: getattr(row, name) for name in FIELDS}


def _key(run: Run, by: str) -> str:
    if by == "run":
        return run.name
    if by == "month":
        return f"{run.created_at:%Y-%m}"
    return " + ".join(sorted({attempt.placement.instance_type for attempt in run.attempts}))


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
        compared_seconds=sum(a.training_seconds or 0 for a in attempts if a.billable_seconds is not None),
    )
