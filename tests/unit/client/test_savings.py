"""What runs cost and saved, by run, instance type or month."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spot_relay_client.savings import FIELDS, group_savings, to_document, total_of
from tests.unit.client.documents import attempt_document, run

if TYPE_CHECKING:
    from spot_relay_client.models import Run


def trained(name: str, training: int, billable: int | None, cost: float | None, **fields: Any) -> Run:
    attempt = attempt_document(training_seconds=training, billable_seconds=billable)
    return run(
        run_id=name,
        training_seconds=training,
        billable_seconds=billable or 0,
        cost_usd=cost,
        on_demand_cost_usd=None if cost is None else 3 * cost,
        **{"attempts": [attempt], **fields},
    )


def test_runs_stay_in_their_order_and_the_total_adds_them_up() -> None:
    runs = [trained("b", 100, 30, 1.0), trained("a", 100, 50, 2.0)]
    assert [(row.key, row.savings_percent, row.saved_usd) for row in group_savings(runs, "run")] == [
        ("b", 70.0, 2.0),
        ("a", 50.0, 4.0),
    ]
    total = total_of(runs)
    assert (total.runs, total.training_seconds, total.savings_percent, total.saved_usd) == (2, 200, 60.0, 6.0)


def test_a_run_without_prices_counts_in_seconds_only() -> None:
    (row,) = group_savings([trained("a", 100, 30, None), trained("b", 100, 30, 1.0)], "month")
    assert (row.runs, row.unpriced_runs, row.cost_usd, row.on_demand_cost_usd) == (2, 1, 1.0, 3.0)
    assert total_of([trained("a", 100, 30, None)]).saved_usd is None


def test_training_whose_billable_seconds_are_unknown_is_not_compared() -> None:
    assert total_of([trained("a", 100, None, 1.0)]).savings_percent is None


def test_months_come_in_their_order() -> None:
    runs = [trained(name, 1, 1, 1.0, created_at=f"{name}-03T00:00:00Z") for name in ("2026-05", "2026-04", "2026-05")]
    assert [(row.key, row.runs) for row in group_savings(runs, "month")] == [("2026-04", 1), ("2026-05", 2)]


def test_each_attempt_is_in_the_row_of_its_instance_type_and_so_are_the_costs_of_canaries() -> None:
    def on(kind: str, cost: float | None) -> dict[str, Any]:
        placement = {"instance_type": kind, "instance_count": 1, "market": "spot"}
        priced: dict[str, Any] = {"cost_usd": cost, "on_demand_cost_usd": cost and 3 * cost}
        return attempt_document(placement=placement, training_seconds=100, billable_seconds=30, **priced)

    canary = {
        "job_name": "x-canary-01",
        "placement": on("ml.b", 1)["placement"],
        "billable_seconds": 9,
        "cost_usd": 0.5,
    }
    runs = [
        trained("a", 300, 90, 4.5, attempts=[on("ml.b", 1.0), on("ml.a", 2.0), on("ml.b", 1.0)], canaries=[canary]),
        trained("b", 100, 30, None, attempts=[on("ml.a", None)]),
    ]
    first, second = group_savings(runs, "instance-type")
    assert (first.key, first.runs, first.unpriced_runs, first.cost_usd, first.saved_usd) == ("ml.a", 2, 1, 2.0, 4.0)
    assert (second.key, second.runs, second.unpriced_runs, second.cost_usd) == ("ml.b", 1, 0, 2.5)
    assert (second.training_seconds, second.billable_seconds, second.savings_percent) == (200, 60, 70.0)


def test_a_row_has_the_documented_keys() -> None:
    assert tuple(to_document(total_of([]))) == FIELDS
