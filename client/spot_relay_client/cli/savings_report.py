"""Says what was saved: `spot-relay savings`."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

import click

from spot_relay_client.cli.command import Terminal, stack_command
from spot_relay_client.cli.wording import format_duration, format_money, format_percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from spot_relay_client.savings import Savings

_HEADINGS: Final = {"run": "Run", "instance-type": "Instance type", "month": "Month"}


@stack_command()
@click.option("--by", type=click.Choice(list(_HEADINGS)), default="run", show_default=True, help="One row for each …")
@click.option("--since", metavar="MONTH", help="Only runs submitted in this month or later, such as 2026-05.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="Include at most this many runs."
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
def savings(terminal: Terminal, by: str, since: str | None, limit: int, as_csv: bool) -> None:
    """Show what runs cost, and what they would have cost on-demand.

    By instance type, each attempt counts for the type that it ran on, so a run can be part of several rows. A run
    without known prices adds its seconds to its row, but no amounts. With --json: {"by", "rows": [...], "total":
    {...}}, each row {"key", "runs", "unpriced_runs", "training_seconds", "billable_seconds", "interruptions",
    "savings_percent", "cost_usd", "on_demand_cost_usd", "saved_usd"}.
    """
    from spot_relay_client.run_reader import RunReader
    from spot_relay_client.savings import group_savings, to_document, total_of

    if as_csv and terminal.as_json:
        raise click.UsageError("--csv and --json exclude each other.")
    runs = [run for run in RunReader(terminal.relay).read(limit) if f"{run.created_at:%Y-%m}" >= (since or "")]
    rows = group_savings(runs, by)
    total = total_of(runs)
    if as_csv:
        click.echo(_write_csv(rows), nl=False)
        return
    document = {"by": by, "rows": [to_document(row) for row in rows], "total": to_document(total)}
    terminal.show(document, lambda: _draw(rows, total, by))


def _write_csv(rows: Sequence[Savings]) -> str:
    from spot_relay_client.savings import FIELDS, to_document

    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(to_document(row) for row in rows)
    return text.getvalue()


def _draw(rows: Sequence[Savings], total: Savings, by: str) -> RenderableType:
    from spot_relay_client.cli.tables import create_table

    table = create_table(_HEADINGS[by], "Runs", "Training", "Billable", "Saved", "Cost", "On-demand", "Difference")
    for row in (*rows, total):
        table.add_row(
            row.key,
            str(row.runs),
            format_duration(row.training_seconds),
            format_duration(row.billable_seconds),
            format_percent(row.savings_percent),
            format_money(row.cost_usd),
            format_money(row.on_demand_cost_usd),
            format_money(row.saved_usd),
            style="bold" if row is total else None,
        )
    return table
