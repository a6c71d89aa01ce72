"""The stack's own limits: how many attempts on an instance type may live at once, over both markets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.sagemaker.job import parse_attempt_name
from spot_relay.domain.values import No

if TYPE_CHECKING:
    from collections.abc import Callable

    from spot_relay.domain.run.run import Run

# The name that stands for each instance type without a limit of its own.
OTHERS = "*"
# The holders of an instance type share one item of the table, and an item has 400 KB.
MOST = 999
_LIMIT = re.compile(r"(?P<name>\*|ml\.[a-z0-9-]+\.[a-z0-9-]+)=(?P<number>[0-9]+)", re.ASCII)
_SHOWN = 60


class InvalidLimitsError(ValueError):
    """A text is no list of limits; the message quotes the part that is wrong."""


@dataclass(frozen=True)
class Limits:
    """How many attempts may live at once: ``by_type`` for instance types and, as ``*``, for those not named."""

    by_type: dict[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a list such as ``ml.p3.2xlarge=4,*=20``; nothing in it means no limits. InvalidLimitsError."""
        by_type: dict[str, int] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, number = _read(part)
            if name in by_type:
                message = f"{name} is limited twice, to {by_type[name]} and to {number}; give it one limit"
                raise InvalidLimitsError(message)
            by_type[name] = number
        return cls(by_type)

    def of(self, instance_type: str) -> int | None:
        """Return the limit of an instance type, or None if there is none."""
        return self.by_type.get(instance_type, self.by_type.get(OTHERS))


def all_slots_held(instance_type: str, limit: int) -> No:
    """Return that no further attempt may live on an instance type for now."""
    return No(f"This stack allows no more concurrent attempts on {instance_type} (limit: {limit}).")


def needs_no_slot(job_name: str, find: Callable[[str], Run | None]) -> bool:
    """Whether a training job is over: its run has ended or is forgotten, or its attempt has ended."""
    named = parse_attempt_name(job_name)
    run = find(named[0]) if named else None
    if named is None or run is None or run.has_ended:
        return True
    attempt = run.attempt(named[1])
    return attempt is None or attempt.status is AttemptStatus.ENDED


def _read(part: str) -> tuple[str, int]:
    found = _LIMIT.fullmatch(part)
    if found is None:
        message = (
            f"{part[:_SHOWN]!r} is no limit; write an instance type, = and a number, such as ml.p3.2xlarge=4, "
            f"or {OTHERS}=20 for all other types"
        )
        raise InvalidLimitsError(message)
    name, digits = found["name"], found["number"]
    if len(digits) > len(str(MOST)) or not 1 <= int(digits) <= MOST:
        message = f"the limit of {name} is {digits[:_SHOWN]}; it has to be a whole number from 1 to {MOST}"
        raise InvalidLimitsError(message)
    return name, int(digits)
