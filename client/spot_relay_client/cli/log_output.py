"""Prints the log of a run: `spot-relay logs`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from spot_relay_client.cli.command import Terminal, run_argument, stack_command
from spot_relay_client.cli.wording import read_since

if TYPE_CHECKING:
    from spot_relay_client.logs import LogLine


@stack_command()
@run_argument
@click.option("-f", "--follow", is_flag=True, help="Keep printing until the run has ended, across attempts.")
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="Only the log of one attempt.")
@click.option("--since", metavar="WHEN", help="Only lines since a time, or since a duration ago such as 90m.")
def logs(terminal: Terminal, run: str, follow: bool, attempt: int | None, since: str | None) -> None:
    """Print the log of a run: all attempts and hosts as one stream, in order of time.

    With --json: one object per line, {"at", "attempt", "host", "text"}.
    """
    moment = read_since(since, datetime.now(UTC)) if since else None
    lines = terminal.relay.logs(run, follow=follow, attempt=attempt, since=moment, poll=2)
    if terminal.as_json:
        for line in lines:
            click.echo(_to_json(line))
        return
    for line in lines:
        click.echo(format_line(line))


def format_line(line: LogLine) -> str:
    """Return a line as people read it; what a training prints must not restyle or rewrite the terminal."""
    from spot_relay.domain.text import clean_text

    return f"{line.at.astimezone():%Y-%m-%d %H:%M:%S} {line.attempt:02} {line.host}  {clean_text(line.text)}"


def _to_json(line: LogLine) -> str:
    shown = {"at": line.at.isoformat(), "attempt": line.attempt, "host": line.host, "text": line.text}
    return json.dumps(shown, ensure_ascii=False)
