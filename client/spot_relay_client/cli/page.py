"""Writes pages for the browser: `spot-relay page`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from spot_relay.pages.view import SORTS, STATUSES, View
from spot_relay_client.cli.command import Terminal, optional_run_argument, stack_command, write_json

if TYPE_CHECKING:
    from click.utils import LazyFile

_STANDARD_OUTPUT: Final = "-"


@stack_command("page")
@optional_run_argument
@click.option(
    "-o",
    "--output",
    type=click.File("w", encoding="utf-8", lazy=True),
    default=_STANDARD_OUTPUT,
    metavar="FILE",
    help="Where to write it, instead of standard output.",
)
@click.option("--utc", is_flag=True, help="Show times in UTC instead of the local time zone.")
@click.option("--sort", type=click.Choice([*SORTS]), help="Sort the page of all runs by this.  [default: submitted]")
@click.option("--reverse", is_flag=True, help="Reverse the order of the page of all runs.")
@click.option("--status", type=click.Choice(STATUSES, case_sensitive=False), help="Show only runs with this status.")
@click.option("--name", metavar="TEXT", help="Show only runs whose name contains TEXT.")
@click.option("--limit", type=click.IntRange(1, 1000), help="Show at most this many runs.  [default: 100]")
def write_page(
    terminal: Terminal,
    run: str | None,
    output: LazyFile,
    utc: bool,
    sort: str | None,
    reverse: bool,
    status: str | None,
    name: str | None,
    limit: int | None,
) -> None:
    """Write the page of a run, or of all runs, as HTML.

    The page is one file that loads nothing, so it can be e-mailed, printed, or kept with the model. It shows the run as
    it is now. --sort, --reverse, --status, --name and --limit are for the page of all runs. With --json, which needs
    --output: {"file", "bytes"}.
    """
    if run is not None and (reverse or any(given is not None for given in (sort, status, name, limit))):
        raise click.UsageError("--sort, --reverse, --status, --name and --limit are for the page of all runs.")
    if terminal.as_json and output.name == _STANDARD_OUTPUT:
        raise click.UsageError("--json needs --output, because the page itself is no JSON.")
    now = datetime.now(UTC)
    zone = UTC if utc else now.astimezone().tzinfo or UTC
    if run is not None:
        from spot_relay.pages.run_page import render_run

        page = render_run(terminal.relay.get(run).document, now, zone)
    else:
        from spot_relay.pages.runs_page import render_runs
        from spot_relay_client.run_reader import RunReader

        wanted = (status,) if status else None
        documents = [found.document for found in RunReader(terminal.relay).read(limit or 100, wanted, name or "")]
        by = sort or View().sort
        view = View(by, descending=(by != "name") is not reverse)
        page = render_runs(documents, now, zone, view)
    output.write(page)
    if terminal.as_json:
        write_json({"file": output.name, "bytes": len(page.encode())})
    elif output.name != _STANDARD_OUTPUT:
        terminal.note(f"Wrote {output.name}. Open it in a browser.")
