"""Draws a run while it is going on. Pure: the time, and its zone, are an argument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.columns import Columns
from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from spot_relay.domain.text import clean_text
from spot_relay.pages.headline import say_finish, say_headline, say_next, warn_of_overdue
from spot_relay.pages.run_facts import RunFacts
from spot_relay_client.cli.lanes_view import Lanes
from spot_relay_client.cli.tables import add_row, draw_decisions, draw_title
from spot_relay_client.cli.wording import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from spot_relay.pages.wording import Clock
    from spot_relay_client.logs import LogLine
    from spot_relay_client.models import Run

SHOWN_DECISIONS: Final = 4
# On a terminal that is lower than this, fewer of them leave room for the log.
_LOW: Final = 32
# How many lines of the log are kept for a high terminal, and how many are shown if the height does not matter.
MOST_LINES: Final = 200
SHOWN_LINES: Final = 8
_FEWEST_LANES: Final = 3
_BAR_COLUMNS: Final = 50


@dataclass(frozen=True)
class LiveView:
    """A run in one sentence, with its attempts over time, what comes next, the newest decisions and its log's tail."""

    run: Run
    lines: Sequence[LogLine]
    """The newest lines of the log, oldest first."""
    clock: Clock

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the run; the log gets the lines of the terminal that are left."""
        height = options.height
        lanes = len(self.run.attempts) if height is None else max(_FEWEST_LANES, height // 3)
        decisions = SHOWN_DECISIONS if height is None or height >= _LOW else SHOWN_DECISIONS // 2
        above = console.render_lines(self._draw_run(lanes, decisions), options.update(height=None), new_lines=True)
        for line in above:
            yield from line
        left = SHOWN_LINES if height is None else height - len(above) - 2
        if self.lines and left > 0:
            yield Text()
            yield Text("Log", "bold")
            yield from (draw_line(line, self.clock) for line in self.lines[-left:])

    def _draw_run(self, lanes: int, decisions: int) -> RenderableType:
        run, clock = self.run, self.clock
        seen = RunFacts(run.document, clock.now)
        age = format_duration((seen.until - run.created_at).total_seconds())
        parts: list[RenderableType] = [
            Text.assemble(draw_title(run), (f"  {age}", "dim")),
            Text(say_headline(seen, clock), "bold"),
        ]
        if seen.share is not None:
            parts.append(Columns([_draw_share(seen.share)]))
        if warning := warn_of_overdue(seen, clock):
            parts.append(Text(f"A checkpoint is overdue. {warning}", "yellow"))
        parts += [Text(), Lanes(seen, clock, lanes), Text(), _draw_facts(run, seen, clock)]
        if newest := run.decisions[-decisions:]:
            parts += [Text(), Text("Newest decisions", "bold"), draw_decisions(newest, clock.time)]
        return Group(*parts)


def draw_line(line: LogLine, clock: Clock) -> Text:
    """Return a line of the log as one line of the terminal, with where it comes from."""
    return Text.assemble(
        (f"{line.at.astimezone(clock.zone):%H:%M:%S} ", "dim"),
        (f"{line.attempt:02} {line.host}  ", "cyan"),
        clean_text(line.text),
        no_wrap=True,
        overflow="ellipsis",
    )


def _draw_share(share: float) -> ProgressBar:
    return ProgressBar(1.0, share, _BAR_COLUMNS, style="bright_black", complete_style="green", finished_style="green")


def _draw_facts(run: Run, seen: RunFacts, clock: Clock) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    for name, value in _facts(run, seen, clock):
        add_row(grid, name, value)
    return grid


def _facts(run: Run, seen: RunFacts, clock: Clock) -> Iterable[tuple[str, str]]:
    attempt = run.attempts[-1]
    if not run.decisions or run.decisions[-1].reason != run.reason:
        yield "status", run.reason
    if coming := say_next(seen, clock):
        yield "next", coming
    if finish := say_finish(seen, clock):
        yield "finish", finish
    if attempt.phase and not run.ended:
        message = f": {attempt.status_message}" if attempt.status_message else ""
        yield "job", f"{attempt.job_name} is {attempt.phase} on {attempt.placement}{message}"
    if run.ended and run.model_artifacts:
        yield "model", run.model_artifacts
