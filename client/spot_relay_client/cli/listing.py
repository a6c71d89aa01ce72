"""Lists runs: `spot-relay ls`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Final

import click

from spot_relay.pages.view import ENDED, STATUSES
from spot_relay_client.cli.command import Terminal, stack_command

_OPEN: Final = frozenset(STATUSES) - ENDED
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

    from spot_relay_client.cli.tables import draw_list
    from spot_relay_client.run_reader import RunReader

    reader = RunReader(terminal.relay)
    if not watch:
        runs = reader.read(limit, wanted, name)
        terminal.show({"runs": [run.document for run in runs]}, lambda: draw_list(runs, datetime.now(UTC), tree=tree))
        return
    from spot_relay_client.cli.canvas import Canvas

    with Canvas(terminal.console) as canvas:
        while True:
            canvas.draw(draw_list(reader.read(limit, wanted, name), datetime.now(UTC), tree=tree))
            time.sleep(_REFRESH_SECONDS)
