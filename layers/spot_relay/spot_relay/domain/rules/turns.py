"""Turns: when the stack may call CreateTrainingJob next, so that SageMaker throttles as few calls as possible.

Turns are equally spaced. Whoever wants to launch takes the first free one, however far ahead it is, and nobody has to
ask again before it comes. One turn in `EXPRESS_EVERY` is kept for launches that must not wait behind a thousand
uploads.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import TYPE_CHECKING

from spot_relay.domain.run.run import OUTBOX_PATIENCE
from spot_relay.domain.values import dataclass, replace

if TYPE_CHECKING:
    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.run import Run

# A call arrives a little later or sooner than its turn; with this much more room, few catch up with the one before.
SLACK = 1.05
EXPRESS_EVERY = 10
# The bounds of a launch rate, in launches per second.
SLOWEST, FASTEST = 0.01, 1000
# A function is woken this long before its turn, so that it arrives in time, and waits for the rest.
LEAD = timedelta(seconds=1.5)
# A call that is later than this meets those whose turn it is by now.
LATEST = timedelta(seconds=2)


class Lane(StrEnum):
    """Who may take a turn: any launch, or also those that come first."""

    LINE = "line"
    EXPRESS = "express"


@dataclass(frozen=True)
class TakenTurns:
    """Until when the turns of each lane are taken, in epoch milliseconds; ``origin`` is when turn number 0 was."""

    origin: int = 0
    line: int = 0
    express: int = 0

    def are_over(self, now: datetime) -> bool:
        """Whether no turn is taken any more, so that the next one is now."""
        return max(self.line, self.express) <= _to_milliseconds(now)


@dataclass(frozen=True)
class LaunchRate:
    """How many training jobs the stack may create per second."""

    per_second: float

    @property
    def milliseconds(self) -> int:
        """The time between two turns."""
        return max(1, round(1000 * SLACK / self.per_second))

    def take(self, taken: TakenTurns, lane: Lane, now: datetime) -> tuple[datetime, TakenTurns]:
        """Return the first free turn of a lane, and the turns that are taken with it."""
        at = _to_milliseconds(now)
        if taken.are_over(now):
            taken = TakenTurns(at, at, at)
        line = self._number(taken, max(taken.line, at))
        line += _is_express(line)
        express = self._number(taken, max(taken.express, at))
        express += EXPRESS_EVERY - 1 - express % EXPRESS_EVERY
        if lane is Lane.EXPRESS and express < line:
            return self._moment(taken, express), replace(taken, express=self._start(taken, express + 1))
        return self._moment(taken, line), replace(taken, line=self._start(taken, line + 1))

    def _number(self, taken: TakenTurns, at: int) -> int:
        """Return the number of the first turn that begins at a time or later."""
        return -((taken.origin - at) // self.milliseconds)

    def _start(self, taken: TakenTurns, number: int) -> int:
        return taken.origin + number * self.milliseconds

    def _moment(self, taken: TakenTurns, number: int) -> datetime:
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=self._start(taken, number))


def lane_of(run: Run, attempt: Attempt) -> Lane:
    """Return the lane of a launch: the first try of a new run stands in line behind those before it.

    Others come first: a run that has trained already, the head of a pool's queue, and a launch that was refused or has
    missed its turn.
    """
    is_untried = attempt.refusals == 0 and run.waits_for is None and run.updated_at <= attempt.planned_at
    return Lane.LINE if attempt.number == 1 and is_untried else Lane.EXPRESS


def drop_missed_turn(run: Run, attempt: Attempt, now: datetime) -> Attempt:
    """Return the attempt without its turn if that has passed, so that its launch takes another one.

    If functions start late, many turns have passed at once, and most of those calls would be throttled. Only a turn
    that was taken when the attempt was planned is dropped: where every message is late, a launch that dropped each of
    its turns would never come.
    """
    if attempt.turn_at is None or now <= attempt.turn_at + LATEST:
        return attempt
    was_taken_first = run.updated_at < attempt.planned_at + OUTBOX_PATIENCE
    return replace(attempt, turn_at=None) if was_taken_first else attempt


def _is_express(number: int) -> bool:
    return number % EXPRESS_EVERY == EXPRESS_EVERY - 1


def _to_milliseconds(moment: datetime) -> int:
    return ceil(moment.timestamp() * 1000)
