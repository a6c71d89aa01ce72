"""Draws a plan with rich, from the API's answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from spot_relay_client.cli.tables import add_row, colour_status, create_table
from spot_relay_client.cli.wording import describe_start, format_duration, format_money
from spot_relay_client.models import read_start

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import RenderableType

_LUCK = {
    "spot_at_once": "spot comes at once",
    "spot_never": "spot never comes",
    "spot_lost": "spot comes, all of it is lost",
}
_UNKNOWN = "unknown"


def draw_plan(plan: Mapping[str, Any]) -> RenderableType:
    """Return what would happen to a run. Times are UTC, as in the plan."""
    placements = create_table("", "Placement", "On-demand/h", "Spot/h", "Limit", "Quota", "Queue")
    for each in plan["placements"]:
        add_row(
            placements,
            str(each["order"]),
            f"{each['instance_count']} x {each['instance_type']} ({each['market']})",
            _money(each["on_demand_usd_per_hour"]),
            _money(each["spot_usd_per_hour"]),
            _limit(each["limit"], "none"),
            _limit(each.get("quota"), _UNKNOWN),
            _queue(each["queue"]),
        )
    outlooks = create_table("If", "Ends", "At", "Attempts", "On-demand from", "Cost")
    for luck, each in plan["outlooks"].items():
        add_row(
            outlooks,
            _LUCK[luck],
            colour_status(each["status"]),
            _time(each["ended_at"]),
            str(each["attempts"]),
            _time(each["on_demand_from"], "never"),
            _money(each["cost_usd"]),
        )
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    for name, value in _facts(plan):
        add_row(facts, name, value)
    return Group(Text(plan["run_id"], "bold"), facts, Text(), placements, Text(), outlooks, *_draw_failures(plan))


def _facts(plan: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    start = f", each start {format_duration(plan['startup_seconds'])}" if plan["startup_seconds"] else ""
    yield "training", f"{format_duration(plan['training_seconds'])} ({plan['training_seconds_from']}){start}"
    if (waits_for := read_start(plan.get("start"))) is not None:
        yield "starts after", describe_start(waits_for, _moment)
    deadline = plan["deadline"]
    if deadline:
        yield "deadline", _time(deadline["at"])
        yield "finish", f"{_time(deadline['earliest_finish'])} to {_time(deadline['latest_finish'])}"
        yield "without spot", f"on-demand from {_time(deadline['on_demand_from'], 'never')}"
    cost = plan["cost"]
    amounts = (f"{_money(cost[f'{key}_usd'])} {name}" for key, name in (("best", "at best"), ("worst", "at worst")))
    yield "cost", f"{', '.join(amounts)}, {_money(cost['on_demand_usd'])} on-demand"
    if plan["prices"]:
        yield "prices", f"{plan['prices']['source']}, {plan['prices']['as_of'][:10]}"


def _draw_failures(plan: Mapping[str, Any]) -> Iterable[RenderableType]:
    """Yield why the run would fail with some luck."""
    for luck, each in plan["outlooks"].items():
        if each["status"] != "Completed":
            yield Text(f"\nIf {_LUCK[luck]}: {each['reason']}", "italic")


def _limit(limit: Mapping[str, Any] | None, otherwise: str) -> str:
    if limit is None:
        return otherwise
    amount = f"{limit['limit']:g}"
    return amount if limit["used"] is None else f"{limit['used']} of {amount} used"


def _queue(queue: Mapping[str, Any]) -> str:
    return "free" if not queue["waiting"] else f"place {queue['place']}, after {queue['oldest']['run_id']}"


def _money(usd: float | None) -> str:
    return _UNKNOWN if usd is None else format_money(usd)


def _time(moment: str | None, otherwise: str = _UNKNOWN) -> str:
    return otherwise if moment is None else _moment(datetime.fromisoformat(moment))


def _moment(moment: datetime | None) -> str:
    return _UNKNOWN if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
