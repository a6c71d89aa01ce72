"""Publish Spot Relay's own events on the default event bus."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from spot_relay.domain.values import dataclass

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "spot-relay"
STATE_CHANGE = "Spot Relay Run State Change"
HOSTING_CHANGE = "Spot Relay Hosting State Change"


class NotAnnouncedError(Exception):
    """EventBridge rejected an event."""


@dataclass(frozen=True)
class EventBridgeAnnouncements:
    """Announces on the default event bus that a run has ended or continues, and what has become of its model."""

    client: EventBridgeClient

    def announce(self, detail: dict[str, Any]) -> None:
        """Publish a Spot Relay Run State Change event; raise NotAnnouncedError if the bus rejects it."""
        self._put(STATE_CHANGE, detail)

    def announce_hosting(self, detail: dict[str, Any]) -> None:
        """Publish a Spot Relay Hosting State Change event; raise NotAnnouncedError if the bus rejects it."""
        self._put(HOSTING_CHANGE, detail)

    def _put(self, detail_type: str, detail: dict[str, Any]) -> None:
        answer = self.client.put_events(
            Entries=[{"Source": SOURCE, "DetailType": detail_type, "Detail": json.dumps(detail)}],
        )
        if answer["FailedEntryCount"]:
            raise NotAnnouncedError(str(answer["Entries"][0].get("ErrorMessage")))
