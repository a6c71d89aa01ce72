"""Follows a run to its end: `spot-relay watch`, and the option `--wait`."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NoReturn

import click

from spot_relay_client.cli.command import Terminal, run_argument, stack_command, write_json
from spot_relay_client.cli.exits import exit_code_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spot_relay_client.logs import LogLine
    from spot_relay_client.models import Run

_POLL_SECONDS: Final = 2.0


@stack_command()
@run_argument
def watch(terminal: Terminal, run: str) -> None:
    """Watch a run until it has ended: its attempts over time, what comes next, the newest decisions and its log.

    Ctrl-C does not stop the run. The exit code is that of the run. With --json, or if the output is not a terminal,
    each change is one line; in JSON: {"at", "status", "reason", "attempt", "phase"}.
    """
    with _going_on(terminal, run):
        ended = _draw(terminal, run) if terminal.is_drawn_on else _print_changes(terminal, run)
    click.get_current_context().exit(exit_code_of(ended.status))


def wait_and_exit(terminal: Terminal, run: Run) -> NoReturn:
    """Wait until a run has ended, show it and exit with its code."""
    if not run.ended:
        with _going_on(terminal, run.name):
            terminal.note(f"{run.name} is {run.status}. Waiting until it has ended; Ctrl-C leaves it going.")
            run = terminal.relay.wait(run.name, poll=_POLL_SECONDS)
    if terminal.as_json:
        write_json(run.document)
    else:
        click.echo(f"{run.name} is {run.status}: {run.reason}")
    click.get_current_context().exit(exit_code_of(run.status))


@contextmanager
def _going_on(terminal: Terminal, run: str) -> Iterator[None]:
    """On Ctrl-C, say how to come back to the run."""
    try:
        yield
    except KeyboardInterrupt:
        terminal.note(f"The run {run} goes on. To come back: spot-relay watch {run}")
        raise


def _draw(terminal: Terminal, name: str) -> Run:
    """Draw a run until it has ended."""
    from spot_relay_client.cli.canvas import Canvas
    from spot_relay_client.cli.live_view import MOST_LINES, LiveView
    from spot_relay_client.cli.wording import clock_at

    reader = terminal.relay.read_logs()
    lines: deque[LogLine] = deque(maxlen=MOST_LINES)
    with Canvas(terminal.console) as canvas:
        for run in terminal.relay.follow(name, poll=_POLL_SECONDS):
            canvas.draw(LiveView(run, list(lines), clock_at(datetime.now(UTC))))
            lines.extend(reader.read(run, datetime.now(UTC)))
            canvas.draw(LiveView(run, list(lines), clock_at(datetime.now(UTC))))
    return run


def _print_changes(terminal: Terminal, name: str) -> Run:
    """Print a line for each change of a run until it has ended."""
    import json

    seen = None
    for run in terminal.relay.follow(name, poll=_POLL_SECONDS):
        attempt = run.attempts[-1]
        change = {
            "at": run.updated_at.isoformat(),
            "status": run.status,
            "reason": run.reason,
            "attempt": attempt.number,
            "phase": attempt.phase,
        }
        what = {key: value for key, value in change.items() if key != "at"}
        if what != seen:
            phase = f" {attempt.phase}" if attempt.phase else ""
            text = f"{change['at']} {run.status}: {run.reason} (attempt {attempt.number}{phase})"
            click.echo(json.dumps(change, ensure_ascii=False) if terminal.as_json else text)
        seen = what
    return run
