"""Shows one run: `spot-relay show` and `spot-relay explain`."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from spot_relay_client.cli.command import Terminal, run_argument, stack_command


@stack_command()
@run_argument
def show(terminal: Terminal, run: str) -> None:
    """Show a run.

    With --json: the run as the API returns it; docs/openapi.yaml describes it.
    """
    from spot_relay_client.cli.tables import draw_run

    found = terminal.relay.get(run)
    terminal.show(found.document, lambda: draw_run(found, datetime.now(UTC)))


@stack_command()
@run_argument
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the newest N decisions.")
def explain(terminal: Terminal, run: str, last: int | None) -> None:
    """Show every decision about a run with what led to it and the reason.

    The stack keeps the newest 40 decisions. With --json: {"run_id", "status", "reason", "decisions": [{"at",
    "observation", "reason", "times", "until"}]}.
    """
    from rich.console import Group
    from rich.text import Text

    from spot_relay_client.cli.tables import draw_decisions, draw_title

    found = terminal.relay.get(run)
    shown = found.decisions[-last:] if last else found.decisions
    raw = found.document["decisions"]
    document = {key: found.document[key] for key in ("run_id", "status", "reason")}
    document["decisions"] = raw[-last:] if last else raw
    terminal.show(
        document,
        lambda: Group(draw_title(found), Text(found.reason, "italic"), Text(), draw_decisions(shown)),
    )
