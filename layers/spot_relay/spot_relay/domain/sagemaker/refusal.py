"""Why CreateTrainingJob did not create a job, and what to do about it.

What a refusal says decides what follows: the pool has no room, some other quota is full, no quota can ever hold the
placement, the request itself is wrong, or nobody knows. SageMaker's texts vary, so they are read for their numbers and
for the quota that they name, not for their sentences.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.values import No

if TYPE_CHECKING:
    from spot_relay.domain.sagemaker.job import Placement


class Refusal(StrEnum):
    """The kinds of refusal. The first nine are temporary, the others are permanent.

    ``QueuedBehind``, ``LimitReached`` and ``AwaitsTurn`` are Spot Relay's own: older runs wait for the same pool, the
    stack's limit on concurrent attempts is reached, or other launches come first.
    """

    THROTTLED = "Throttled"
    UNAVAILABLE = "Unavailable"
    UNRECOGNIZED = "Unrecognized"
    """An error that Spot Relay does not know."""
    QUOTA_FULL = "QuotaFull"
    """The pool's own quota has no room."""
    SHARED_QUOTA_FULL = "SharedQuotaFull"
    """A quota that spans pools has no room."""
    OTHER_QUOTA_FULL = "OtherQuotaFull"
    """Another quota has no room, such as one for processing jobs, or the message does not tell which."""
    QUEUED_BEHIND = "QueuedBehind"
    LIMIT_REACHED = "LimitReached"
    AWAITS_TURN = "AwaitsTurn"
    QUOTA_TOO_SMALL = "QuotaTooSmall"
    """A quota's limit is below what the placement needs."""
    PLACEMENT_REJECTED = "PlacementRejected"
    """SageMaker does not run this job in this placement, whatever the quotas are."""
    NAME_TAKEN = "NameTaken"
    INVALID = "Invalid"

    @property
    def passes(self) -> bool:
        """Whether the same request may be accepted later."""
        return self.needs_room or self.backs_off or self is Refusal.AWAITS_TURN

    @property
    def backs_off(self) -> bool:
        """Whether the run tries again on its own, ever more rarely, and draws on ``budgets.refusals``."""
        return self.leaves_open or self in {Refusal.SHARED_QUOTA_FULL, Refusal.OTHER_QUOTA_FULL}

    @property
    def leaves_open(self) -> bool:
        """Whether the job may exist nevertheless, from an earlier launch whose answer was lost."""
        return self in {Refusal.THROTTLED, Refusal.UNAVAILABLE, Refusal.UNRECOGNIZED}

    @property
    def needs_room(self) -> bool:
        """Whether the job is known not to exist, and waits for its turn in the queue of its pool."""
        return self in {Refusal.QUOTA_FULL, Refusal.QUEUED_BEHIND, Refusal.LIMIT_REACHED}

    @property
    def closes_place(self) -> bool:
        """Whether the job can never run in this placement, but may in another one."""
        return self in {Refusal.QUOTA_TOO_SMALL, Refusal.PLACEMENT_REJECTED}


@dataclass(frozen=True)
class NotCreated(No):
    """No job was created; ``because`` is SageMaker's message, or our own."""

    refusal: Refusal


@dataclass(frozen=True)
class Quota:
    """What a ResourceLimitExceeded message says about a quota, in the quota's own unit."""

    limit: float
    name: str | None = None
    utilization: float | None = None
    delta: float | None = None
    unit: str | None = None

    @property
    def can_ever_fit(self) -> bool:
        """Whether the request fits if nothing else uses the quota. Every request needs more than nothing."""
        return self.limit > 0 and (self.delta is None or self.delta <= self.limit)

    def is_of(self, placement: Placement) -> bool:
        """Whether it is the quota of the placement's own pool: training jobs of its instance type and market."""
        name = (self.name or "").lower()
        if not re.search(rf"(?<![\w.]){re.escape(placement.instance_type.lower())}(?![\w.])", name):
            return False
        if not re.search(r"training[- ]job", name):
            return False
        # Wordings without a market are older than spot training; they are taken for the placement's own.
        return "usage" not in name or ("spot" in name) == (placement.market is Market.SPOT)

    @property
    def spans_pools(self) -> bool:
        """Whether jobs of several pools draw on it, so that the end of any of them may make room."""
        name = (self.name or "").lower()
        return bool(name) and not re.search(r"\bml\.\w+\.\w+|processing|transform|endpoint|notebook|warm", name)


_NUMBER = r"(?P<{}>\d[\d,]*(?:\.\d+)?)"
_LIMIT = re.compile(
    r"\b(?:limit|quota)s?(?:\s+(?:for\s+)?(?:'(?P<quoted>[^']+)'|\"(?P<double>[^\"]+)\"|(?P<bare>[^'\"]{1,200}?)))??"
    rf"\s*(?:\bis|\bof|:|=)\s*{_NUMBER.format('limit')}(?:\s+(?P<unit>[A-Za-z]+))?",
    re.IGNORECASE,
)
_UTILIZATION = re.compile(rf"\b(?:utili[sz]ation|usage)\s*(?:is|of|:|=)\s*{_NUMBER.format('used')}", re.IGNORECASE)
_DELTA = re.compile(
    rf"\b(?:request(?:ed)?\s+)?delta\s*(?:is|of|:|=)\s*{_NUMBER.format('delta')}"
    rf"|\brequest(?:ed|s|ing)?\s*(?:is|of|for|:|=)?\s*{_NUMBER.format('asked')}",
    re.IGNORECASE,
)
_NOT_OFFERED = re.compile(
    r"\b(?:not|isn't)\s+(?:currently\s+)?(?:available|supported|offered)\b|\bdoes\s+not\s+(?:exist|support)\b|\bunsupported\b",
    re.IGNORECASE,
)
_ABOUT_PLACEMENT = re.compile(r"\binstance[\s_-]?(?:types?|counts?|groups?|famil(?:y|ies))\b", re.IGNORECASE)
_ABOUT_REGION = re.compile(r"\b(?:in|for|by)\s+(?:this|the|your|current)?\s*(?:aws\s+)?region\b", re.IGNORECASE)
# What lies in a region, too, but is the request's own.
_ABOUT_DATA = re.compile(
    r"\b(?:s3|bucket|object|image|repository|ecr|kms|key|role|subnet|vpc|security)\b", re.IGNORECASE
)


def parse_quota(message: str) -> Quota | None:
    """Return the quota that a ResourceLimitExceeded message describes, or None if it names no limit."""
    found = _LIMIT.search(message)
    if found is None:
        return None
    used, delta = _UTILIZATION.search(message), _DELTA.search(message)
    return Quota(
        limit=_read_number(found["limit"]),
        name=found["quoted"] or found["double"] or found["bare"],
        utilization=_read_number(used["used"]) if used else None,
        delta=_read_number(delta["delta"] or delta["asked"]) if delta else None,
        unit=found["unit"],
    )


def classify_quota(message: str, placement: Placement) -> Refusal:
    """Return what a ResourceLimitExceeded message means for a job in a placement."""
    quota = parse_quota(message)
    if quota is None:
        rejected = _NOT_OFFERED.search(message)
        return Refusal.PLACEMENT_REJECTED if rejected else Refusal.OTHER_QUOTA_FULL
    if not quota.can_ever_fit:
        return Refusal.QUOTA_TOO_SMALL
    if quota.is_of(placement):
        return Refusal.QUOTA_FULL
    return Refusal.SHARED_QUOTA_FULL if quota.spans_pools else Refusal.OTHER_QUOTA_FULL


def classify_invalid(message: str, placement: Placement) -> Refusal:
    """Return whether a validation error concerns the placement alone, or the request wherever it runs."""
    if _ABOUT_PLACEMENT.search(message) or placement.instance_type.lower() in message.lower():
        return Refusal.PLACEMENT_REJECTED
    region = _NOT_OFFERED.search(message) and _ABOUT_REGION.search(message) and not _ABOUT_DATA.search(message)
    return Refusal.PLACEMENT_REJECTED if region else Refusal.INVALID


def advise(refusal: Refusal, message: str) -> str:
    """Return what a user has to change after a permanent refusal."""
    match refusal:
        case Refusal.QUOTA_TOO_SMALL:
            return f"Ask AWS to raise {_name_quota(message)} and resume the run, or ask for less."
        case Refusal.PLACEMENT_REJECTED:
            return "Submit the spec under another name, with a placement that SageMaker accepts for this job."
        case Refusal.OTHER_QUOTA_FULL | Refusal.SHARED_QUOTA_FULL:
            return f"Ask AWS to raise {_name_quota(message)}, or wait until less of it is in use, and resume the run."
        case Refusal.NAME_TAKEN:
            return (
                "Submit the spec under another name: SageMaker takes a job's name only once in an account and region."
            )
        case Refusal.INVALID:
            return "Correct what the message names and resume the run, or submit a corrected spec under another name."
        case Refusal.UNRECOGNIZED:
            return "Resume the run when the cause is gone, or submit a corrected spec under another name."
        case _:
            return "Resume the run when SageMaker answers again."


def _name_quota(message: str) -> str:
    quota = parse_quota(message)
    if quota is None or quota.name is None:
        return "the service quota that the message describes"
    return f"the service quota '{quota.name}'"


def _read_number(text: str) -> float:
    return float(text.replace(",", ""))
