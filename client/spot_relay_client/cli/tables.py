"""Draws runs with rich. Pure: the time is an argument."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from spot_relay.pages.chain import arrange
from spot_relay.pages.headline import say_finish, say_headline, say_next, warn_of_overdue
from spot_relay.pages.run_facts import RunFacts
from spot_relay_client.cli.lanes_view import Lanes
from spot_relay_client.cli.wording import (
    COLOURS,
    clock_at,
    describe_hosting,
    describe_start,
    format_duration,
    format_money,
    format_progress,
    format_saved,
    format_time,
    format_until,
    next_step,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from rich.console import RenderableType

    from spot_relay_client.models import Attempt, Decision, Run


# If the terminal is too narrow, these give way.
_MAY_WRAP: Final = frozenset({"Progress", "Next", "Began because", "On", "Resumed from"})


def draw_list(runs: Sequence[Run], now: datetime, *, tree: bool = False) -> RenderableType:
    """Return a table of runs; as a ``tree``, each is below the one that it comes after."""
    if not runs:
        return Text("There are no such runs.", "dim")
    table = create_table("Run", "Status", "Jobs", "Progress", "Next", "Cost", "Saved", "Age")
    for depth, run in _arrange(runs) if tree else ((0, run) for run in runs):
        add_row(
            table,
            f"{'   ' * (depth - 1)}└─ {run.name}" if depth else run.name,
            colour_status(run.status),
            str(len(run.attempts)),
            format_progress(run, now),
            next_step(run, now),
            format_money(run.cost_usd),
            format_saved(run, now),
            format_duration((now - run.created_at).total_seconds()),
        )
    return table


def _arrange(runs: Sequence[Run]) -> Iterable[tuple[int, Run]]:
    by_name = {run.name: run for run in runs}
    return ((depth, by_name[document["run_id"]]) for depth, document in arrange(run.document for run in runs))


def draw_run(run: Run, now: datetime) -> RenderableType:
    """Return all there is to know about a run at a glance."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    for name, value in _facts(run, now):
        add_row(facts, name, value)
    seen, clock = RunFacts(run.document, now), clock_at(now)
    parts: list[RenderableType] = [draw_title(run), Text(say_headline(seen, clock), "bold")]
    if warning := warn_of_overdue(seen, clock):
        parts.append(Text(f"A checkpoint is overdue. {warning}", "yellow"))
    parts += [Text(run.reason, "italic"), Text(), Lanes(seen, clock), Text(), facts]
    parts += [Text(), draw_attempts(run.attempts)]
    parts += [Text(), Text("Newest decisions", "bold"), draw_decisions(run.decisions[-5:])]
    return Group(*parts)


def draw_title(run: Run) -> Text:
    """Return the name and the status of a run."""
    return Text.assemble((run.name, "bold"), "  ", colour_status(run.status))


def _facts(run: Run, now: datetime) -> Iterable[tuple[str, str]]:
    yield "submitted", format_time(run.created_at)
    yield from _times(run, now)
    if run.start and run.start.template:
        limit = f", at most {run.start.at_most} at once" if run.start.at_most else ""
        yield "template", f"{run.start.template}{limit}"
    if run.start and (after := describe_start(run.start)):
        yield "starts after", after
    for name, task in (
        (("registration", run.hosting.register_model), ("endpoint", run.hosting.deploy)) if run.hosting else ()
    ):
        if task:
            yield name, describe_hosting(task)
    yield "progress", format_progress(run, now)
    if run.deadline:
        left = format_duration((run.deadline.at - now).total_seconds())
        yield "deadline", f"{format_time(run.deadline.at)}" + ("" if run.ended else f", in {left}")
    yield "training", f"{format_duration(run.training_seconds)}, {format_duration(run.billable_seconds)} of it billable"
    yield "waiting", f"{format_duration(run.waited_seconds)}, {run.interruptions} interruptions"
    yield "cost", f"{format_money(run.cost_usd)}, on-demand {format_money(run.on_demand_cost_usd)}"
    yield "saved", format_saved(run, now)
    yield "relaunches", ", ".join(_budgets(run)) or "none"
    if run.model_artifacts:
        yield "model", run.model_artifacts


def _times(run: Run, now: datetime) -> Iterable[tuple[str, str]]:
    """Yield when what happens, as far as that is known."""
    seen, clock = RunFacts(run.document, now), clock_at(now)
    if run.ended_at:
        yield "ended", format_time(run.ended_at)
    if coming := say_next(seen, clock):
        yield "next", coming
    if finish := say_finish(seen, clock):
        yield "finish", finish
    if not run.ended:
        yield "looked at", format_until(run.check_at, now)


def _budgets(run: Run) -> Iterable[str]:
    """Yield the budgets that have been drawn on."""
    for name, spent in run.spent.items():
        if spent:
            yield f"{name.replace('_', ' ')} {spent} of {run.budgets.get(name, '?')}"


def draw_attempts(attempts: Iterable[Attempt]) -> Table:
    """Return the attempts of a run, one after the other."""
    table = create_table("", "Began because", "On", "State", "Waited", "Trained", "Resumed from")
    for attempt in attempts:
        add_row(
            table,
            str(attempt.number),
            attempt.cause,
            str(attempt.placement),
            colour_status(attempt.outcome or attempt.phase or attempt.status),
            format_duration(attempt.waited_seconds),
            format_duration(attempt.training_seconds),
            attempt.resumes_from.key.rpartition("/")[2] if attempt.resumes_from else "the start",
        )
    return table


def draw_decisions(decisions: Iterable[Decision], show_time: Callable[[datetime], str] | None = None) -> RenderableType:
    """Return decisions, oldest first, with what led to each; with ``show_time`` only with its time, in short."""
    show, in_full = show_time or format_time, show_time is None
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    if in_full:
        table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for decision in decisions:
        often = f" ({decision.times} times until {show(decision.until)})" if decision.until else ""
        cause = [decision.observation] if in_full else []
        add_row(table, show(decision.at), *cause, decision.reason + often)
    return table


def add_row(table: Table, *cells: RenderableType) -> None:
    """Add a row whose strings are shown as they are, while rich would read markup in them."""
    table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in cells))


def colour_status(status: str) -> Text:
    """Return a status in its colour."""
    return Text(status, COLOURS.get(status, "white"))


def create_table(*headings: str) -> Table:
    """Return an empty table without lines."""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, no_wrap=heading not in _MAY_WRAP)
    return table
