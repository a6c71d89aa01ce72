"""Puts durations, money and the state of a run into words."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import click

from spot_relay.pages.headline import say_next, say_progress
from spot_relay.pages.run_facts import RunFacts
from spot_relay.pages.wording import Clock, percent

if TYPE_CHECKING:
    from collections.abc import Callable

    from spot_relay_client.models import HostingTask, Run, Start

COLOURS: Final = {
    "Pending": "yellow",
    "Starting": "yellow",
    "InProgress": "cyan",
    "Downloading": "cyan",
    "Training": "green",
    "Uploading": "cyan",
    "Interrupted": "red",
    "Stopping": "magenta",
    "Stopped": "magenta",
    "MaxWaitTimeExceeded": "magenta",
    "MaxRuntimeExceeded": "magenta",
    "Completed": "bold green",
    "Failed": "bold red",
}
_UNITS: Final = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_NOTHING: Final = "-"


def format_duration(seconds: float | None) -> str:
    """Return a duration by its two largest units, such as ``2h 05m``."""
    if seconds is None:
        return _NOTHING
    rest = max(0, round(seconds))
    days, hours, minutes = rest // 86_400, rest % 86_400 // 3600, rest % 3600 // 60
    if days:
        return f"{days}d {hours:02}h"
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {rest % 60:02}s" if minutes else f"{rest}s"


def format_money(usd: float | None) -> str:
    """Return an amount in USD; small ones have four decimal places."""
    if usd is None:
        return _NOTHING
    if usd < 0:
        return f"-{format_money(-usd)}"
    return f"${usd:,.2f}" if usd >= 0.1 or usd == 0 else f"${usd:.4f}" if usd >= 0.0001 else "<$0.0001"


def format_percent(percent: float | None) -> str:
    """Return a percentage."""
    return _NOTHING if percent is None else f"{percent:.0f}%"


def format_time(moment: datetime | None) -> str:
    """Return a moment in the local time zone."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else _NOTHING


def clock_at(now: datetime) -> Clock:
    """Return a clock in the local time zone."""
    return Clock(now, now.astimezone().tzinfo or UTC)


def format_progress(run: Run, now: datetime) -> str:
    """Return how much of the training is done, or else how long it has trained."""
    return say_progress(RunFacts(run.document, now)).removesuffix(" trained")


def format_saved(run: Run, now: datetime) -> str:
    """Return what was saved compared with on-demand."""
    share = RunFacts(run.document, now).saved_share
    return percent(None if share is None else max(0.0, share))


def next_step(run: Run, now: datetime) -> str:
    """Return what is decided next, in a sentence. An older stack does not say that, but why the run is as it is."""
    if run.ended:
        return _NOTHING
    told = say_next(RunFacts(run.document, now), clock_at(now)) or run.reason
    return told.partition(". ")[0].removesuffix(".")


def describe_start(start: Start, show_time: Callable[[datetime | None], str] = format_time) -> str:
    """Return what a run waits for before its first launch, or has waited for, and what it continues from."""
    parts = [f"{name} (completed)" if completed else name for name, completed in start.after.items()]
    if start.at:
        parts.append(show_time(start.at))
    what = "a copy of the checkpoints" if start.checkpoint else "the model"
    onward = f", continues from {what} of {start.continue_from}" if start.continue_from else ""
    return ", ".join(parts) + onward


def describe_hosting(task: HostingTask) -> str:
    """Return what has become of a registration or a deployment."""
    return f"{task.target}: {task.status}. {task.reason}"


def format_until(moment: datetime | None, now: datetime) -> str:
    """Return how long it is until a moment, such as ``in 4m 00s``, or ``now``."""
    if moment is None or moment <= now:
        return "now"
    return f"in {format_duration((moment - now).total_seconds())}"


def read_since(text: str, now: datetime) -> datetime:
    """Return the moment that a text means: an ISO 8601 time, or a duration before now such as ``90m``.

    Raises ``click.BadParameter``.
    """
    if found := re.fullmatch(r"(\d+)([dhms])", text):
        return now - timedelta(seconds=int(found[1]) * _UNITS[found[2]])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"expected a duration such as 90m, 2h or 1d, or a time such as 2026-05-01T12:00, but found {text!r}."
        ) from None
    return moment if moment.tzinfo else moment.astimezone(UTC)
