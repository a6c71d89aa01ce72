"""Moments, durations and money in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

NOTHING = "-"
_DAY = 86_400
_CENT = 0.1
_SMALLEST = 0.0001


def read_moment(text: str | None) -> datetime | None:
    """Return a moment of a document, or None for None."""
    return datetime.fromisoformat(text) if text else None


@dataclass(frozen=True)
class Clock:
    """The moment that a page shows, and the time zone of its readers."""

    now: datetime
    zone: tzinfo = UTC

    def time(self, moment: datetime) -> str:
        """Return a moment: the time of day if it is close to now, else with its date."""
        local = moment.astimezone(self.zone)
        is_near = local.date() == self.now.astimezone(self.zone).date()
        return f"{local:%H:%M}" if is_near else f"{local:%b} {local.day}, {local:%H:%M}"

    def full(self, moment: datetime) -> str:
        """Return a moment with its date and its time zone."""
        local = moment.astimezone(self.zone)
        return f"{local:%Y-%m-%d %H:%M} {local.tzname() or ''}".rstrip()

    def ago(self, moment: datetime) -> str:
        """Return how long a moment lies in the past."""
        return f"{duration((self.now - moment).total_seconds())} ago"


def duration(seconds: float | None) -> str:
    """Return a duration by its two largest units, such as ``3 h 50 min``."""
    if seconds is None:
        return NOTHING
    rest = max(0, round(seconds))
    days, hours, minutes = rest // _DAY, rest % _DAY // 3600, rest % 3600 // 60
    if days:
        return _join(f"{days} d", f"{hours} h" if hours else "")
    if hours:
        return _join(f"{hours} h", f"{minutes} min" if minutes else "")
    return f"{minutes} min" if minutes else f"{rest} s"


def money(usd: float | None) -> str:
    """Return an amount in USD; small ones have four decimal places."""
    if usd is None:
        return NOTHING
    if usd == 0:
        return "$0"
    if usd >= _CENT:
        return f"${usd:,.2f}"
    return f"${usd:.4f}" if usd >= _SMALLEST else "<$0.0001"


def limit(usd: float) -> str:
    """Return an amount that somebody has chosen, without cents if it has none."""
    return money(usd).removesuffix(".00")


def percent(share: float | None) -> str:
    """Return a share from 0 to 1 as a percentage; one that is short of 1 is never 100%."""
    if share is None:
        return NOTHING
    return f"{min(round(share * 100), 99 if share < 1 else 100)}%"


def size(octets: int | None) -> str:
    """Return a size in bytes in a unit that is easy to read."""
    if octets is None:
        return NOTHING
    amount, unit = float(octets), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"


def plural(count: int, noun: str) -> str:
    """Return a number of things."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def shorten(text: str, most: int) -> str:
    """Return a text of at most so many characters."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def later(moment: datetime, seconds: float) -> datetime:
    """Return the moment some seconds later."""
    return moment + timedelta(seconds=seconds)


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)
