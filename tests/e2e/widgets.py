"""A dashboard's custom widget as CloudWatch has it: it invokes the function, and presses what is in the answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.unit.pages.widgets import event_of, find_action

if TYPE_CHECKING:
    from tests.e2e.relay import Relay


@dataclass
class Dashboard:
    """A dashboard with the widget of a stack."""

    relay: Relay
    html: str = ""
    """What the widget shows."""

    def open(self, **params: Any) -> str:
        """Show the widget with its parameters, as when somebody opens the dashboard."""
        return self._invoke(self.relay.stack.outputs["WidgetFunction"], event_of(params, params=params))

    def press(self, label: str, **typed: str) -> str:
        """Press an element of the widget, and confirm it if that is asked for."""
        action = find_action(self.html, label)
        return self._invoke(action.attributes["endpoint"], event_of(action.given, typed))

    def send(self, given: dict[str, Any]) -> str:
        """Invoke the function with parameters that no element of the widget has."""
        return self._invoke(self.relay.stack.outputs["WidgetFunction"], event_of(given))

    def _invoke(self, function: str, event: dict[str, Any]) -> str:
        answer = self.relay.stack.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event).encode())
        payload: Any = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, payload
        self.html = str(payload)
        return self.html
