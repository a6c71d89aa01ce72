"""What goes wrong in a play, drawn from its seed: each kind from a stream of its own, so that one can be left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


class Fault(StrEnum):
    """The kinds of fault. ``DOUBLED`` to ``LOST`` befall events, ``CRASH_BEFORE`` to ``SLOW`` calls through a port."""

    DOUBLED = "event delivered again"
    LATE = "event late, up to hours"
    LOST = "event lost"
    CRASH_BEFORE = "crash before a call"
    CRASH_AFTER = "crash after a call"
    THROTTLED = "call throttled"
    FAILED = "call failed with a 5xx"
    ANSWER_LOST = "call took effect, its answer got lost"
    SLOW = "call slow, others go on"
    NOT_FOUND_YET = "job not found yet"
    STALE_DESCRIPTION = "description out of date"
    STALE_INDEX = "index out of date"
    QUOTA_FULL = "quota full"
    CHECKPOINT_MISSING = "checkpoint missing"
    CHECKPOINT_PARTIAL = "checkpoint partial"
    CHECKPOINT_BACKWARDS = "checkpoint going backwards"
    USER_STOPS = "stopped by its user"
    USER_RESUMES = "resumed by its user"
    STOPPED_OUTSIDE = "job stopped by someone else"
    SUBMITTED_AGAIN = "submitted again"
    TICK_LATE = "tick late, up to an hour"
    SKEW = "clock skewed"
    CANARY_ANSWER_LOST = "canary created, the answer got lost"
    REFUSED = "launch refused by SageMaker"
    USER_MOVES = "moved by its user"
    USER_CHANGES_DEADLINE = "deadline changed by its user"


# How often a kind that is on strikes where it can, at the middle one of its intensities.
_USUALLY = {
    Fault.DOUBLED: 0.25,
    Fault.LATE: 0.2,
    Fault.LOST: 0.2,
    Fault.CRASH_BEFORE: 0.06,
    Fault.CRASH_AFTER: 0.06,
    Fault.THROTTLED: 0.1,
    Fault.FAILED: 0.08,
    Fault.ANSWER_LOST: 0.08,
    Fault.SLOW: 0.3,
    Fault.NOT_FOUND_YET: 0.5,
    Fault.STALE_DESCRIPTION: 0.2,
    Fault.STALE_INDEX: 0.2,
    Fault.QUOTA_FULL: 0.4,
    Fault.CHECKPOINT_MISSING: 0.15,
    Fault.CHECKPOINT_PARTIAL: 0.15,
    Fault.CHECKPOINT_BACKWARDS: 0.1,
    Fault.USER_STOPS: 0.5,
    Fault.USER_RESUMES: 0.6,
    Fault.STOPPED_OUTSIDE: 0.1,
    Fault.SUBMITTED_AGAIN: 0.5,
    Fault.TICK_LATE: 0.5,
    Fault.SKEW: 0.7,
    Fault.CANARY_ANSWER_LOST: 0.4,
    Fault.REFUSED: 0.7,
    Fault.USER_MOVES: 0.6,
    Fault.USER_CHANGES_DEADLINE: 0.6,
}
_INTENSITIES = (0.3, 1.0, 2.5)
# Of two plays, one has a kind at all: where everything goes wrong at once, much can't happen any more.
_SHARE = 0.45
# What changes when things happen, and never what comes of them.
ONLY_TIME = frozenset(
    {
        Fault.DOUBLED,
        Fault.LATE,
        Fault.LOST,
        Fault.CRASH_BEFORE,
        Fault.CRASH_AFTER,
        Fault.THROTTLED,
        Fault.FAILED,
        Fault.ANSWER_LOST,
        Fault.SLOW,
        Fault.NOT_FOUND_YET,
        Fault.STALE_DESCRIPTION,
        Fault.STALE_INDEX,
        Fault.SUBMITTED_AGAIN,
        Fault.TICK_LATE,
        Fault.SKEW,
    }
)


@dataclass
class Dice:
    """Draws the faults of a play: which kinds it has, and where each strikes. ``struck`` counts them."""

    seed: int
    without: Collection[Fault] = ()
    struck: Counter[Fault] = field(default_factory=Counter)
    rates: dict[Fault, float] = field(init=False)
    over: bool = False

    def __post_init__(self) -> None:
        chooser = Random(self.seed * 2 + 1)
        self._streams: dict[Fault, Random] = {}
        self.rates = {}
        for kind, usual in _USUALLY.items():
            on, intensity = chooser.random() < _SHARE, chooser.choice(_INTENSITIES)
            if on and kind not in self.without:
                self.rates[kind] = min(0.9, usual * intensity)

    def stream(self, kind: Fault) -> Random:
        """Return the stream that a kind is drawn from."""
        known = self._streams.get(kind)
        if known is None:
            place = list(Fault).index(kind)
            known = self._streams[kind] = Random(self.seed * 64 + place)
        return known

    def strikes(self, kind: Fault) -> bool:
        """Whether a fault strikes here, and count it; once faults are over none does."""
        drawn = self.draws(kind)
        if drawn:
            self.struck[kind] += 1
        return drawn

    def draws(self, kind: Fault) -> bool:
        """Whether a fault is to strike, where it is not known yet whether it can: whoever sees it counts it."""
        rate = self.rates.get(kind)
        return rate is not None and not self.over and self.stream(kind).random() < rate
