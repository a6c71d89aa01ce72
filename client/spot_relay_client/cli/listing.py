"""Lists runs: `spot-relay ls`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Final

import click

from spot_relay_client.cli.command import Terminal, stack_command

if TYPE_CHECKING:
    from spot_relay_client.models import Run
    from spot_relay_client.relay import SpotRelay

STATUSES: Final = ("Pending", "InProgress", "Stopping", "Completed", "Failed", "Stopped")
_OPEN: Final = frozenset({"Pending", "InProgress", "Stopping"})
_REFRESH_SECONDS: Final = 5


@stack_command("ls")
@click.option("--status", type=click.Choice(STATUSES, case_sensitive=False), help="Only runs with this status.")
@click.option("--open", "only_open", is_flag=True, help="Only runs that have not ended.")
@click.option("--name", default="", metavar="TEXT", help="Only runs whose name contains TEXT.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=25, show_default=True, help="Show at most this many runs."
)
@click.option("--tree", is_flag=True, help="Show each run below the one that it comes after.")
@click.option("--watch", is_flag=True, help="Refresh the list until Ctrl-C.")
def list_runs(
    terminal: Terminal, status: str | None, only_open: bool, name: str, limit: int, tree: bool, watch: bool
) -> None:
    """List runs, newest first.

    With --json: {"runs": [...]}, each run as in `spot-relay show --json`.
    """
    if watch and not terminal.is_drawn_on:
        raise click.UsageError("--watch needs a terminal, and excludes --json.")
    wanted = frozenset({status}) if status else _OPEN if only_open else None

    def read() -> list[Run]:
        return read_runs(terminal.relay, wanted, name, limit)

    from spot_relay_client.cli.tables import draw_list

    if not watch:
        runs = read()
        terminal.show({"runs": [run.document for run in runs]}, lambda: draw_list(runs, datetime.now(UTC), tree=tree))
        return
    from spot_relay_client.cli.canvas import Canvas

    with Canvas(terminal.console) as canvas:
        while True:
            canvas.draw(draw_list(read(), datetime.now(UTC), tree=tree))
            time.sleep(_REFRESH_SECONDS)


def read_runs(relay: SpotRelay, statuses: frozenset[str] | None, name: str, limit: int) -> list[Run]:
    """Return the newest runs with one of the statuses whose name contains a text."""
    from concurrent.futures import ThreadPoolExecutor

    (only,) = statuses if statuses and len(statuses) == 1 else (None,)
    found = (
        summary
        for summary in relay.list(only)
        if name in summary.name and (statuses is None or summary.status in statuses)
    )
    # The list has summaries only. botocore keeps ten connections.
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(relay.get, [summary.name for summary in islice(found, limit)]))
