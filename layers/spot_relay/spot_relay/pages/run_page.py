"""The page of a run."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from spot_relay.pages.chain import show_chain
from spot_relay.pages.headline import say_finish, say_headline, say_next, warn_of_overdue
from spot_relay.pages.lanes import draw_lanes
from spot_relay.pages.markup import el, render_page
from spot_relay.pages.pace_picture import draw_pace, list_progress
from spot_relay.pages.run_facts import RunFacts
from spot_relay.pages.sections import (
    facts,
    list_attempts,
    list_decisions,
    section,
    show_checkpoints,
    show_model,
    show_money,
    show_queue,
    table,
)
from spot_relay.pages.style import STYLE
from spot_relay.pages.wording import NOTHING, Clock, duration, limit, money, percent, read_moment, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from spot_relay.pages.markup import Child, Element
    from spot_relay.pages.run_facts import Document

# A page must not grow with the texts of its run: it shows fewer decisions, and fewer addresses of logs, before it is
# larger than this. The page of a job in the console leads to its logs as well.
MOST_BYTES = 60_000
_SHOWN = ((40, 50), (20, 50), (20, 20), (10, 10), (5, 5), (1, 1))
_MOST_REASON = 600


def render_run(
    document: Document,
    now: datetime,
    zone: tzinfo = UTC,
    *,
    others: Iterable[Document] = (),
    link_run: Callable[[str], str] | None = None,
    bar: Element | None = None,
    head: Iterable[Element] = (),
) -> str:
    """Return the page of a run, from its status document as the API answers it, at a moment in a time zone.

    The documents of ``others`` show which runs come after it, and ``link_run`` returns the address of the page of one.
    A server puts a ``bar`` above the page, and more into its ``head``.
    """
    title, chain = f"{document['run_id']}: {document['status']}", show_chain(document, others, link_run)
    return write_run(document, now, zone, lambda *content: render_page(frame(title, bar, *content, head=head)), chain)


def write_run(
    document: Document, now: datetime, zone: tzinfo, write: Callable[..., str], chain: Element | None = None
) -> str:
    """Return what ``write`` makes of the content of a run's page, of which there is less if that is too large."""
    run, clock = RunFacts(document, now), Clock(now, zone)
    for decisions, logs in _SHOWN:
        page = write(*_build(run, clock, chain, decisions, logs))
        if len(page.encode()) < MOST_BYTES:
            break
    return page


def frame(title: str, *content: Child, head: Iterable[Element] = ()) -> Element:
    """Return a whole page around its content, with more in its head."""
    return el(
        "html",
        el(
            "head",
            el("meta", charset="utf-8"),
            el("meta", name="viewport", content="width=device-width, initial-scale=1"),
            el("meta", name="color-scheme", content="light dark"),
            el("title", f"{title} - Spot Relay"),
            el("style", STYLE),
            head,
        ),
        el("body", el("main", *content)),
        lang="en",
    )


def draw_share(share: float) -> Element:
    """Return a bar of how much of the training is done."""
    said = percent(share)
    return el(
        "svg",
        el("title", f"{said} trained"),
        el("rect", class_="todo", width="100%", height=8, rx=4),
        el("rect", class_="done", width=f"{share * 100:.1f}%", height=8, rx=4) if share > 0 else None,
        role="img",
        width="100%",
        height=8,
    )


def _build(run: RunFacts, clock: Clock, chain: Element | None, decisions: int, logs: int) -> tuple[Child, ...]:
    pace = draw_pace(run, clock)
    return (
        _head(run, clock),
        section(
            "Attempts",
            draw_lanes(run, clock),
            el(
                "details", el("summary", "The attempts as a table, with jobs and logs"), list_attempts(run, clock, logs)
            ),
            name="attempts",
        ),
        _show_deadline(run, clock, pace) if pace is not None else None,
        el(
            "div",
            show_queue(run, clock),
            show_money(run),
            show_checkpoints(run, clock),
            show_model(run),
            chain,
            class_="columns",
        ),
        list_decisions(run, clock, decisions),
        el("footer", f"As of {clock.full(run.now)}. The run was last changed {_changed(run, clock)}."),
    )


def _changed(run: RunFacts, clock: Clock) -> str:
    moment = run.moment("updated_at")
    return clock.ago(moment) if moment else "at an unknown time"


def _head(run: RunFacts, clock: Clock) -> Element:
    waited, lost = run.document.get("waited_seconds"), run.document.get("wasted_seconds")
    finish = say_finish(run, clock)
    return el(
        "header",
        el("div", el("h1", run.name), el("span", run.status, class_=f"status {run.status}"), class_="top"),
        el("p", say_headline(run, clock), class_="lead"),
        draw_share(run.share) if run.share is not None else None,
        _show_next(run, clock),
        el(
            "p",
            shorten(str(run.document.get("reason") or ""), _MOST_REASON),
            class_="warning" if run.status == "Failed" else "why",
        ),
        _show_overdue(run, clock),
        facts(
            (
                ("Submitted", clock.time(run.created_at)),
                ("Finish", finish) if finish else None,
                ("Deadline", _say_moment(run.deadline.get("at"), clock)) if run.deadline else None,
                ("Cost", _say_cost(run)),
                ("Saved", percent(max(0.0, run.saved_share))) if run.saved_share is not None else None,
                ("Attempts", str(len(run.attempts))),
                ("Interruptions", str(run.document.get("interruptions", 0))),
                ("Waited", duration(waited)) if waited else None,
                ("Lost", duration(lost)) if lost else None,
            )
        ),
    )


def _show_next(run: RunFacts, clock: Clock) -> Element | None:
    """Return what is decided next, and when."""
    told = say_next(run, clock)
    if not told:
        return None
    reason = str(run.document["next"]["reason"])
    when = f"Next, {told.removesuffix(reason)}" if told != reason else "Next: "
    return el("p", el("strong", when), reason, class_="comes")


def _show_overdue(run: RunFacts, clock: Clock) -> Element | None:
    """Return a warning if the next checkpoint is overdue."""
    told = warn_of_overdue(run, clock)
    title = el("strong", "A checkpoint is overdue. ")
    return el("p", title, told, class_="warning", role="status") if told else None


def _show_deadline(run: RunFacts, clock: Clock, picture: Element) -> Element:
    deadline = run.deadline or {}
    demand = read_moment(deadline.get("on_demand_from"))
    rule = None
    if demand is not None and not run.has_ended:
        rule = el(
            "p",
            f"Without spot capacity from now on, the run continues on-demand at {clock.time(demand)}.",
            class_="note",
        )
    head = ("When", "Training in checkpoints", "Training left")
    rows = list(list_progress(run, clock))
    alternative = (
        el("details", el("summary", "The progress as a table"), table("Progress", head, rows, numbers="-nn"))
        if rows
        else None
    )
    return section("Deadline", picture, rule, alternative, name="deadline")


def _say_cost(run: RunFacts) -> str:
    cost, budget = run.document.get("cost_usd"), run.budget_usd
    if cost is None:
        return "no price is known"
    return money(cost) if budget is None else f"{money(cost)} of at most {limit(budget)}"


def _say_moment(text: str | None, clock: Clock) -> str:
    moment = read_moment(text)
    return clock.time(moment) if moment else NOTHING
