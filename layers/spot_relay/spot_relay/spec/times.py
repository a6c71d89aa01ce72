"""Read the times in a spec: durations as in ISO 8601, and instants."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from spot_relay.request.problem import describe
from spot_relay.spec.strict_model import make_error

# ISO 8601 without years and months, whose length depends on the calendar. Eight digits still fit a timedelta.
_DURATION = re.compile(
    r"P(?=[0-9T])(?:(?P<weeks>[0-9]{1,8})W)?(?:(?P<days>[0-9]{1,8})D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]{1,8})H)?(?:(?P<minutes>[0-9]{1,8})M)?(?:(?P<seconds>[0-9]{1,8})S)?)?"
)
# The same for a JSON schema, where groups have no names and an expression may match only part of the text.
DURATION_TEXT = Annotated[str, Field(pattern=re.sub(r"\?P<\w+>", "", f"^{_DURATION.pattern}$"))]
DURATION_HINT = 'an ISO 8601 duration such as "P3D" or "PT48H" (weeks, days, hours, minutes and seconds)'
INSTANT_HINT = 'an instant such as "2026-12-01T06:00:00Z"'


def validate_duration(minimum: int, maximum: int) -> BeforeValidator:
    """Return the validator of a duration, which becomes whole seconds between two bounds."""

    def validate(value: Any) -> int:
        seconds = read_duration(value)
        if seconds is None:
            raise make_error(f"Found {describe(value)}. Use {DURATION_HINT}, or whole seconds without quotes.")
        return check_bounds(seconds, minimum, maximum, value)

    return BeforeValidator(validate, Annotated[int, Field(ge=minimum, le=maximum)] | DURATION_TEXT)


def read_duration(value: Any) -> int | None:
    """Return the seconds that a value stands for, or None if it is not a duration."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    return round(timedelta(**{unit: int(count) for unit, count in match.groupdict("0").items()}).total_seconds())


def check_bounds(seconds: int, minimum: int, maximum: int, value: Any) -> int:
    """Return the seconds that ``value`` stands for if they are within the bounds; else raise pydantic's error."""
    if seconds < minimum:
        unit = "second" if minimum == 1 else "seconds"
        raise make_error(f"Found {describe(value)}, but it must be at least {minimum} {unit}.")
    if seconds > maximum:
        days = maximum // 86_400
        raise make_error(f"Found {describe(value)}, but it must be at most {maximum} seconds (P{days}D).")
    return seconds


def read_instant(value: Any, hint: str) -> datetime:
    """Return the instant that a value stands for, in UTC; else raise pydantic's error, which ends with the hint."""
    try:
        instant = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise make_error(f"Found {describe(value)}. {hint}") from None
    if instant.tzinfo is None:
        raise make_error(f'Found {describe(value)}, which has no time zone. Add one, such as "Z" for UTC or "+02:00".')
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise make_error(f"Found {describe(value)}, which is out of range in UTC. {hint}") from None
