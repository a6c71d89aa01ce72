"""The audit log: every call, transition and event, in the order in which they happened."""

from __future__ import annotations

from fnmatch import fnmatchcase
from threading import Lock
from typing import Any


class AuditLog:
    """An append-only list of entries, numbered from 1; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entries: list[dict[str, Any]] = []

    def add(self, kind: str, at: float, **details: Any) -> None:
        """Append an entry; ``at`` is in epoch seconds."""
        with self._lock:
            number = len(self._entries) + 1
            self._entries.append({"number": number, "kind": kind, "time": at, **details})

    def entries(
        self, *, after: int = 0, job: str | None = None, resource: str | None = None, kind: str | None = None
    ) -> list[dict[str, Any]]:
        """Return the entries after a number, of one kind, and of jobs or resources whose names match a pattern.

        Jobs have a name, such as ``churn``; other resources have a kind and a name, such as ``endpoint/churn``.
        """
        with self._lock:
            entries = self._entries[after:]
        return [
            entry
            for entry in entries
            if (kind is None or entry["kind"] == kind)
            and (job is None or fnmatchcase(entry.get("job_name") or "", job))
            and (resource is None or fnmatchcase(entry.get("resource") or "", resource))
        ]
