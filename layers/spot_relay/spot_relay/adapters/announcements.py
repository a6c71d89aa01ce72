"""Publish Spot Relay's own events on the default event bus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from spot_relay.domain.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_events import EventBridgeClient

    from spot_relay.domain.shown.events import Event

SOURCE = "spot-relay"


@dataclass(frozen=True)
class EventBridgeAnnouncements:
    """Announces on the default event bus what happens to runs."""

    client: EventBridgeClient

    def announce(self, events: Sequence[Event]) -> dict[str, str]:
        """Publish up to ten events, and return the ids of those that the bus has rejected, with its words."""
        answer = self.client.put_events(
            Entries=[
                {
                    "Source": SOURCE,
                    "DetailType": event.detail_type,
                    "Detail": json.dumps(event.detail, ensure_ascii=False),
                }
                for event in events
            ],
        )
        if not answer["FailedEntryCount"]:
            return {}
        # The answer has one entry for each event, in their order.
        entries = zip(events, answer["Entries"], strict=True)
        return {event.id: str(entry.get("ErrorMessage")) for event, entry in entries if "ErrorCode" in entry}
