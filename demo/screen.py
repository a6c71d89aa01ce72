"""Draws a run with rich: while it goes on, and how it ended. Draws only, and reads nothing."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Group
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType

    from demo.outcome import Outcome
    from demo.watching import Attempt, Step, View

COLOURS = {
    "Planned": "dim",
    "Starting": "yellow",
    "Pending": "yellow",
    "Downloading": "cyan",
    "Training": "green",
    "Interrupted": "red",
    "Uploading": "cyan",
    "Stopping": "magenta",
    "Stopped": "magenta",
    "MaxWaitTimeExceeded": "magenta",
    "MaxRuntimeExceeded": "magenta",
    "Completed": "bold green",
    "Failed": "bold red",
}
SHOWN_STEPS = 9
_LONG_FRACTION = re.compile(r"(\d\.\d{4})\d+")
METRICS = (
    "AttemptsLaunched",
    "Interruptions",
    "WaitsExpired",
    "RelaunchesAfterMaxWaitTimeExceeded",
    "EventToRelaunchSeconds",
    "CapacityWaitSeconds",
    "RunsCompleted",
    "SavingsPercent",
)


def live(view: View, rounds: int, began: datetime, now: datetime, shown_steps: int = SHOWN_STEPS) -> RenderableType:
    """Draw the run as it is now, with the newest steps of its training jobs."""
    title = Text.assemble(
        ("Run ", "bold"), _run_id(view), "  ", _coloured(view.status), f"  {(now - began).total_seconds():5.1f} s"
    )
    reason = str(view.run["reason"]) if view.run else "the spec is on its way: S3, EventBridge, SQS, submit"
    parts = [title, Text(reason, "italic"), Text(), _progress(view, rounds), Text(), _attempts(view)]
    if view.steps:
        parts += [Text(), _feed(view.steps[-shown_steps:], began)]
    return Panel(Group(*parts), title="Spot Relay", border_style="blue")


def line(step: Step, began: datetime) -> Text:
    """Write one step of a training job as a line, for where nothing can be redrawn."""
    return Text.assemble(
        (f"{_since(began, step.at)}  ", "dim"),
        step.job_name,
        "  ",
        _coloured(step.status),
        (f"  {step.message}", "dim"),
    )


def result(outcome: Outcome) -> RenderableType:
    """Draw how the run ended, what it cost, and where what it left can be found."""
    run = outcome.view.run or {}
    parts: list[RenderableType] = [
        Text.assemble(("Run ", "bold"), _run_id(outcome.view), "  ", _coloured(outcome.view.status)),
        Text(str(run.get("reason", "")), "italic"),
        Text(),
        _attempts(outcome.view, ended=True),
        Text(),
        _seconds(outcome.view),
        Text(),
        summary(outcome),
        Text(),
        _metrics(outcome),
        Text(),
        _places(outcome),
    ]
    good = outcome.good
    return Panel(Group(*parts), title="The result", border_style="green" if good else "red")


def summary(outcome: Outcome) -> RenderableType:
    """Draw what the run proved and what it saved."""
    return Group(_verdict(outcome), _bill(outcome))


def _run_id(view: View) -> str:
    return str(view.run["run_id"]) if view.run else "…"


def _coloured(status: str) -> Text:
    return Text(status, COLOURS.get(status, "white"))


def _since(began: datetime, moment: datetime) -> str:
    return f"+{(moment.astimezone(UTC) - began).total_seconds():5.1f} s"


def _progress(view: View, rounds: int) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    metrics = next((attempt.log.metrics for attempt in reversed(view.attempts) if attempt.log.metrics), "")
    for heading, count, said in (("Rounds", view.reached, f"of {rounds}"), ("In S3", view.kept, "are safe")):
        bar = ProgressBar(total=rounds, completed=count, width=50, complete_style="green", finished_style="green")
        grid.add_row(heading, bar, f"{count} {said}")
    grid.add_row("", Text(_LONG_FRACTION.sub(r"\1", metrics), "dim"), "")
    return grid


def _attempts(view: View, *, ended: bool = False) -> RenderableType:
    table = _table("Attempt", "Outcome" if ended else "Phase", "From", "Rounds trained")
    for attempt in view.attempts:
        table.add_row(
            attempt.job_name,
            _coloured(str(attempt.told.get("outcome") or attempt.phase) if ended else attempt.phase),
            f"round {attempt.resumed_from}" if attempt.resumed_from else "the start",
            _stretches(attempt),
        )
    return table


def _seconds(view: View) -> RenderableType:
    table = _table("Attempt", "Waited", "Training", "Billable", "Interruptions")
    for attempt in view.attempts:
        given = [attempt.told.get(f"{name}_seconds") for name in ("waited", "training", "billable")]
        shown = ("unknown" if seconds is None else f"{seconds} s" for seconds in given)
        table.add_row(attempt.job_name, *shown, str(attempt.told.get("interruptions", 0)))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, no_wrap=heading == "Attempt")
    return table


def _stretches(attempt: Attempt) -> str:
    spans = ", ".join(f"{stretch.first}-{stretch.last}" for stretch in attempt.log.stretches)
    return f"{attempt.trained} ({spans})" if spans else "none yet"


def _feed(steps: list[Step], began: datetime) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for step in steps:
        table.add_row(
            Text(_since(began, step.at), "dim"), step.job_name, _coloured(step.status), Text(step.message, "dim")
        )
    return table


def _verdict(outcome: Outcome) -> Text:
    found = outcome.comparison
    if found is None:
        return Text("There is no model to compare.", "bold red")
    if found.identical:
        return Text(
            f"The model equals one trained without interruption: {found.predictions} predictions, "
            "the same to the last bit.",
            "bold green",
        )
    return Text(
        f"The model differs from one trained without interruption: {found.differing} of {found.predictions} "
        f"predictions, by at most {found.largest_difference:g}.",
        "bold red",
    )


def _bill(outcome: Outcome) -> Text:
    run = outcome.view.run or {}
    savings = run.get("savings_percent")
    return Text(
        f"{run.get('interruptions', 0)} interruptions; {run.get('training_seconds', 0)} s of training, "
        f"{run.get('billable_seconds', 0)} s of them billable: "
        + ("savings unknown." if savings is None else f"{savings} % saved.")
    )


def _metrics(outcome: Outcome) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_row(Text("Metrics that the functions logged", "bold"), "")
    for name in METRICS:
        if metric := outcome.metrics.get(name):
            values = ", ".join(f"{value:g}" for value in metric.values)
            table.add_row(f"  {name}", values if len(metric.values) < 8 else f"{metric.total:g} in all")
    return table


def _places(outcome: Outcome) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(Text("Where it lies", "bold"), "")
    table.add_row("  status document", outcome.places.status_document)
    table.add_row("  model", outcome.places.model or "none")
    table.add_row("  checkpoints", outcome.places.checkpoints)
    table.add_row("  training logs", f"log group {outcome.places.training_logs}")
    table.add_row("  service logs, metrics", "\n".join(f"log group {g}" for g in outcome.places.function_logs))
    return table
