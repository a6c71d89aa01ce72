"""The widget of a stack as it is by default: it shows runs, and changes none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.relay import eventually, spec
from tests.e2e.widgets import Dashboard
from tests.unit.pages.widgets import find_actions

if TYPE_CHECKING:
    from tests.e2e.relay import Relay

RUN = "looked-at"


def test_a_run_is_shown_without_buttons_and_an_action_is_refused(troubled: Relay) -> None:
    troubled.rule(RUN, capacity={"after": 0}, train_seconds=600)
    troubled.api.submit(spec(RUN))
    eventually(f"{RUN} being launched", lambda: troubled.jobs(RUN) or None)
    dashboard = Dashboard(troubled)
    assert RUN in dashboard.open()
    assert f"{RUN}-relay-01" in dashboard.press(RUN)
    assert [action.label for action in find_actions(dashboard.html)] == ["All runs", "Refresh"]
    assert "WidgetActions is false" in dashboard.send({"run": RUN, "action": "stop", "seen": "InProgress 1"})
    assert not troubled.api.show(RUN)["stop_requested"]
    troubled.api.stop(RUN)
