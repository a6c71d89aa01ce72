"""The widget of a deployed stack with buttons: a run is found, looked at, and stopped with its button."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.relay import eventually, spec
from tests.e2e.widgets import Dashboard

if TYPE_CHECKING:
    from tests.e2e.relay import Relay

RUN = "widgeted"


def test_a_run_is_found_looked_at_given_a_deadline_and_stopped_with_its_button(relay: Relay) -> None:
    relay.rule(RUN, capacity={"after": 0}, train_seconds=600)
    relay.api.submit(spec(RUN, max_wait=7200, max_runtime=3600))
    eventually(f"{RUN} being launched", lambda: relay.jobs(RUN) or None)
    dashboard = Dashboard(relay)
    assert ">Runs</h1>" in dashboard.open()
    dashboard.press("Show", name=RUN)
    assert f"{RUN}-relay-01" in dashboard.press(RUN)
    dashboard.press("Set a deadline…")
    assert "Done: Set a deadline." in dashboard.press("Set a deadline", deadline="P2D", expected_runtime="PT30M")
    assert relay.api.show(RUN)["deadline"] is not None
    assert "Done: Stop." in dashboard.press("Stop")
    assert relay.ends(RUN)["status"] == "Stopped"
    assert ">Stopped</span>" in dashboard.press("Refresh")


def test_the_dashboard_of_the_stack_shows_the_widget_of_its_function(relay: Relay) -> None:
    name = relay.stack.outputs["WidgetFunction"]
    arn = relay.stack.client("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"]
    board = relay.stack.client("cloudwatch").get_dashboard(DashboardName=relay.stack.outputs["DashboardName"])
    assert f'"endpoint": "{arn}"' in board["DashboardBody"]
