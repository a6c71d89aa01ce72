"""The picture of a deadline: the training that is left against the time that is left."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from spot_relay.pages.markup import el
from spot_relay.pages.scale import TimeScale, draw_marks, draw_moment
from spot_relay.pages.wording import duration, later, percent, read_moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from spot_relay.pages.markup import Element
    from spot_relay.pages.run_facts import Document, RunFacts
    from spot_relay.pages.wording import Clock

_HEIGHT = 220
_UNIT = 1000
_HOUR = 3600
_LINES = (
    ("path", "training left, by its checkpoints"),
    ("ahead", "where it is heading"),
    ("pace", "pace: a run above it that waits goes on-demand"),
    ("net", "safety net: the last moment for that"),
    ("range", "from the earliest to the latest finish"),
    ("now", "now"),
)


class _Plane:
    """Moments and training that is left, as coordinates of a square that is stretched to the picture."""

    def __init__(self, scale: TimeScale, most: float) -> None:
        self.scale = scale
        self.most = most

    def point(self, at: datetime, left: float) -> str:
        """Return the coordinates of a point, kept inside the square."""
        x = self.scale.share(at) * _UNIT / 100
        y = _UNIT * (1 - min(1.0, max(0.0, left / self.most)))
        return f"{x:.0f} {y:.0f}"

    def line(self, kind: str, points: Iterable[tuple[datetime, float]]) -> Element:
        """Return a line through points."""
        return el("path", class_=kind, d="M" + "L".join(self.point(at, left) for at, left in points), fill="none")


def draw_pace(run: RunFacts, clock: Clock) -> Element | None:
    """Return the picture of a run's deadline, or None if it has none that can be drawn."""
    deadline = run.deadline
    at = read_moment(deadline.get("at")) if deadline else None
    expected = float((deadline or {}).get("expected_runtime_seconds") or 0)
    if deadline is None or at is None or not expected or at <= run.created_at:
        return None
    finish = _likely(run)
    scale = TimeScale(run.created_at, max(at, run.until, finish or at))
    plane = _Plane(scale, expected * 1.08)
    left = 0.0 if run.status == "Completed" else max(0.0, expected - float(deadline.get("progress_seconds") or 0))
    path = list(_follow_progress(run, expected, left))
    lines = [*_draw_rules(plane, deadline, at), plane.line("path", path)]
    if finish is not None and not run.has_ended:
        lines.append(plane.line("ahead", [(run.now, left), (finish, 0.0)]))
    stretched = el(
        "svg",
        lines,
        viewBox=f"0 0 {_UNIT} {_UNIT}",
        preserveAspectRatio="none",
        width="100%",
        height=_HEIGHT,
        x=0,
        y=0,
    )
    finishes = _draw_finish(run, scale)
    picture = el(
        "svg",
        el("title", f"Training left of {run.name} until its deadline", id="pace-title"),
        el("desc", _describe(run, deadline, at, left, clock), id="pace-desc"),
        list(draw_marks(scale, clock, _HEIGHT)),
        list(_draw_levels(plane, expected)),
        stretched,
        finishes,
        None if run.has_ended else draw_moment(scale, run.now, _HEIGHT, "now"),
        draw_moment(scale, at, _HEIGHT, "due"),
        role="img",
        aria_labelledby="pace-title pace-desc",
        class_="pace-picture",
        height=_HEIGHT + 20,
        width="100%",
    )
    return el(
        "div",
        picture,
        _draw_legend(run, {"ahead"} if finish else set(), {"range"} if finishes else set()),
        class_="figure",
    )


def list_progress(run: RunFacts, clock: Clock) -> Iterator[tuple[str, str, str]]:
    """Yield what the picture shows as rows: the time, the training that checkpoints held, and what was left then."""
    expected = float((run.deadline or {}).get("expected_runtime_seconds") or 0)
    every = max(1, len(run.points) // 10)
    for at, saved in (*run.points[:-1:every], *run.points[-1:]):
        yield clock.full(at), duration(saved), duration(expected - saved)


def _follow_progress(run: RunFacts, expected: float, left: float) -> Iterator[tuple[datetime, float]]:
    """Yield the corners of the training that is left: it shrinks towards each checkpoint, and only while it trains."""
    begins = sorted(span.begins for attempt in run.attempts for span in run.spans(attempt) if span.stage == "training")
    before, known = run.created_at, expected
    yield before, known
    last = expected - left
    for at, saved in (*run.points, *([(run.until, last)] if run.status == "Completed" else [])):
        resumed = max((one for one in begins if before < one <= at), default=None)
        if resumed is not None:
            yield resumed, known
        before, known = at, expected - saved
        yield before, known
    yield run.until, left


def _draw_finish(run: RunFacts, scale: TimeScale) -> Element | None:
    """Return the span from the earliest to the latest finish, at the bottom of the picture."""
    finish = run.document.get("finish") or {}
    earliest, latest = read_moment(finish.get("earliest")), read_moment(finish.get("latest"))
    if earliest is None or latest is None or latest <= earliest:
        return None
    left, right, y = scale.share(earliest), scale.share(latest), _HEIGHT - 4
    return el("line", class_="range", x1=f"{left:g}%", x2=f"{right:g}%", y1=y, y2=y)


def _draw_rules(plane: _Plane, deadline: Document, at: datetime) -> Iterator[Element]:
    """Yield the pace and the safety net, from where they enter the picture."""
    pace, reserve = deadline.get("pace"), deadline.get("reserve_seconds")
    begins = plane.scale.begins
    most = plane.most
    if pace:
        first = max(begins, at - timedelta(seconds=most / float(pace)))
        yield plane.line("pace", [(first, float(pace) * (at - first).total_seconds()), (at, 0.0)])
    if reserve is not None:
        last = at - timedelta(seconds=float(reserve))
        first = max(begins, last - timedelta(seconds=most))
        if last > begins:
            yield plane.line("net", [(first, (last - first).total_seconds()), (last, 0.0)])


def _draw_levels(plane: _Plane, expected: float) -> Iterator[Element]:
    for share in (1.0, 0.5):
        y = _HEIGHT * (1 - share * expected / plane.most)
        yield el("line", class_="grid", x1=0, x2="100%", y1=y, y2=y)
        yield el("text", f"{duration(share * expected)} left", class_="mark", x="99.5%", y=y - 4, text_anchor="end")


def _draw_legend(run: RunFacts, *shown: set[str]) -> Element:
    """Return what the lines mean that the picture has."""
    hidden = {"ahead", "range"}.difference(*shown) | ({"now", "ahead", "range"} if run.has_ended else set())
    items = [
        el(
            "li",
            el(
                "svg",
                el("line", class_=kind, x1=0, x2=16, y1=6, y2=6),
                width=16,
                height=12,
                aria_hidden="true",
            ),
            name,
        )
        for kind, name in (*_LINES, ("due", "deadline"))
        if kind not in hidden
    ]
    return el("ul", items, class_="legend")


def _likely(run: RunFacts) -> datetime | None:
    finish = run.document.get("finish") or {}
    likely = read_moment(finish.get("likely"))
    earliest = read_moment(finish.get("earliest"))
    found = likely or earliest
    return None if found is None else max(found, later(run.now, 0))


def _describe(run: RunFacts, deadline: Document, at: datetime, left: float, clock: Clock) -> str:
    ends = run.until if run.has_ended else run.now
    time_left = (at - ends).total_seconds()
    time_said = f"{duration(time_left)} before" if time_left >= 0 else f"{duration(-time_left)} after"
    pace = deadline.get("pace")
    allowed = f" A run that waits may use {percent(float(pace))} of the time that is left." if pace else ""
    return f"{duration(left)} of training left, {time_said} the deadline at {clock.full(at)}.{allowed}"
