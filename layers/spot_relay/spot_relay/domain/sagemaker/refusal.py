"""Why CreateTrainingJob did not create a job, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from spot_relay.domain.values import No


class Refusal(StrEnum):
    """The kinds of refusal. The first six are temporary, the others are permanent.

    ``QueuedBehind``, ``LimitReached`` and ``AwaitsTurn`` are Spot Relay's own: older runs wait for the same pool, the
    stack's limit on concurrent attempts is reached, or other launches come first.
    """

    THROTTLED = "Throttled"
    UNAVAILABLE = "Unavailable"
    QUOTA_FULL = "QuotaFull"
    QUEUED_BEHIND = "QueuedBehind"
    LIMIT_REACHED = "LimitReached"
    AWAITS_TURN = "AwaitsTurn"
    QUOTA_TOO_SMALL = "QuotaTooSmall"
    NAME_TAKEN = "NameTaken"
    INVALID = "Invalid"

    @property
    def passes(self) -> bool:
        """Whether the same request may be accepted later."""
        return self.needs_room or self in {Refusal.THROTTLED, Refusal.UNAVAILABLE, Refusal.AWAITS_TURN}

    @property
    def leaves_open(self) -> bool:
        """Whether the job may exist nevertheless, from an earlier launch whose answer was lost."""
        return self in {Refusal.THROTTLED, Refusal.UNAVAILABLE}

    @property
    def needs_room(self) -> bool:
        """Whether the job is known not to exist, and fits once another one has ended."""
        return self in {Refusal.QUOTA_FULL, Refusal.QUEUED_BEHIND, Refusal.LIMIT_REACHED}


@dataclass(frozen=True)
class NotCreated(No):
    """No job was created; ``because`` is SageMaker's message, or our own."""

    refusal: Refusal


@dataclass(frozen=True)
class Quota:
    """What a ResourceLimitExceeded message says about a quota, in instances."""

    name: str
    limit: int
    utilization: int
    delta: int

    @property
    def can_ever_fit(self) -> bool:
        """Whether the request fits if nothing else runs."""
        return self.delta <= self.limit


_QUOTA = re.compile(
    r"service limit '(?P<name>[^']+)' is (?P<limit>\d+) Instances?, "
    r"with current utilization of (?P<utilization>\d+) Instances? "
    r"and a request delta of (?P<delta>\d+) Instances?",
)


def parse_quota(message: str) -> Quota | None:
    """Return the quota that a ResourceLimitExceeded message describes, or None if it describes none."""
    found = _QUOTA.search(message)
    if found is None:
        return None
    return Quota(found["name"], int(found["limit"]), int(found["utilization"]), int(found["delta"]))


def classify_quota(message: str) -> Refusal:
    """Return whether a quota is full for now or can never hold the job."""
    quota = parse_quota(message)
    return Refusal.QUOTA_FULL if quota is None or quota.can_ever_fit else Refusal.QUOTA_TOO_SMALL


def advise(refusal: Refusal, message: str) -> str:
    """Return what a user has to change after a permanent refusal."""
    match refusal:
        case Refusal.QUOTA_TOO_SMALL:
            quota = parse_quota(message)
            name = f"service quota '{quota.name}'" if quota else "service quota named above"
            return f"Ask AWS to raise the {name} and resume the run, or use another placement."
        case Refusal.NAME_TAKEN:
            return (
                "Submit the spec under another name: SageMaker takes a job's name only once in an account and region."
            )
        case Refusal.INVALID:
            return "Correct what the message names and resume the run, or submit a corrected spec under another name."
        case _:
            return "Nothing has to be changed: Spot Relay tries again."
