"""Which runs a list shows, and in which order."""

from __future__ import annotations

from dataclasses import dataclass

STATUSES = ("Pending", "InProgress", "Stopping", "Completed", "Failed", "Stopped")
ENDED = frozenset({"Completed", "Failed", "Stopped"})
# What runs can be sorted by, with the heading of the column.
SORTS = {
    "submitted": "Submitted",
    "name": "Run",
    "status": "Status",
    "progress": "Progress",
    "finish": "Finish",
    "cost": "Cost",
    "saved": "Saved",
}


@dataclass(frozen=True)
class View:
    """Which runs are shown, and in which order."""

    sort: str = "submitted"
    """One of `SORTS`."""
    descending: bool = True
    status: str | None = None
    name: str = ""
    """A part of the names of the runs that are shown."""
