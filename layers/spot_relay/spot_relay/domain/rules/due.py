"""When to look at the runs that the tick finds: each in time, and those that are late spread over the minute."""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING

from spot_relay.domain.run.run import TICK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from spot_relay.domain.run.run import DueRun

# The function observe handles at least this many messages a second, so late runs need not be further apart.
_PER_SECOND = 5
_UNDER_WAY = timedelta(seconds=5)
# Leaves time to handle the last ones before the next tick finds them again.
_SPREAD_OVER = TICK.total_seconds() - 10


def spread_looks(due: Iterable[DueRun], now: datetime) -> Iterator[tuple[str, int]]:
    """Yield each run with the seconds after which to look at it, as whole seconds, which SQS can delay a message.

    Those that become due before the next tick are looked at when they are. Those that are due already are looked at in
    their order, evenly spread, because all calls at once would be throttled.
    """
    runs = list(due)
    late = sum(run.at <= now - _UNDER_WAY for run in runs)
    apart = _SPREAD_OVER / max(late, _PER_SECOND * _SPREAD_OVER)
    for place, run in enumerate(runs):
        seconds = place * apart if place < late else ceil((max(run.at, now) - now).total_seconds())
        # The message of the tick before is likely to be under way. A second one must not have the run launched twice.
        is_under_way = place >= late and run.at <= now
        yield run.run_id, int(seconds) + is_under_way * _UNDER_WAY.seconds
