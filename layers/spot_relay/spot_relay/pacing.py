"""Wait for a turn before a launch: briefly in the function itself, or until a message wakes the run for its turn."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from spot_relay.domain.rules.turns import LEAD, Lane, lane_of
from spot_relay.domain.run.observation import Refused
from spot_relay.domain.run.run import TICK
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.run import Run
    from spot_relay.ports import Turns, Wakeups

OTHERS_FIRST = "SageMaker limits how many training jobs are created per second, and other launches come first."
# The tick finds what is due up to a minute later. It may be late, and its index may lag.
_TICK_MISSES = TICK + timedelta(seconds=15)


@dataclass(frozen=True)
class Pacing:
    """Keeps the stack's launches below SageMaker's rate; ``pause`` waits for so many seconds."""

    turns: Turns
    wakeups: Wakeups
    clock: Callable[[], datetime]
    pause: Callable[[float], None]

    def await_turn(self, run: Run, attempt: Attempt) -> Refused | None:
        """Return None when it is the attempt's turn; if that is later, wake the run in time, and return a refusal."""
        now = self.clock()
        turn = attempt.turn_at or self.turns.take(lane_of(run, attempt), now)
        if turn - now <= LEAD:
            self._pause_until(turn, now)
            return None
        is_woken = turn - LEAD - now < _TICK_MISSES
        if is_woken:
            self.wakeups.look(run.id, turn - LEAD - now)
        return Refused(attempt.number, Refusal.AWAITS_TURN, OTHERS_FIRST, turn, is_woken=is_woken)

    def await_free_turn(self) -> bool:
        """Whether there is a free turn right now, for a launch that can do without; nothing is reserved otherwise."""
        now = self.clock()
        turn = self.turns.take_by(now + LEAD, Lane.LINE, now)
        if turn is not None:
            self._pause_until(turn, now)
        return turn is not None

    def _pause_until(self, turn: datetime, now: datetime) -> None:
        if turn > now:
            self.pause((turn - now).total_seconds())
