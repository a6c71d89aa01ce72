"""The newest runs of a stack as whole documents; what has not changed since the last look is not asked for again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay_client.models import RunSummary
    from spot_relay_client.relay import SpotRelay

# botocore keeps ten connections.
_AT_ONCE = 8


class RunDocuments:
    """Reads the runs of ``relay``, and remembers those that were shown last."""

    def __init__(self, relay: SpotRelay) -> None:
        self._relay = relay
        self._known: dict[str, tuple[RunSummary, Mapping[str, Any]]] = {}

    def read(self, status: str | None, most: int) -> list[Mapping[str, Any]]:
        """Return the newest runs with a status, or of any, newest first."""
        summaries = list(islice(self._relay.list(status), most))
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            documents = list(pool.map(self._read, summaries))
        self._known = {one.name: (one, document) for one, document in zip(summaries, documents, strict=True)}
        return documents

    def _read(self, summary: RunSummary) -> Mapping[str, Any]:
        known = self._known.get(summary.name)
        if known is not None and known[0].updated_at == summary.updated_at and known[0].status == summary.status:
            return known[1]
        return self._relay.api.show(summary.name)
