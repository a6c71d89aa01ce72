"""Draw a run with rich, while it is going on and after it has ended."""

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
    from demo.watcher import Attempt, Step, View

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


def draw_run(
    view: View, rounds: int, started_at: datetime, now: datetime, shown_steps: int = SHOWN_STEPS
) -> RenderableType:
    """Return a picture of the current state of the run, with the latest steps of its training jobs."""
    title = Text.assemble(
        ("Run ", "bold"),
        str(view.run["run_id"]),
        "  ",
        _colour_status(view.status),
        f"  {(now - started_at).total_seconds():5.1f} s",
    )
    parts = [
        title,
        Text(str(view.run["reason"]), "italic"),
        Text(),
        _draw_progress(view, rounds),
        Text(),
        _draw_attempts(view),
    ]
    if view.steps:
        parts += [Text(), _draw_steps(view.steps[-shown_steps:], started_at)]
    return Panel(Group(*parts), title="Spot Relay", border_style="blue")


def format_step(step: Step, started_at: datetime) -> Text:
    """Return one step of a training job as a line."""
    return Text.assemble(
        (f"{_format_elapsed(started_at, step.at)}  ", "dim"),
        step.job_name,
        "  ",
        _colour_status(step.status),
        (f"  {step.message}", "dim"),
    )


def draw_result(outcome: Outcome) -> RenderableType:
    """Return a picture of how the run ended, what it cost, and where to find its results."""
    run = outcome.view.run
    parts: list[RenderableType] = [
        Text.assemble(("Run ", "bold"), str(run["run_id"]), "  ", _colour_status(outcome.view.status)),
        Text(str(run.get("reason", "")), "italic"),
        Text(),
        _draw_attempts(outcome.view, ended=True),
        Text(),
        _draw_seconds(outcome.view),
        Text(),
        draw_summary(outcome),
        Text(),
        _draw_metrics(outcome),
        Text(),
        _draw_places(outcome),
    ]
    return Panel(Group(*parts), title="Result", border_style="green" if outcome.succeeded else "red")


def draw_summary(outcome: Outcome) -> RenderableType:
    """Return a picture of what the run proved and what it saved."""
    return Group(_format_comparison(outcome), _format_costs(outcome))


def _colour_status(status: str) -> Text:
    return Text(status, COLOURS.get(status, "white"))


def _format_elapsed(started_at: datetime, moment: datetime) -> str:
    return f"+{(moment.astimezone(UTC) - started_at).total_seconds():5.1f} s"


def _draw_progress(view: View, rounds: int) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    metrics = next((attempt.log.metrics for attempt in reversed(view.attempts) if attempt.log.metrics), "")
    for heading, count, label in (("Rounds", view.reached, f"of {rounds}"), ("In S3", view.checkpointed, "are safe")):
        bar = ProgressBar(total=rounds, completed=count, width=50, complete_style="green", finished_style="green")
        grid.add_row(heading, bar, f"{count} {label}")
    grid.add_row("", Text(_LONG_FRACTION.sub(r"\1", metrics), "dim"), "")
    return grid


def _draw_attempts(view: View, *, ended: bool = False) -> RenderableType:
    table = _create_table("Attempt", "Outcome" if ended else "Phase", "From", "Rounds trained")
    for attempt in view.attempts:
        table.add_row(
            attempt.job_name,
            _colour_status(str(attempt.reported.get("outcome") or attempt.phase) if ended else attempt.phase),
            f"round {attempt.resumed_from}" if attempt.resumed_from else "the start",
            _format_stretches(attempt),
        )
    return table


def _draw_seconds(view: View) -> RenderableType:
    table = _create_table("Attempt", "Waited", "Training", "Billable", "Interruptions")
    for attempt in view.attempts:
        durations = [attempt.reported.get(f"{name}_seconds") for name in ("waited", "training", "billable")]
        formatted = ("unknown" if seconds is None else f"{seconds} s" for seconds in durations)
        table.add_row(attempt.job_name, *formatted, str(attempt.reported.get("interruptions", 0)))
    return table


def _create_table(*headings: str) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, no_wrap=heading == "Attempt")
    return table


def _format_stretches(attempt: Attempt) -> str:
    spans = ", ".join(f"{stretch.first}-{stretch.last}" for stretch in attempt.log.stretches)
    return f"{attempt.trained} ({spans})" if spans else "none yet"


def _draw_steps(steps: list[Step], started_at: datetime) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for step in steps:
        table.add_row(
            Text(_format_elapsed(started_at, step.at), "dim"),
            step.job_name,
            _colour_status(step.status),
            Text(step.message, "dim"),
        )
    return table


def _format_comparison(outcome: Outcome) -> Text:
    comparison = outcome.comparison
    if comparison is None:
        return Text("There is no model to compare.", "bold red")
    if comparison.identical:
        return Text(
            f"The model is identical to one trained without interruption: {comparison.predictions} predictions are "
            "equal to the last bit.",
            "bold green",
        )
    return Text(
        f"The model differs from one trained without interruption: {comparison.differing} of {comparison.predictions} "
        f"predictions, by at most {comparison.largest_difference:g}.",
        "bold red",
    )


def _format_costs(outcome: Outcome) -> Text:
    run = outcome.view.run
    savings = run.get("savings_percent")
    return Text(
        f"{run.get('interruptions', 0)} interruptions; {run.get('training_seconds', 0)} s of training, "
        f"{run.get('billable_seconds', 0)} s of them billable: "
        + ("savings unknown." if savings is None else f"{savings} % saved.")
    )


def _draw_metrics(outcome: Outcome) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_row(Text("Metrics logged by the functions", "bold"), "")
    for name in METRICS:
        if metric := outcome.metrics.get(name):
            values = ", ".join(f"{value:g}" for value in metric.values)
            table.add_row(f"  {name}", values if len(metric.values) < 8 else f"{metric.total:g} in total")
    return table


def _draw_places(outcome: Outcome) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(Text("Where to find it", "bold"), "")
    table.add_row("  status document", outcome.places.status_document)
    table.add_row("  model", outcome.places.model or "none")
    table.add_row("  checkpoints", outcome.places.checkpoints)
    table.add_row("  training logs", f"log group {outcome.places.training_logs}")
    table.add_row("  service logs, metrics", "\n".join(f"log group {g}" for g in outcome.places.function_logs))
    return table
