"""What the arrival of an object starts: which run, what is filled into its template, and whether it is in a burst.

Events come late, repeatedly and in any order. So a run's name depends on nothing but its template and what arrived, and
whether an object belongs to a burst depends on when it was put, not on when its event comes.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING

from spot_relay.domain.run.template import Burst
from spot_relay.domain.sagemaker.job import MAX_JOB_NAME

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run
    from spot_relay.domain.run.template import Arrival, Template

_DIGEST_LENGTH = 16
# What is left of a run's name for the name of its template.
MAX_TEMPLATE_NAME = MAX_JOB_NAME - _DIGEST_LENGTH - len("-")


class Step(Enum):
    """What follows from the arrival of an object whose template waits for bursts to end."""

    OPEN = auto()
    """It is the first of a burst: note the burst, then create its run."""
    CREATE = auto()
    """Its burst is noted, but the run is not created yet."""
    EXTEND = auto()
    """Its burst goes on: the run has to wait longer."""
    NOTHING = auto()
    """It was there when the run of its burst began, and that run has trained on it."""


def name_run(template: Template, *identity: str) -> str:
    """Return the name of the run that something starts from a template; ``identity`` says what started it."""
    digest = hashlib.sha256("\0".join((template.key, *identity)).encode()).hexdigest()
    return f"{template.name}-{digest[:_DIGEST_LENGTH]}"


def name_run_of(template: Template, arrival: Arrival) -> str:
    """Return the name of the run that a version of an object starts."""
    return name_run(template, arrival.bucket, arrival.key, arrival.version)


def folder_of(key: str) -> str:
    """Return the folder of an object: its key up to the last slash, with it; empty for one in no folder."""
    return key[: key.rfind("/") + 1]


def values_of(arrival: Arrival, run_id: str) -> dict[str, str]:
    """Return what placeholders stand for in the spec of the run that an object starts."""
    return {"key": arrival.key, **values_of_burst(arrival, Burst(run_id, arrival.at))}


def values_of_burst(arrival: Arrival, burst: Burst) -> dict[str, str]:
    """Return what placeholders stand for in the spec of the run of a burst, the same for each of its objects."""
    return {
        "bucket": arrival.bucket,
        "prefix": folder_of(arrival.key),
        "name": burst.run_id,
        "date": burst.opened_at.date().isoformat(),
    }


def name_scheduled_run(template: Template, at: datetime) -> str:
    """Return the name of the run that the schedule of a template starts at a time."""
    return name_run(template, "schedule", at.astimezone(UTC).isoformat())


def values_of_schedule(at: datetime, run_id: str) -> dict[str, str]:
    """Return what placeholders stand for in the spec of a run that starts by schedule; the date is in UTC."""
    return {"name": run_id, "date": at.astimezone(UTC).date().isoformat()}


def join_burst(burst: Burst | None, run: Run | None, arrival: Arrival, now: datetime, retention: timedelta) -> Step:
    """Return what follows from an arrival, given the newest burst of its template and folder, and that burst's run.

    A run that has ended may be deleted after the retention period. Then nothing is known of its burst any more.
    """
    if burst is None:
        return Step.OPEN
    if run is None:
        return Step.OPEN if now > burst.opened_at + retention else Step.CREATE
    if run.waits_to_begin and not run.has_ended:
        return Step.EXTEND
    # A run that was stopped while it waited has covered what its user did not want trained.
    covered_until = run.began_at or run.ended_at
    return Step.NOTHING if covered_until is not None and arrival.at <= covered_until else Step.OPEN
