"""The composite alarms and saved queries that the embedded stack adds to MiniStack's CloudFormation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ministack.services import cloudwatch  # type: ignore[import-untyped]
from ministack.services.cloudformation import provisioners  # type: ignore[import-untyped]

from embedded import monitoring

if TYPE_CHECKING:
    from collections.abc import Iterator

METRIC = {
    "Namespace": "AWS/SQS",
    "MetricName": "ApproximateAgeOfOldestMessage",
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "Threshold": 1,
}


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    cloudwatch.reset()
    yield
    cloudwatch.reset()


def create(name: str, properties: dict[str, object]) -> str:
    """Create a metric alarm, and return its ARN."""
    handlers = provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::Alarm"]
    arn: str = handlers["create"](name, properties, "relay")[1]["Arn"]
    return arn


def state_of(name: str) -> str:
    state: str = cloudwatch._composite_alarms[name]["StateValue"]
    return state


def test_both_types_can_be_in_a_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provisioners, "_RESOURCE_HANDLERS", {})
    monitoring.install()
    assert set(provisioners._RESOURCE_HANDLERS) == {"AWS::CloudWatch::CompositeAlarm", "AWS::Logs::QueryDefinition"}


def test_a_composite_alarm_follows_its_children() -> None:
    first, second = (create(name, METRIC) for name in ("First", "Second"))
    rule = {"AlarmRule": f'ALARM("{first}") OR ALARM("{second}")'}
    name, attributes = monitoring.create_composite_alarm("StackAlarm", rule, "relay")
    assert attributes["Arn"].endswith(f":alarm:{name}")
    assert state_of(name) == "OK"
    child = next(iter(cloudwatch._alarms.values()))
    child["StateValue"] = "ALARM"
    cloudwatch._evaluate_parent_alarms(child)
    assert state_of(name) == "ALARM"
    assert monitoring.create_composite_alarm("StackAlarm", rule, "relay")[0] == name
    monitoring.delete_composite_alarm(name, rule)
    monitoring.delete_composite_alarm(name, rule)
    assert not cloudwatch._composite_alarms


def test_a_composite_alarm_of_an_alarm_that_does_not_exist_fails_its_stack() -> None:
    with pytest.raises(ValueError, match=r"Missing.* do not exist"):
        monitoring.create_composite_alarm("StackAlarm", {"AlarmRule": "ALARM(Missing)"}, "relay")


def test_a_saved_query_needs_a_name_and_a_text() -> None:
    query = {"Name": "failures", "QueryString": "fields @timestamp"}
    identifier, _ = monitoring.create_query("FailuresQuery", query, "relay")
    assert identifier == "relay-FailuresQuery"
    monitoring.delete_query(identifier, query)
    with pytest.raises(ValueError, match="QueryString is required for AWS::Logs::QueryDefinition FailuresQuery"):
        monitoring.create_query("FailuresQuery", {"Name": "failures"}, "relay")
