"""Why CreateTrainingJob did not create a job, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Refusal(StrEnum):
    """The kinds of refusal. The first five pass with time, the others do not.

    ``QueuedBehind`` and ``LimitReached`` come from Spot Relay itself: older runs wait for the same pool, or the
    stack's own limit on concurrent attempts is reached.
    """

    THROTTLED = "Throttled"
    UNAVAILABLE = "Unavailable"
    QUOTA_FULL = "QuotaFull"
    QUEUED_BEHIND = "QueuedBehind"
    LIMIT_REACHED = "LimitReached"
    QUOTA_TOO_SMALL = "QuotaTooSmall"
    NAME_TAKEN = "NameTaken"
    INVALID = "Invalid"

    @property
    def passes(self) -> bool:
        """Whether the same request may be accepted later."""
        return self.for_want_of_room or self in {Refusal.THROTTLED, Refusal.UNAVAILABLE}

    @property
    def leaves_open(self) -> bool:
        """Whether the job may exist all the same, from an earlier launch whose answer was lost."""
        return self in {Refusal.THROTTLED, Refusal.UNAVAILABLE}

    @property
    def for_want_of_room(self) -> bool:
        """Whether the job is known not to exist, and fits once another one has ended."""
        return self in {Refusal.QUOTA_FULL, Refusal.QUEUED_BEHIND, Refusal.LIMIT_REACHED}


@dataclass(frozen=True)
class Quota:
    """What a ResourceLimitExceeded message says, in instances."""

    name: str
    limit: int
    utilization: int
    delta: int

    @property
    def can_ever_fit(self) -> bool:
        """Whether the request fits when nothing else runs."""
        return self.delta <= self.limit


_QUOTA = re.compile(
    r"service limit '(?P<name>[^']+)' is (?P<limit>\d+) Instances?, "
    r"with current utilization of (?P<utilization>\d+) Instances? "
    r"and a request delta of (?P<delta>\d+) Instances?",
)


def parse_quota(message: str) -> Quota | None:
    """Read the quota out of a ResourceLimitExceeded message, or None where it speaks of none."""
    found = _QUOTA.search(message)
    if found is None:
        return None
    return Quota(found["name"], int(found["limit"]), int(found["utilization"]), int(found["delta"]))


def quota_refusal(message: str) -> Refusal:
    """Tell a quota that is full for now from one that can never hold the job."""
    quota = parse_quota(message)
    return Refusal.QUOTA_FULL if quota is None or quota.can_ever_fit else Refusal.QUOTA_TOO_SMALL


def advice(refusal: Refusal, message: str) -> str:
    """Say what a user has to change after a refusal that does not pass."""
    match refusal:
        case Refusal.QUOTA_TOO_SMALL:
            quota = parse_quota(message)
            name = quota.name if quota else "the quota named above"
            return f"Ask AWS to raise the service quota '{name}' and resume the run, or use another placement."
        case Refusal.NAME_TAKEN:
            return "Submit the spec under another name: a training job name can be used once in an account and region."
        case Refusal.INVALID:
            return "Correct what the message names, then resume the run, or submit a corrected spec under another name."
        case _:
            return "Nothing has to be changed: the launch is tried again."
