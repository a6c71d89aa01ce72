"""What a ResourceLimitExceeded message says about a service quota, read from its numbers and the name of the quota.

SageMaker's sentences, units and number formats vary, so nothing here depends on one sentence.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from spot_relay.domain.expressions import compile_later
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.values import dataclass

if TYPE_CHECKING:
    from spot_relay.domain.sagemaker.job import Placement

# Quotas with these words are drawn on by something other than the training jobs of this stack.
_NOT_TRAINING = compile_later(
    r"processing|transform|endpoint|inference|notebook|studio|\bapps?\b|warm|tuning|automl|labeling|pipeline|cluster"
    r"|hyperpod|training[- ]plan|reserved"
)


@dataclass(frozen=True)
class Quota:
    """What a message says about a quota, in the quota's own unit."""

    limit: float
    name: str = ""
    """Empty if the message names no quota."""
    utilization: float | None = None
    delta: float | None = None
    """What the request needs, if the message says so in a unit that can be compared."""

    @property
    def can_ever_fit(self) -> bool:
        """Whether the request fits if nothing else uses the quota. Every request needs more than nothing."""
        return self.limit > 0 and (self.delta is None or self.delta <= self.limit)

    def is_of(self, placement: Placement) -> bool:
        """Whether it is the quota of the placement's own pool: training jobs of its instance type and market."""
        name = self.name.lower()
        if not names_instance_type(name, placement) or _NOT_TRAINING.search(name):
            return False
        if not re.search(r"training[- ]job", name):
            return False
        if placement.market is Market.ON_DEMAND:
            return "spot" not in name
        # Wordings without a market are older than spot training; they are taken for the placement's own.
        return "spot" in name or "usage" not in name

    @property
    def spans_pools(self) -> bool:
        """Whether jobs of several pools draw on it, so that the end of any of them may make room."""
        name = self.name.lower()
        return bool(name) and not re.search(r"\bml\.\w+\.\w+", name) and not _NOT_TRAINING.search(name)


# With separators of thousands, decimals and an exponent.
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBER = (
    r"(?:\d+(?:[,\u00a0\u202f\u2009 ]\d{3}(?![\d.]*\d))*(?:\.\d+)?(?:e[+-]?\d+)?"
    rf"|zero\b|(?:{'|'.join(_WORDS[1:])})(?=\s+instances?\b))"
)
_IS = r"\s*(?:is|was|of|to|for|:|=)\s*"
_AMOUNT = rf"(?P<number>{_NUMBER})(?:\s*\(?(?P<unit>[a-z]+))?"

# The first that matches counts.
_LIMITS = (
    # service limit 'ml.g5.xlarge for training job usage' is 1 Instances
    r"\b(?:limit|quota)s?(?:\s+(?:for\s+)?(?:'[^']+'|\"[^\"]+\""
    rf"|(?!has\b|have\b|exceeded\b|reached\b)(?P<bare>(?:[^'\".]|\.(?=\S)){{1,200}}?)))??[\"']?{_IS}{_AMOUNT}",
    # limited to 4 instances; a maximum of 20 instances; the maximum (432000 seconds); limit 1
    rf"\b(?:limit(?:ed)?|quota|maximum|max)\b(?:\s+(?:allowed|permitted|value|is|of|to))*\s*\(?\s*{_AMOUNT}",
    # Max number of instances per training job is 20; the largest allowed volume: 16384 GB
    r"\b(?:maximum|max|largest|longest|highest|most)\b(?:[^.;:,\d]|\.(?=\S)){1,80}?"
    rf"(?:\s(?:is|are|was|of)\s|[:=(])\s*{_AMOUNT}",
    # at most 20 instances; cannot exceed 20; no more than 432000 seconds; allowed: 20
    r"\b(?:at\s+most|up\s+to|(?:no|not)\s+(?:be\s+)?(?:more|greater|larger|higher|longer)\s+than"
    r"|(?:cannot|can't|may\s+not|must\s+not|must\s+be\s+less\s+than|not)\s+exceed|exceeds|allowed|permitted|allows|only)\b"
    rf"(?:\s+(?:is|are|of|value|the))*\s*[:=(]?\s*{_AMOUNT}",
    # 1 requested, 0 allowed; 0 of 0 in use; the limit for spot instances (0)
    rf"(?<![\w.,-]){_AMOUNT}\s+(?:is\s+|are\s+)?(?:allowed|permitted)\b",
    rf"(?<![\w.,-])\d+\s+of\s+{_AMOUNT}\s+(?:are\s+)?(?:in\s+use|used)\b",
    rf"\b(?:limit|quota|maximum)\b[^.;:\d]{{1,80}}\(\s*{_AMOUNT}\)",
    # limit exceeded (0 < 1), limit exceeded (1 > 0)
    rf"(?<![\w.,-]){_AMOUNT}\s*<=?\s*\d",
    rf"(?<![\w.,-])\d+\s*>=?\s*{_AMOUNT}",
)
_NAME = compile_later(r"\b(?:limit|quota)s?\s+(?:for\s+)?(?:'(?P<single>[^']+)'|\"(?P<double>[^\"]+)\")", re.IGNORECASE)
_UTILIZATIONS = (
    rf"\b(?:utili[sz]ation|current(?:ly)?\s+(?:usage|used|in use)|usage(?=[\"']?\s*[:=]))[\"']?(?:{_IS}|\s+){_AMOUNT}",
)
_DELTAS = (
    # A member of the request with its value; the names of most say their unit.
    rf"\b(?:Max\w+|VolumeSize)In(?P<unit>Seconds|GB)(?:\s*[:=(]|\s+of|\s+is)?\s*(?P<number>{_NUMBER})",
    rf"\bInstanceCount(?:\s*[:=(]|\s+of|\s+is)?\s*{_AMOUNT}",
    rf"\bdelta[\"']?(?:{_IS}|\s+){_AMOUNT}",
    rf"\b(?:asked|asks|asking)\s+for\s+{_AMOUNT}",
    rf"(?<!can )\brequest(?:ed|s|ing)?[\"']?(?:{_IS}|\s*){_AMOUNT}",
    rf"(?<![\w.,-]){_AMOUNT}\)?\s+(?:was|were\s+)?requested\b",
    # MaxRuntimeInSeconds 864000 exceeds the limit
    rf"(?<![\w.,-]){_AMOUNT}\)?\s*(?:exceeds|is\s+(?:greater|more|larger|higher|longer|above|over))\b",
)

# What a unit measures, and how much of it.
_UNITS = {
    "second": ("time", 1.0),
    "minute": ("time", 60.0),
    "hour": ("time", 3600.0),
    "day": ("time", 86_400.0),
    "megabyte": ("space", 1 / 1024),
    "mb": ("space", 1 / 1024),
    "mib": ("space", 1 / 1024),
    "gigabyte": ("space", 1.0),
    "gb": ("space", 1.0),
    "gib": ("space", 1.0),
    "terabyte": ("space", 1024.0),
    "tb": ("space", 1024.0),
    "tib": ("space", 1024.0),
}
_COUNT = ("count", 1.0)
_LONGEST = 4096


def parse_quota(message: str) -> Quota | None:
    """Return the quota that a message describes, or None if it states no limit."""
    message = condense(message)
    found = _search(_LIMITS, message)
    if found is None:
        return None
    named = _NAME.search(message)
    name = (named["single"] or named["double"]) if named else ""
    unit = found["unit"]
    return Quota(
        limit=_read_number(found["number"]),
        name=found.groupdict().get("bare") or name,
        utilization=_read_amount(_search(_UTILIZATIONS, message), unit),
        delta=_read_amount(_search(_DELTAS, message), unit),
    )


def condense(message: str) -> str:
    """Return the beginning of a message with single blanks, so that the time to search it is bounded."""
    return " ".join(message[:_LONGEST].split())


def names_instance_type(text: str, placement: Placement) -> bool:
    """Whether a text names the placement's instance type, and not only something whose name contains it."""
    name = re.escape(placement.instance_type.lower())
    return re.search(rf"(?<![\w.-]){name}(?![\w-]|\.\w)", text.lower()) is not None


def _search(patterns: tuple[str, ...], message: str) -> re.Match[str] | None:
    matches = (re.search(pattern, message, re.IGNORECASE) for pattern in patterns)
    return next(filter(None, matches), None)


def _read_amount(found: re.Match[str] | None, unit: str | None) -> float | None:
    """Return a number of a message in the unit of its limit, or None if they measure different things."""
    if found is None:
        return None
    kind, factor = _measure(found["unit"] or unit)
    limit_kind, limit_factor = _measure(unit or found["unit"])
    return _read_number(found["number"]) * factor / limit_factor if kind == limit_kind else None


def _measure(unit: str | None) -> tuple[str, float]:
    return _UNITS.get(unit.lower().removesuffix("s"), _COUNT) if unit else _COUNT


def _read_number(text: str) -> float:
    if text.lower() in _WORDS:
        return float(_WORDS.index(text.lower()))
    return float(re.sub(r"[,\s]", "", text))
