"""Draws a run's attempts over time with the characters of a terminal: a lane for each, as on the run's page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.text import Text

from spot_relay.pages.headline import say_place
from spot_relay.pages.timeline import (
    find_canaries,
    is_on_demand,
    kind_of,
    list_keys,
    list_ticks,
    merge_spans,
    next_at,
    scale_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from rich.console import Console, ConsoleOptions, RenderResult

    from spot_relay.pages.run_facts import RunFacts, Span
    from spot_relay.pages.scale import TimeScale
    from spot_relay.pages.wording import Clock

# How each kind of time is drawn: characters that differ without their colours, which are those of the page.
_DRAWN: Final = {
    "w": ("·", "bright_black"),
    "s": ("▄", "cyan"),
    "t": ("█", "blue"),
    "i": ("╌", "red"),
    "u": ("▀", "cyan"),
    "e": ("▪", "bright_black"),
    "l": ("\N{MULTIPLICATION SIGN}", "red"),
    "c": ("─", "magenta"),
    "k": ("│", "bold"),
    "now": ("┃", "bold"),
    "next": ("┊", "magenta"),
}
_ON_DEMAND: Final = ("▒", "yellow")
_MARK: Final = "╵"
# So many cells lie between two ticks at least, and terminals this narrow get short names.
_APART: Final = 3
_NARROW, _WIDE = 60, 100
Cell = tuple[str, str]


@dataclass(frozen=True)
class Lanes:
    """The lanes of the newest attempts of a run, below each other, with their axis and their legend."""

    run: RunFacts
    clock: Clock
    most: int = 50
    """How many attempts are shown."""

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the lanes as wide as the terminal is."""
        names = [_name(self.run, index, options.max_width) for index in range(len(self.run.attempts))]
        shown = range(max(0, len(names) - self.most), len(names))
        margin = max(len(names[index]) for index in shown) + 1
        picture = _Picture(self.run, self.clock, max(8, options.max_width - margin))
        if shown.start:
            yield Text(f"The newest {len(shown)} of {len(names)} attempts:", "dim")
        if not self.run.has_ended:
            yield picture.name_moments(margin)
        lanes = [lane for index in shown for lane in picture.draw_lane(index, names[index].ljust(margin))]
        yield from lanes
        yield picture.draw_axis(margin)
        drawn = {char for lane in lanes for char in lane.plain[margin:]}
        yield from _draw_legend(self.run, drawn, options.max_width)


class _Picture:
    """The cells to the right of the names."""

    def __init__(self, run: RunFacts, clock: Clock, width: int) -> None:
        self._run = run
        self._clock = clock
        self._width = width
        self._scale: TimeScale = scale_of(run)
        self._canaries = find_canaries(run)
        self._ticks = list(list_ticks(run, self._scale, 100 * _APART / width))
        self._next_at = next_at(run)

    def draw_lane(self, index: int, name: str) -> Iterator[Text]:
        """Yield the lane of an attempt, and below it that of its canary."""
        attempt = self._run.attempts[index]
        drawn = _ON_DEMAND if is_on_demand(attempt) else _DRAWN["t"]
        cells = self._empty_cells()
        for span in merge_spans(self._run.spans(attempt), self._scale, 100 / self._width):
            self._fill(cells, span, drawn if kind_of(span) == "t" else _DRAWN[kind_of(span)], least=1)
        for span in self._run.lost_spans(attempt):
            self._fill(cells, span, _DRAWN["l"])
        for lane, share in self._ticks:
            if lane == index:
                column = self._column(share)
                char, style = _DRAWN["k"]
                cells[column] = (char, f"{style} on blue" if cells[column] == _DRAWN["t"] else style)
        yield self._join(name, cells)
        if canary := self._canaries.get(attempt["number"]):
            beside = self._empty_cells()
            self._fill(beside, canary, _DRAWN["c"], least=1)
            label = "canary" if len(name) > len("canary") else ""
            yield self._join(f"{label.rjust(len(name) - 1)} ", beside)

    def name_moments(self, margin: int) -> Text:
        """Return the line above the lanes, which names now and the next decision."""
        now = self._column(self._scale.share(self._run.now))
        said = f"now {self._clock.time(self._run.now)}"
        begins = max(0, min(now - len(said) + 1, self._width - len(said)))
        line = Text(" " * (margin + begins)).append(said, _DRAWN["now"][1])
        if self._next_at is not None:
            at = self._column(self._scale.share(self._next_at))
            named = f"next {self._clock.time(self._next_at)}"
            starts = min(at, self._width - len(named))
            if starts > begins + len(said):
                line.append(" " * (starts - begins - len(said))).append(named, _DRAWN["next"][1])
        line.truncate(margin + self._width)
        return line

    def draw_axis(self, margin: int) -> Text:
        """Return the line below the lanes, with round times."""
        line = ""
        for share, name in self._scale.marks(self._clock):
            column, said = self._column(share), f"{_MARK}{name}"
            if column >= len(line) + (1 if line else 0) and column + len(said) <= self._width:
                line = f"{line.ljust(column)}{said}"
        return Text(" " * margin + line, "dim")

    def _empty_cells(self) -> list[Cell]:
        cells = [(" ", "")] * self._width
        if self._next_at is not None:
            cells[self._column(self._scale.share(self._next_at))] = _DRAWN["next"]
        return cells

    def _join(self, name: str, cells: list[Cell]) -> Text:
        if not self._run.has_ended:
            cells[self._column(self._scale.share(self._run.now))] = _DRAWN["now"]
        line = Text(name, no_wrap=True)
        for char, style in cells:
            line.append(char, style)
        return line

    def _fill(self, cells: list[Cell], span: Span, drawn: Cell, *, least: int = 0) -> None:
        """Draw a span, in at least so many cells."""
        begins, ends = (round(self._scale.share(at) * self._width / 100) for at in (span.begins, span.ends))
        begins = min(begins, self._width - least)
        for column in range(begins, max(ends, begins + least)):
            cells[column] = drawn

    def _column(self, share: float) -> int:
        return min(self._width - 1, int(share * self._width / 100))


def _name(run: RunFacts, index: int, width: int) -> str:
    attempt = run.attempts[index]
    number = f"{attempt['number']:02}"
    if width < _NARROW:
        return number
    market = "on-demand" if is_on_demand(attempt) else "spot"
    return f"{number} {market:9} {say_place(attempt)}" if width >= _WIDE else f"{number} {market}"


def _draw_legend(run: RunFacts, drawn: Collection[str], width: int) -> Iterator[Text]:
    """Yield what the drawn characters mean, in lines between whose entries there are two spaces."""
    line = Text()
    for key in list_keys(run):
        char, style = _ON_DEMAND if key.is_on_demand else _DRAWN[key.kind]
        if char not in drawn:
            continue
        if line and line.cell_len + len(key.name) + 4 > width:
            yield line
            line = Text()
        line.append("  " if line else "").append(char, style).append(f" {key.name}", "dim")
    yield line
