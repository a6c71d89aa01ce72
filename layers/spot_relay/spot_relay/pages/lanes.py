"""The picture of a run's attempts: a lane for each on one axis of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spot_relay.pages.headline import say_place
from spot_relay.pages.markup import el
from spot_relay.pages.scale import draw_marks, draw_moment
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
from spot_relay.pages.wording import duration, plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spot_relay.pages.markup import Element
    from spot_relay.pages.run_facts import Document, RunFacts, Span
    from spot_relay.pages.scale import TimeScale
    from spot_relay.pages.timeline import Key
    from spot_relay.pages.wording import Clock

_MOST_BARS = 240
_MOST_TICKS = 50
_NARROWEST = (0.08, 0.2, 0.4, 0.8, 1.6, 3.2)
_TALL_ROW, _SHORT_ROW, _MANY = 26, 18, 16


def draw_lanes(run: RunFacts, clock: Clock) -> Element:
    """Return the lanes of a run's attempts, with a description and a legend."""
    scale, canaries, planned_at = scale_of(run), find_canaries(run), next_at(run)
    row = _SHORT_ROW if len(run.attempts) > _MANY else _TALL_ROW
    height = row * len(run.attempts)
    narrowest = _choose_narrowest(run, scale)
    lanes = [
        _draw_lane(run, attempt, canaries.get(attempt["number"]), scale, index * row, row, narrowest)
        for index, attempt in enumerate(run.attempts)
    ]
    names = [_draw_name(attempt, index * row, row) for index, attempt in enumerate(run.attempts)]
    picture = el(
        "svg",
        el("title", f"Attempts of {run.name} over time", id="lanes-title"),
        el("desc", _describe(run, clock), id="lanes-desc"),
        _draw_hatch(),
        list(draw_marks(scale, clock, height)),
        lanes,
        list(_draw_ticks(run, scale, row)),
        None if run.has_ended else draw_moment(scale, run.now, height, "now"),
        draw_moment(scale, planned_at, height, "next") if planned_at else None,
        role="img",
        aria_labelledby="lanes-title lanes-desc",
        class_="dense" if row < _TALL_ROW else None,
        height=height + 20,
        width="100%",
    )
    left = el("svg", names, class_="names", aria_hidden="true", height=height + 20, width="100%")
    return el("div", el("div", left, picture, class_="lanes"), _draw_legend(run), class_="figure")


def _draw_name(attempt: Document, top: float, row: float) -> Element:
    name = f"{attempt['number']:02} {'on-demand' if is_on_demand(attempt) else 'spot'}"
    return el("text", name, x=0, y=top + row / 2 + 4)


def _draw_lane(
    run: RunFacts,
    attempt: Document,
    canary: Span | None,
    scale: TimeScale,
    top: float,
    row: float,
    narrowest: float,
) -> Element:
    spans = merge_spans(run.spans(attempt), scale, narrowest)
    bars = [_draw_bar(span, scale, narrowest) for span in spans]
    lost = [_draw_bar(span, scale, 0.0) for span in run.lost_spans(attempt)]
    beside = None if canary is None else _draw_canary(canary, scale, row)
    return el(
        "g",
        el("title", _describe_attempt(attempt)),
        bars,
        lost,
        beside,
        class_="od" if is_on_demand(attempt) else None,
        transform=f"translate(0 {top + row / 2:g})",
    )


def _draw_bar(span: Span, scale: TimeScale, narrowest: float) -> Element:
    """Return a bar as a thick line, which takes half the bytes of a rectangle."""
    begins = scale.share(span.begins)
    ends = max(scale.share(span.ends), begins + max(narrowest, 0.1))
    return el("line", class_=kind_of(span), x1=f"{begins:g}%", x2=f"{ends:.4g}%")


def _draw_canary(canary: Span, scale: TimeScale, row: float) -> Element:
    left, right = scale.share(canary.begins), scale.share(canary.ends)
    below = row / 2 - 2
    return el("line", class_="c", x1=f"{left:g}%", x2=f"{max(right, left + 0.3):.4g}%", y1=below, y2=below)


def _draw_ticks(run: RunFacts, scale: TimeScale, row: float) -> Iterator[Element]:
    """Yield a tick for each checkpoint that was seen, in the lane of the attempt that wrote it."""
    for lane, share in list_ticks(run, scale, 100 / _MOST_TICKS if row < _TALL_ROW else 0.4):
        top = lane * row
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


def _choose_narrowest(run: RunFacts, scale: TimeScale) -> float:
    """Return how narrow a bar may be, in percent, so that there are not too many of them."""
    for narrowest in _NARROWEST:
        if sum(len(merge_spans(run.spans(attempt), scale, narrowest)) for attempt in run.attempts) <= _MOST_BARS:
            return narrowest
    return _NARROWEST[-1]


def _describe(run: RunFacts, clock: Clock) -> str:
    on_demand = sum(map(is_on_demand, run.attempts))
    kinds = f"{len(run.attempts) - on_demand} on spot and {on_demand} on-demand"
    when = f"from {clock.time(run.created_at)} to {clock.time(run.until)}"
    return f"{plural(len(run.attempts), 'attempt')}, {kinds}, {when}. The table below says the same."


def _describe_attempt(attempt: Document) -> str:
    trained = f", {duration(attempt['training_seconds'])} trained" if attempt.get("training_seconds") else ""
    return f"{attempt['number']:02}: {say_place(attempt)} {attempt['placement']['market']}{trained}"


def _draw_legend(run: RunFacts) -> Element:
    """Return what the colours and patterns mean that the picture has."""
    return el("ul", [_draw_key(key) for key in list_keys(run)], class_="legend")


def _draw_key(key: Key) -> Element:
    if key.kind in {"k", "now", "next"}:
        top = 2 if key.kind == "k" else 0
        sample = el("line", class_=key.kind, x1=8, x2=8, y1=top, y2=12 - top)
    else:
        sample = el("line", class_=key.kind, x1=0, x2=16, y1=6, y2=6)
    group = el("g", sample, class_="od" if key.is_on_demand else None)
    return el("li", el("svg", group, width=16, height=12, aria_hidden="true"), key.name)
