"""Entries in the index of waiting runs, beside those of the runs themselves.

The item of a run that waits for others is in the index under the first of them. So that the end of each of the others
reaches it, too, it gets an item for each of them when it is created. These never change. When the run waits no more, or
has expired, they lead to a wake-up that changes nothing, until they expire themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spot_relay.adapters.run_items import name_followed
from spot_relay.domain.run.start import LONGEST_AHEAD

if TYPE_CHECKING:
    from datetime import datetime

    from spot_relay.domain.run.run import Run

_KIND = "follows#"


def build_entries(table: str, run: Run, age_key: str) -> list[dict[str, Any]]:
    """Return the writes of a new run's entries, for all that it waits for but the first."""
    if not run.waits_to_begin:
        return []
    return [
        {"Put": {"TableName": table, "Item": _build_item(run.id, number, other, age_key, run.created_at)}}
        for number, other in enumerate(run.start.after[1:], start=2)
    ]


def _build_item(run_id: str, number: int, other: str, age_key: str, created_at: datetime) -> dict[str, Any]:
    expires_at = created_at + LONGEST_AHEAD
    return {
        "id": {"S": f"{_KIND}{run_id}#{number}"},
        "waits_for": {"S": name_followed(other)},
        "waits_since": {"S": age_key},
        "expires_at": {"N": str(int(expires_at.timestamp()))},
    }


def name_follower(item_id: str) -> str:
    """Return the name of the run that an entry of the index is of."""
    return item_id.split("#")[1] if item_id.startswith(_KIND) else item_id
