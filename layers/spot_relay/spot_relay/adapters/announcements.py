"""Events of Spot Relay's own on EventBridge's default bus."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "spot-relay"
STATE_CHANGE = "Spot Relay Run State Change"


class NotAnnouncedError(Exception):
    """EventBridge did not take an event."""


@dataclass(frozen=True)
class EventBridgeAnnouncements:
    """Tells on the default bus that runs end or go on."""

    client: EventBridgeClient

    def announce(self, detail: dict[str, Any]) -> None:
        """Put a Spot Relay Run State Change event; NotAnnouncedError if the bus refuses it."""
        answer = self.client.put_events(
            Entries=[{"Source": SOURCE, "DetailType": STATE_CHANGE, "Detail": json.dumps(detail)}],
        )
        if answer["FailedEntryCount"]:
            raise NotAnnouncedError(str(answer["Entries"][0].get("ErrorMessage")))
