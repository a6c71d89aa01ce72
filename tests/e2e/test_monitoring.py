"""The dashboard and the alarms of the deployed stack."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.monitoring import metric_alarms, widgets

if TYPE_CHECKING:
    from embedded.stack import Stack


def state_of_the_stack_alarm(stack: Stack) -> str:
    arn = stack.outputs["StackAlarm"]
    found = stack.client("cloudwatch").describe_alarms(AlarmTypes=["CompositeAlarm"])["CompositeAlarms"]
    (state,) = [alarm["StateValue"] for alarm in found if alarm["AlarmArn"] == arn]
    return str(state)


def test_the_dashboard_is_deployed_with_every_name_in_place(stack: Stack) -> None:
    found = stack.client("cloudwatch").get_dashboard(DashboardName=stack.outputs["DashboardName"])
    body = found["DashboardBody"]
    assert "${" not in body
    deployed: list[dict[str, Any]] = json.loads(body)["widgets"]
    assert [widget["properties"]["title"] for widget in deployed] == [
        widget["properties"]["title"] for widget in widgets()
    ]
    for function in (
        "SubmitFunction",
        "ApiFunction",
        "ObserveFunction",
        "TickFunction",
        "PricesFunction",
        "WidgetFunction",
    ):
        assert f'"{stack.outputs[function]}"' in body


def test_the_alarm_for_the_stack_is_on_while_one_of_the_others_is(stack: Stack) -> None:
    client = stack.client("cloudwatch")
    alarms = client.describe_alarms(AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    assert len(alarms) >= len(metric_alarms())
    (late,) = [alarm for alarm in alarms if alarm["MetricName"] == "RunsPastDeadline"]
    others = {alarm["StateValue"] for alarm in alarms}
    assert "ALARM" not in others
    assert state_of_the_stack_alarm(stack) == "OK"
    for state in ("ALARM", "OK"):
        client.set_alarm_state(AlarmName=late["AlarmName"], StateValue=state, StateReason="A test sets it.")
        assert state_of_the_stack_alarm(stack) == state
