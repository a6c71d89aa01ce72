"""Scales of pictures: from moments to shares of the width, with round times as marks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from spot_relay.pages.markup import el

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spot_relay.pages.markup import Element
    from spot_relay.pages.wording import Clock

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_STEPS = (
    *(_MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * n for n in (1, 2, 3, 6, 12)),
    *(_DAY * n for n in (1, 2, 5, 10, 30, 100, 365)),
)
_MOST_MARKS = 5


@dataclass(frozen=True)
class TimeScale:
    """The time from one moment to another, over the width of a picture."""

    begins: datetime
    ends: datetime

    def share(self, moment: datetime) -> float:
        """Return where a moment lies, from 0 to 100; a moment outside lies at the edge."""
        whole = max(1.0, (self.ends - self.begins).total_seconds())
        return round(min(100.0, max(0.0, 100 * (moment - self.begins).total_seconds() / whole)), 2)

    def marks(self, clock: Clock) -> Iterator[tuple[float, str]]:
        """Yield round times inside, with where they lie and what they are called."""
        whole = (self.ends - self.begins).total_seconds()
        step = next((one for one in _STEPS if whole / one <= _MOST_MARKS), _STEPS[-1])
        local = self.begins.astimezone(clock.zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        first = -(-(local - midnight).total_seconds() // step)
        day = None
        for number in range(_MOST_MARKS + 1):
            moment = midnight + timedelta(seconds=step * (first + number))
            if moment > self.ends:
                return
            yield self.share(moment), _name_mark(moment, step, is_new_day=moment.date() != day and day is not None)
            day = moment.date()


def draw_marks(scale: TimeScale, clock: Clock, height: float) -> Iterator[Element]:
    """Yield the lines and names of the marks of a picture whose content has a height; the names stand below."""
    for share, name in scale.marks(clock):
        yield el("line", class_="grid", x1=f"{share:g}%", x2=f"{share:g}%", y1=0, y2=height)
        anchor = "start" if share < 4 else "end" if share > 96 else "middle"
        yield el("text", name, class_="mark", x=f"{share:g}%", y=height + 15, text_anchor=anchor)


def draw_moment(scale: TimeScale, moment: datetime, height: float, kind: str) -> Element:
    """Return a line across a picture at a moment."""
    share = f"{scale.share(moment):g}%"
    return el("line", class_=kind, x1=share, x2=share, y1=0, y2=height)


def _name_mark(moment: datetime, step: int, *, is_new_day: bool) -> str:
    if step >= _DAY:
        return f"{moment:%b} {moment.day}"
    return f"{moment:%b} {moment.day}" if is_new_day and moment.hour == 0 and moment.minute == 0 else f"{moment:%H:%M}"
