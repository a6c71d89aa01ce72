"""The stack's own limits: how many attempts may run on an instance type at once, in both markets together."""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Self

from spot_relay.domain.expressions import compile_later
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.sagemaker.job import parse_attempt_name
from spot_relay.domain.values import No, dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from spot_relay.domain.run.run import Run

# The name for all instance types without a limit of their own.
OTHERS = "*"
# The names of all jobs that hold a slot of an instance type must fit into one DynamoDB item of 400 KB.
MAX_LIMIT = 999
_LIMIT = compile_later(r"(?P<name>\*|ml\.[a-z0-9-]+\.[a-z0-9-]+)=(?P<number>[0-9]+)", re.ASCII)
_MAX_QUOTE = 60


class InvalidLimitsError(ValueError):
    """A text is not a valid list of limits; the message quotes the invalid part."""


@dataclass(frozen=True)
class Limits:
    """How many attempts may run at once: ``by_type`` maps instance types, and ``*`` for all others, to limits."""

    by_type: dict[str, int] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a list such as ``ml.p3.2xlarge=4,*=20``; an empty list means no limits.

        Raises
        ------
        InvalidLimitsError
            If the list is invalid.
        """
        by_type: dict[str, int] = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, number = _read_limit(part)
            if name in by_type:
                message = f"{name} is limited twice, to {by_type[name]} and to {number}. Remove one of the two."
                raise InvalidLimitsError(message)
            by_type[name] = number
        return cls(by_type)

    def of(self, instance_type: str) -> int | None:
        """Return the limit of an instance type, or None if there is none."""
        return self.by_type.get(instance_type, self.by_type.get(OTHERS))


def refuse_slot(instance_type: str, limit: int) -> No:
    """Return the answer that all slots of an instance type are held."""
    return No(f"This stack allows no more concurrent attempts on {instance_type} (limit: {limit}).")


def needs_no_place(run_id: str, find: Callable[[str], Run | None]) -> bool:
    """Whether a run no longer needs its place among those of its template: it has ended, or expired since."""
    run = find(run_id)
    return run is None or run.has_ended


def needs_no_slot(job_name: str, find: Callable[[str], Run | None]) -> bool:
    """Whether a training job no longer needs its slot: its run has ended or expired, or its attempt has ended."""
    named = parse_attempt_name(job_name)
    run = find(named[0]) if named else None
    if named is None or run is None or run.has_ended:
        return True
    attempt = run.attempt(named[1])
    return attempt is None or attempt.status is AttemptStatus.ENDED


def _read_limit(part: str) -> tuple[str, int]:
    match = _LIMIT.fullmatch(part)
    if match is None:
        message = (
            f"{part[:_MAX_QUOTE]!r} is not a limit. Write an instance type, = and a number, such as ml.p3.2xlarge=4, "
            f"or {OTHERS}=20 for all other types."
        )
        raise InvalidLimitsError(message)
    name, digits = match["name"], match["number"]
    if len(digits) > len(str(MAX_LIMIT)) or not 1 <= int(digits) <= MAX_LIMIT:
        message = f"The limit of {name} is {digits[:_MAX_QUOTE]}, but it must be a whole number from 1 to {MAX_LIMIT}."
        raise InvalidLimitsError(message)
    return name, int(digits)
