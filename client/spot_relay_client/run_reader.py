"""The newest runs of a stack as a whole; what has not changed since the last look is not asked for again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from spot_relay_client.models import Run, RunSummary
    from spot_relay_client.relay import SpotRelay

# botocore keeps ten connections.
_AT_ONCE = 8


class RunReader:
    """Reads the runs of ``relay``, and remembers those that it read last."""

    def __init__(self, relay: SpotRelay) -> None:
        self._relay = relay
        self._known: dict[str, tuple[RunSummary, Run]] = {}

    def read(self, most: int, statuses: Collection[str] | None = None, name: str = "") -> list[Run]:
        """Return the newest runs, newest first: those with one of the statuses whose name contains a text."""
        only = next(iter(statuses)) if statuses and len(statuses) == 1 else None
        found = (
            summary
            for summary in self._relay.list(only)
            if name in summary.name and (statuses is None or summary.status in statuses)
        )
        # The list has summaries only.
        summaries = list(islice(found, most))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            runs = list(pool.map(self._read, summaries))
        self._known = {one.name: (one, run) for one, run in zip(summaries, runs, strict=True)}
        return runs

    def _read(self, summary: RunSummary) -> Run:
        known = self._known.get(summary.name)
        if known is not None and known[0].updated_at == summary.updated_at and known[0].status == summary.status:
            return known[1]
        return self._relay.get(summary.name)
