"""A template: a spec from which a run is made whenever data arrives, or at set times."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from spot_relay.domain.values import dataclass


@dataclass(frozen=True)
class Trigger:
    """Which objects start runs: those of a bucket whose keys begin and end like this."""

    bucket: str
    prefix: str = ""
    suffix: str = ""

    def matches(self, bucket: str, key: str) -> bool:
        """Whether an object is one of them. The empty objects that stand for folders in S3's console are none."""
        if key.endswith("/"):
            return False
        # Prefix and suffix must not share characters of a key that is shorter than both.
        is_long_enough = len(key) >= len(self.prefix) + len(self.suffix)
        return bucket == self.bucket and is_long_enough and key.startswith(self.prefix) and key.endswith(self.suffix)


@dataclass(frozen=True)
class Schedule:
    """When runs start, as EventBridge Scheduler writes it."""

    expression: str
    timezone: str = "UTC"


@dataclass(frozen=True)
class Template:
    """A valid template."""

    key: str
    """Where it is, in the bucket for specs. A template is known by that, whatever its content."""
    name: str
    """What the names of its runs begin with."""
    body: dict[str, Any]
    """The spec, with placeholders in its texts."""
    trigger: Trigger | None = None
    """Either this or a schedule."""
    schedule: Schedule | None = None
    settle: timedelta | None = None
    """How long after the last object of a folder its one run begins; None for a run for each object."""
    at_most: int | None = None
    """How many of its runs may be under way at once; None if there is no limit."""


@dataclass(frozen=True)
class Arrival:
    """A version of an object that was put into a bucket."""

    bucket: str
    key: str
    version: str
    """What distinguishes it from other versions of the object, the same in each event about it."""
    at: datetime
    """When it was put there."""


@dataclass(frozen=True)
class Appointment:
    """A time at which the schedule of a template starts a run."""

    key: str
    """The template's."""
    at: datetime
    """When the run was to start, the same each time that is said."""


@dataclass(frozen=True)
class Burst:
    """Objects that arrive in a folder one soon after the other, and the one run that they start."""

    run_id: str
    opened_at: datetime
    """When the first one that was heard of arrived."""
