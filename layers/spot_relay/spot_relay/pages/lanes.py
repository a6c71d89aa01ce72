"""The picture of a run's attempts: a lane for each on one axis of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spot_relay.pages.headline import say_place
from spot_relay.pages.markup import el
from spot_relay.pages.run_facts import Span
from spot_relay.pages.scale import TimeScale, draw_marks, draw_moment
from spot_relay.pages.wording import duration, later, plural, read_moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from spot_relay.pages.markup import Child, Element
    from spot_relay.pages.run_facts import Document, RunFacts
    from spot_relay.pages.wording import Clock

# Each stage with its class in the style sheet, and what the legend calls it.
STAGES = {
    "queued": ("w", "waiting to be launched"),
    "waiting": ("w", "waiting for capacity"),
    "starting": ("s", "starting"),
    "downloading": ("s", "downloading"),
    "training": ("t", "training"),
    "interrupted": ("i", "interrupted"),
    "uploading": ("u", "uploading"),
    "stopping": ("e", "stopping"),
    "earlier": ("e", "earlier, in less detail"),
    "lost": ("l", "lost work"),
}
_MOST_BARS = 240
_MOST_TICKS = 50
_NARROWEST = (0.08, 0.2, 0.4, 0.8, 1.6, 3.2)
_TALL_ROW, _SHORT_ROW, _MANY = 26, 18, 16


def draw_lanes(run: RunFacts, clock: Clock) -> Element:
    """Return the lanes of a run's attempts, with a description and a legend."""
    scale = _scale_of(run)
    row = _SHORT_ROW if len(run.attempts) > _MANY else _TALL_ROW
    height = row * len(run.attempts)
    canaries = {one["number"]: one for one in map(_number_canary, run.document.get("canaries") or ()) if one}
    narrowest = _choose_narrowest(run, scale)
    lanes = [
        _draw_lane(run, attempt, canaries.get(attempt["number"]), scale, index * row, row, narrowest)
        for index, attempt in enumerate(run.attempts)
    ]
    names = [_draw_name(attempt, index * row, row) for index, attempt in enumerate(run.attempts)]
    next_at = _next_at(run)
    picture = el(
        "svg",
        el("title", f"Attempts of {run.name} over time", id="lanes-title"),
        el("desc", _describe(run, clock), id="lanes-desc"),
        _draw_hatch(),
        list(draw_marks(scale, clock, height)),
        lanes,
        list(_draw_ticks(run, scale, row)),
        None if run.has_ended else draw_moment(scale, run.now, height, "now"),
        draw_moment(scale, next_at, height, "next") if next_at else None,
        role="img",
        aria_labelledby="lanes-title lanes-desc",
        class_="dense" if row < _TALL_ROW else None,
        height=height + 20,
        width="100%",
    )
    left = el("svg", names, class_="names", aria_hidden="true", height=height + 20, width="100%")
    return el("div", el("div", left, picture, class_="lanes"), _draw_legend(run, next_at), class_="figure")


def _scale_of(run: RunFacts) -> TimeScale:
    """Return the time from the submission to the end, or to a little after now, so that what comes next is seen."""
    begins = run.created_at
    if run.has_ended:
        return TimeScale(begins, run.until)
    whole = max(600.0, (run.now - begins).total_seconds())
    ahead, likely = 0.08 * whole, read_moment((run.document.get("finish") or {}).get("likely"))
    for moment in (_planned_at(run), likely):
        if moment is not None and moment > run.now:
            ahead = max(ahead, min((moment - run.now).total_seconds() * 1.03, 0.6 * whole))
    return TimeScale(begins, later(begins, whole + ahead))


def _planned_at(run: RunFacts) -> datetime | None:
    return read_moment((run.document.get("next") or {}).get("at"))


def _next_at(run: RunFacts) -> datetime | None:
    """Return when the next decision is due, if that lies in the picture."""
    at, scale = _planned_at(run), _scale_of(run)
    return at if at is not None and not run.has_ended and run.now <= at <= scale.ends else None


def _draw_name(attempt: Document, top: float, row: float) -> Element:
    market = attempt["placement"]["market"]
    name = f"{attempt['number']:02} {'on-demand' if market != 'spot' else 'spot'}"
    return el("text", name, x=0, y=top + row / 2 + 4)


def _draw_lane(
    run: RunFacts,
    attempt: Document,
    canary: Document | None,
    scale: TimeScale,
    top: float,
    row: float,
    narrowest: float,
) -> Element:
    on_demand = attempt["placement"]["market"] != "spot"
    spans = _merge(run.spans(attempt), scale, narrowest)
    bars = [_draw_bar(span, scale, narrowest) for span in spans]
    lost = [_draw_bar(span, scale, 0.0) for span in run.lost_spans(attempt)]
    beside = None if canary is None else _draw_canary(run, attempt, canary, scale, row)
    return el(
        "g",
        el("title", _describe_attempt(attempt)),
        bars,
        lost,
        beside,
        class_="od" if on_demand else None,
        transform=f"translate(0 {top + row / 2:g})",
    )


def _draw_bar(span: Span, scale: TimeScale, narrowest: float) -> Element:
    """Return a bar as a thick line, which takes half the bytes of a rectangle."""
    kind = STAGES.get(span.stage, STAGES["earlier"])[0]
    begins = scale.share(span.begins)
    ends = max(scale.share(span.ends), begins + max(narrowest, 0.1))
    return el("line", class_=kind, x1=f"{begins:g}%", x2=f"{ends:.4g}%")


def _draw_canary(run: RunFacts, attempt: Document, canary: Document, scale: TimeScale, row: float) -> Element:
    begins = read_moment(canary.get("planned_at")) or run.created_at
    end = read_moment(attempt.get("ended_at")) or run.until
    left, right = scale.share(begins), scale.share(max(begins, end))
    below = row / 2 - 2
    return el("line", class_="c", x1=f"{left:g}%", x2=f"{max(right, left + 0.3):.4g}%", y1=below, y2=below)


def _draw_ticks(run: RunFacts, scale: TimeScale, row: float) -> Iterator[Element]:
    """Yield a tick for each checkpoint that was seen, in the lane of the attempt that wrote it."""
    lanes = [(index, run.spans(attempt)) for index, attempt in enumerate(run.attempts)]
    apart, last = 100 / _MOST_TICKS if row < _TALL_ROW else 0.4, -100.0
    for at, _ in run.points:
        lane = next((i for i, spans in reversed(lanes) if spans and spans[0].begins <= at), None)
        share = scale.share(at)
        if lane is not None and share - last >= apart:
            last, top = share, lane * row
            yield el("line", class_="k", x1=f"{share:g}%", x2=f"{share:g}%", y1=top + 3, y2=top + row - 3)


def _draw_hatch() -> Element:
    """Return the patterns of on-demand and of lost work, which are also told apart without colours."""
    slanted = el(
        "pattern",
        el("rect", class_="od-back", width=6, height=6),
        el("line", class_="od-line", x1=0, y1=0, x2=0, y2=6),
        id="od",
        width=6,
        height=6,
        patternUnits="userSpaceOnUse",
        patternTransform="rotate(45)",
    )
    crossed = el(
        "pattern",
        el("rect", class_="lost-back", width=5, height=5),
        el("path", class_="lost-line", d="M0 0 5 5M5 0 0 5"),
        id="lost",
        width=5,
        height=5,
        patternUnits="userSpaceOnUse",
    )
    return el("defs", slanted, crossed)


def _merge(spans: Sequence[Span], scale: TimeScale, narrowest: float) -> list[Span]:
    """Return spans that can be seen: those that are too narrow together are drawn as what most of them was."""
    merged: list[Span] = []
    group: list[Span] = []
    for span in spans:
        group.append(span)
        if scale.share(group[-1].ends) - scale.share(group[0].begins) >= narrowest:
            merged.append(_sum_up(group))
            group = []
    return [*merged, _sum_up(group)] if group else merged


def _sum_up(group: Sequence[Span]) -> Span:
    longest = max(group, key=lambda span: span.ends - span.begins)
    return Span(longest.stage, group[0].begins, group[-1].ends)


def _choose_narrowest(run: RunFacts, scale: TimeScale) -> float:
    """Return how narrow a bar may be, in percent, so that there are not too many of them."""
    for narrowest in _NARROWEST:
        if sum(len(_merge(run.spans(attempt), scale, narrowest)) for attempt in run.attempts) <= _MOST_BARS:
            return narrowest
    return _NARROWEST[-1]


def _number_canary(canary: Document) -> Document | None:
    """Return a canary with the number of the attempt that it waited beside, which ends its name."""
    digits = str(canary["job_name"])[-2:]
    return {**canary, "number": int(digits)} if digits.isdecimal() else None


def _describe(run: RunFacts, clock: Clock) -> str:
    spots = sum(attempt["placement"]["market"] == "spot" for attempt in run.attempts)
    kinds = f"{spots} on spot and {len(run.attempts) - spots} on-demand"
    when = f"from {clock.time(run.created_at)} to {clock.time(run.until)}"
    return f"{plural(len(run.attempts), 'attempt')}, {kinds}, {when}. The table below says the same."


def _describe_attempt(attempt: Document) -> str:
    trained = f", {duration(attempt['training_seconds'])} trained" if attempt.get("training_seconds") else ""
    return f"{attempt['number']:02}: {say_place(attempt)} {attempt['placement']['market']}{trained}"


def _draw_legend(run: RunFacts, next_at: datetime | None) -> Element:
    """Return what the colours and patterns mean that the picture has."""
    shown: dict[tuple[str, str, bool], str] = {}
    for attempt in run.attempts:
        on_demand = attempt["placement"]["market"] != "spot"
        for span in (*run.spans(attempt), *run.lost_spans(attempt)):
            kind, name = STAGES.get(span.stage, STAGES["earlier"])
            trains = kind == "t"
            where = (" on-demand" if on_demand else " on spot") if trains else ""
            shown.setdefault((kind, "od" if on_demand and trains else "", trains), f"{name}{where}")
    items: list[Child] = [_draw_key(kind, market, name) for (kind, market, _), name in shown.items()]
    if run.document.get("canaries"):
        items.append(_draw_key("c", "", "canary, looking for spot"))
    if run.points:
        items.append(_draw_key("k", "", "checkpoint"))
    if not run.has_ended:
        items.append(_draw_key("now", "", "now"))
    if next_at is not None:
        items.append(_draw_key("next", "", "next decision"))
    return el("ul", items, class_="legend")


def _draw_key(kind: str, market: str, name: str) -> Element:
    if kind in {"k", "now", "next"}:
        top = 2 if kind == "k" else 0
        sample = el("line", class_=kind, x1=8, x2=8, y1=top, y2=12 - top)
    else:
        sample = el("line", class_=kind, x1=0, x2=16, y1=6, y2=6)
    group = el("g", sample, class_=market or None)
    return el("li", el("svg", group, width=16, height=12, aria_hidden="true"), name)
