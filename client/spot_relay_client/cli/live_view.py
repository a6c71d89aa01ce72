"""Draws a run while it is going on. Pure: the time is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from spot_relay.domain.text import clean_text
from spot_relay_client.cli.tables import add_row, colour_status, draw_attempts, draw_decisions, draw_title
from spot_relay_client.cli.wording import (
    COLOURS,
    format_duration,
    format_money,
    format_percent,
    format_progress,
    format_until,
    next_step,
    share_done,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from rich.console import RenderableType

    from spot_relay_client.logs import LogLine
    from spot_relay_client.models import Attempt, Run

SHOWN_DECISIONS: Final = 4
SHOWN_STEPS: Final = 8
SHOWN_LINES: Final = 8


def draw_live(run: Run, lines: Sequence[LogLine], now: datetime) -> RenderableType:
    """Return a run with its progress, its attempts, the newest decisions and the newest lines of its log."""
    age = format_duration(((run.ended_at or now) - run.created_at).total_seconds())
    parts: list[RenderableType] = [
        Text.assemble(draw_title(run), (f"  {age}", "dim")),
        Text(run.reason, "italic"),
        Text(),
        _draw_progress(run, now),
        Text(),
        draw_attempts(run.attempts[-SHOWN_DECISIONS:]),
    ]
    if steps := _draw_steps(run.attempts):
        parts += [Text(), steps]
    parts += [Text(), Text("Newest decisions", "bold"), draw_decisions(run.decisions[-SHOWN_DECISIONS:])]
    if lines:
        parts += [Text(), Text("Log", "bold"), *(draw_line(line) for line in lines[-SHOWN_LINES:])]
    return Panel(Group(*parts), title="Spot Relay", border_style="blue")


def draw_line(line: LogLine) -> Text:
    """Return a line of the log as one line of the terminal, with where it comes from."""
    return Text.assemble(
        (f"{line.at.astimezone():%H:%M:%S} ", "dim"),
        (f"{line.attempt:02} {line.host}  ", "cyan"),
        clean_text(line.text),
        no_wrap=True,
        overflow="ellipsis",
    )


def _draw_progress(run: Run, now: datetime) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    share = share_done(run)
    if share is not None:
        add_row(grid, "", ProgressBar(1.0, share, 50, complete_style="green", finished_style="green"))
    add_row(grid, "progress", format_progress(run))
    if not run.ended:
        add_row(grid, "next step", f"{next_step(run, now)}; looked at {format_until(run.check_at, now)}")
    if run.deadline and not run.ended:
        add_row(grid, "deadline", f"in {format_duration((run.deadline.at - now).total_seconds())}")
    money = f"{format_money(run.cost_usd)}, {format_percent(run.savings_percent)} saved"
    add_row(grid, "cost", f"{money}; {run.interruptions} interruptions")
    return grid


def _draw_steps(attempts: Iterable[Attempt]) -> RenderableType | None:
    """Return the newest steps of all training jobs, if the stack says them."""
    steps = [(attempt, step) for attempt in attempts for step in attempt.transitions]
    if not steps:
        return None
    first = steps[0][1].started_at
    table = Table.grid(padding=(0, 2))
    for attempt, step in steps[-SHOWN_STEPS:]:
        add_row(
            table,
            Text(f"+{format_duration((step.started_at - first).total_seconds())}", "dim"),
            f"attempt {attempt.number}",
            colour_status(step.status) if step.status in COLOURS else Text(step.status),
            Text(step.message or "", "dim", no_wrap=True, overflow="ellipsis"),
        )
    return table
