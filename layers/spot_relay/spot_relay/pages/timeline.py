"""A run's attempts on one axis of time, in shares of its length: what every picture of them draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from spot_relay.pages.run_facts import Span
from spot_relay.pages.scale import TimeScale
from spot_relay.pages.wording import later, read_moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from spot_relay.pages.run_facts import Document, RunFacts

# Each stage with its kind, which is drawn in one way, and its name.
STAGES = {
    "queued": ("w", "waiting to be launched"),
    "waiting": ("w", "waiting for capacity"),
    "starting": ("s", "starting"),
    "downloading": ("s", "starting"),
    "training": ("t", "training"),
    "interrupted": ("i", "interrupted"),
    "uploading": ("u", "uploading"),
    "stopping": ("e", "stopping"),
    "earlier": ("e", "earlier, in less detail"),
    "lost": ("l", "lost work"),
}


class Key(NamedTuple):
    """An entry of a picture's legend."""

    kind: str
    """That of a stage; or c for a canary, k for a checkpoint, now, or next."""
    is_on_demand: bool
    """Whether it is training on-demand."""
    name: str


def kind_of(span: Span) -> str:
    """Return the kind of a span's stage; one that is not known is like any that is over."""
    return STAGES.get(span.stage, STAGES["earlier"])[0]


def is_on_demand(attempt: Document) -> bool:
    """Whether an attempt runs on-demand."""
    return bool(attempt["placement"]["market"] != "spot")


def scale_of(run: RunFacts) -> TimeScale:
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


def next_at(run: RunFacts) -> datetime | None:
    """Return when the next decision is due, if that lies in the picture."""
    at = _planned_at(run)
    return at if at is not None and not run.has_ended and run.now <= at <= scale_of(run).ends else None


def merge_spans(spans: Sequence[Span], scale: TimeScale, narrowest: float) -> list[Span]:
    """Return spans that can be seen: those that are too narrow together are drawn as what most of them was."""
    merged: list[Span] = []
    group: list[Span] = []
    for span in spans:
        group.append(span)
        if scale.share(group[-1].ends) - scale.share(group[0].begins) >= narrowest:
            merged.append(_sum_up(group))
            group = []
    return [*merged, _sum_up(group)] if group else merged


def list_ticks(run: RunFacts, scale: TimeScale, apart: float) -> Iterator[tuple[int, float]]:
    """Yield the attempt (its index) and the share of each checkpoint that is at least ``apart`` from the one before."""
    lanes = [(index, run.spans(attempt)) for index, attempt in enumerate(run.attempts)]
    last = -100.0
    for at, _ in run.points:
        lane = next((index for index, spans in reversed(lanes) if spans and spans[0].begins <= at), None)
        share = scale.share(at)
        if lane is not None and share - last >= apart:
            last = share
            yield lane, share


def find_canaries(run: RunFacts) -> dict[int, Span]:
    """Return when canaries waited, by the number of the attempt beside which they did, which ends their names."""
    ends = {attempt["number"]: read_moment(attempt.get("ended_at")) or run.until for attempt in run.attempts}
    found = {}
    for canary in run.document.get("canaries") or ():
        digits = str(canary["job_name"])[-2:]
        if digits.isdecimal() and int(digits) in ends:
            begins = read_moment(canary.get("planned_at")) or run.created_at
            found[int(digits)] = Span("canary", begins, max(begins, ends[int(digits)]))
    return found


def list_keys(run: RunFacts) -> list[Key]:
    """Return the legend of a picture: what it has, and no more."""
    shown: dict[tuple[str, bool], Key] = {}
    for attempt in run.attempts:
        for span in (*run.spans(attempt), *run.lost_spans(attempt)):
            kind, name = STAGES.get(span.stage, STAGES["earlier"])
            hatched = kind == "t" and is_on_demand(attempt)
            where = (" on-demand" if hatched else " on spot") if kind == "t" else ""
            shown.setdefault((kind, hatched), Key(kind, hatched, f"{name}{where}"))
    others = (
        ("c", "canary, looking for spot", bool(run.document.get("canaries"))),
        ("k", "checkpoint", bool(run.points)),
        ("now", "now", not run.has_ended),
        ("next", "next decision", next_at(run) is not None),
    )
    return [*shown.values(), *(Key(kind, False, name) for kind, name, is_shown in others if is_shown)]


def _planned_at(run: RunFacts) -> datetime | None:
    return read_moment((run.document.get("next") or {}).get("at"))


def _sum_up(group: Sequence[Span]) -> Span:
    longest = max(group, key=lambda span: span.ends - span.begins)
    return Span(longest.stage, group[0].begins, group[-1].ends)
