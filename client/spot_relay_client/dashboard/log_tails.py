"""The newest lines of the logs of runs, read on from where the last look ended."""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from spot_relay_client.logs import LogLine, LogReader
    from spot_relay_client.models import Run

MOST_LINES: Final = 2000
_MOST_RUNS: Final = 20


class LogTails:
    """Keeps the newest lines of a few runs; ``read_logs`` makes the reader of one."""

    def __init__(self, read_logs: Callable[[], LogReader]) -> None:
        self._read_logs = read_logs
        self._tails: OrderedDict[str, _Tail] = OrderedDict()
        self._lock = Lock()

    def read(self, run: Run) -> Sequence[LogLine]:
        """Return the newest lines of all attempts and hosts of a run, oldest first."""
        with self._lock:
            tail = self._tails.setdefault(run.name, _Tail(self._read_logs))
            self._tails.move_to_end(run.name)
            while len(self._tails) > _MOST_RUNS:
                self._tails.popitem(last=False)
        return tail.read(run)


class _Tail:
    def __init__(self, read_logs: Callable[[], LogReader]) -> None:
        self._reader = read_logs()
        self._lines: deque[LogLine] = deque(maxlen=MOST_LINES)
        self._lock = Lock()

    def read(self, run: Run) -> list[LogLine]:
        with self._lock:
            self._lines.extend(self._reader.read(run, datetime.now(UTC)))
            return list(self._lines)
