"""The page of all runs: a table that is sorted and filtered by whoever asks for it, through plain addresses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from spot_relay.pages.headline import say_next, say_progress
from spot_relay.pages.markup import el, render_page
from spot_relay.pages.run_facts import RunFacts
from spot_relay.pages.run_page import draw_share, frame
from spot_relay.pages.view import SORTS, STATUSES, View
from spot_relay.pages.wording import NOTHING, Clock, money, percent, plural, read_moment, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from spot_relay.pages.markup import Child, Element
    from spot_relay.pages.run_facts import Document

_MOST_NEXT = 140


def render_runs(
    documents: Iterable[Document],
    now: datetime,
    zone: tzinfo = UTC,
    view: View | None = None,
    *,
    link_view: Callable[[View], str] | None = None,
    link_run: Callable[[str], str] | None = None,
    bar: Element | None = None,
    head: Iterable[Element] = (),
) -> str:
    """Return the page of runs, from their status documents, at a moment in a time zone.

    ``link_view`` returns the address of this page with another view, and ``link_run`` that of the page of a run.
    Without them the page has no such links. A server puts a ``bar`` above the page, and more into its ``head``.
    """
    title, content = build_runs(documents, now, zone, view, link_view=link_view, link_run=link_run)
    return render_page(frame(title, bar, *content, head=head))


def build_runs(
    documents: Iterable[Document],
    now: datetime,
    zone: tzinfo = UTC,
    view: View | None = None,
    *,
    link_view: Callable[[View], str] | None = None,
    link_run: Callable[[str], str] | None = None,
) -> tuple[str, tuple[Element, ...]]:
    """Return the title and the content of the page of runs."""
    seen, clock = view or View(), Clock(now, zone)
    runs = [RunFacts(document, now) for document in documents]
    shown = _arrange([run for run in runs if _is_shown(run, seen)], seen)
    content = (
        el(
            "header",
            el("div", el("h1", "Runs"), class_="top"),
            el("p", _sum_up(runs, shown), class_="lead"),
            None if link_view is None else _draw_filter(seen, link_view),
        ),
        el("section", _draw_table(shown, clock, seen, link_view, link_run)),
        el("footer", f"As of {clock.full(now)}."),
    )
    return f"Runs: {len(shown)}", content


def _is_shown(run: RunFacts, view: View) -> bool:
    return (view.status is None or run.status == view.status) and view.name in run.name


def _arrange(runs: Sequence[RunFacts], view: View) -> list[RunFacts]:
    """Return runs in the order of a view; those of which it is not known come last in either direction."""
    newest_first = sorted(runs, key=lambda run: run.created_at, reverse=True)
    keyed = [(_key_of(run, view.sort), run) for run in newest_first]
    known = [(key, run) for key, run in keyed if key is not None]
    known.sort(key=lambda pair: pair[0], reverse=view.descending)
    return [*(run for _, run in known), *(run for key, run in keyed if key is None)]


def _key_of(run: RunFacts, sort: str) -> tuple[float | str, ...] | None:
    """Return what a run is sorted by, or None if that is not known."""
    match sort:
        case "name":
            return (run.name.lower(), run.name)
        case "status":
            return (STATUSES.index(run.status) if run.status in STATUSES else len(STATUSES),)
        case "progress":
            return _some(run.share)
        case "finish":
            finish = _finish_of(run)
            return None if finish is None else (finish.timestamp(),)
        case "cost":
            return _some(run.document.get("cost_usd"))
        case "saved":
            return _some(run.saved_share)
        case _:
            return (run.created_at.timestamp(),)


def _some(value: float | None) -> tuple[float] | None:
    return None if value is None else (value,)


def _finish_of(run: RunFacts) -> datetime | None:
    """Return when a run ended, or is likely to, or may at the earliest."""
    finish = run.document.get("finish") or {}
    return run.moment("ended_at") or read_moment(finish.get("likely")) or read_moment(finish.get("earliest"))


def _sum_up(runs: Sequence[RunFacts], shown: Sequence[RunFacts]) -> str:
    going = sum(not run.has_ended for run in shown)
    cost = sum(float(run.document.get("cost_usd") or 0) for run in shown)
    on_demand = sum(float(run.document.get("on_demand_cost_usd") or 0) for run in shown if _is_priced(run))
    paid = sum(float(run.document["cost_usd"]) for run in shown if _is_priced(run))
    saved = f", {percent(1 - paid / on_demand)} saved" if on_demand and paid < on_demand else ""
    which = plural(len(shown), "run") if len(shown) == len(runs) else f"{len(shown)} of {plural(len(runs), 'run')}"
    return f"{which}, {going} going on. {money(cost)}{saved}."


def _is_priced(run: RunFacts) -> bool:
    return run.document.get("cost_usd") is not None and bool(run.document.get("on_demand_cost_usd"))


def _draw_filter(view: View, link: Callable[[View], str]) -> Element:
    """Return links to the runs of each status."""
    choices: list[tuple[str, str | None]] = [("All", None), *((status, status) for status in STATUSES)]
    links = [
        el("a", name, href=link(replace(view, status=status)), aria_current="true" if status == view.status else None)
        for name, status in choices
    ]
    return el("nav", links, class_="filter", aria_label="Status")


def _draw_table(
    runs: Sequence[RunFacts],
    clock: Clock,
    view: View,
    link_view: Callable[[View], str] | None,
    link_run: Callable[[str], str] | None,
) -> Child:
    if not runs:
        return el("p", "No run is shown.")
    heads = [_draw_head(key, view, link_view) for key in ("name", "status", "progress")]
    heads += [el("th", "Next", scope="col")]
    heads += [_draw_head(key, view, link_view) for key in ("finish", "cost", "saved", "submitted")]
    rows = [_draw_row(run, clock, link_run) for run in runs]
    body = el("table", el("thead", el("tr", heads)), el("tbody", rows), class_="runs")
    return el("div", body, class_="scroll", tabindex=0, role="region", aria_label="Runs")


def _draw_head(key: str, view: View, link: Callable[[View], str] | None) -> Element:
    """Return the heading of a column, which sorts by it, or turns the order around."""
    is_sorted = view.sort == key
    order = ("descending" if view.descending else "ascending") if is_sorted else None
    arrow = (" ↓" if view.descending else " ↑") if is_sorted else ""
    text = f"{SORTS[key]}{arrow}"
    if link is None:
        return el("th", text, scope="col", aria_sort=order)
    other = replace(view, sort=key, descending=not view.descending if is_sorted else key != "name")
    return el("th", el("a", text, href=link(other)), scope="col", aria_sort=order)


def _draw_row(run: RunFacts, clock: Clock, link: Callable[[str], str] | None) -> Element:
    name: Child = run.name if link is None else el("a", run.name, href=link(run.name))
    share, finish = run.share, _finish_of(run)
    progress: Child = say_progress(run)
    if share is not None:
        progress = (draw_share(share), el("span", progress, class_="note"))
    is_likely = (run.document.get("finish") or {}).get("likely") is not None
    about = "" if run.has_ended or finish is None else "about " if is_likely else "from "
    cost, saved = run.document.get("cost_usd"), run.saved_share
    cells = (
        el("td", progress, class_="share"),
        el("td", _say_next(run, clock)),
        el("td", f"{about}{clock.time(finish)}" if finish else NOTHING),
        el("td", money(cost)),
        el("td", percent(saved) if saved is not None and saved > 0 else NOTHING),
        el("td", clock.time(run.created_at)),
    )
    status = el("td", el("span", run.status, class_=f"status {run.status}"))
    return el("tr", el("th", name, scope="row"), status, cells)


def _say_next(run: RunFacts, clock: Clock) -> str:
    why = NOTHING if run.status == "Completed" else str(run.document.get("reason") or "")
    return shorten(say_next(run, clock) or why, _MOST_NEXT)
