"""The alarms, the dashboard and the saved queries, compared with what the functions really print."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.service import Service
from tests.integration.printed import a_life, known_metrics, printed
from tests.integration.stack import body_of, messages, spec
from tests.monitoring import NAMESPACE, alarmed_metrics, fields_of, flatten, plotted_metrics, queries, widgets

if TYPE_CHECKING:
    from tests.integration.stack import Stack

# Those that Logs Insights adds to every line.
SYSTEM_FIELDS = frozenset({"@timestamp", "@message", "@log", "@logStream"})
HOUR = 3600
# A deadline that a spot job misses while it trains, without a checkpoint, and then it is billed in full.
HOPELESS = {"deadline": "PT2H", "expected_runtime": "PT30M"}


def everything(stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return a line of each kind that the functions print, metrics and others."""
    a_life(stack)
    stack.call("stop-run")
    stack.invoke("observe", messages("not JSON"))
    with monkeypatch.context() as broken:
        broken.setattr(Service, "advance", lambda *_: 1 / 0)
        stack.invoke("observe", messages(json.dumps(body_of("observe/max-wait-expired"))))
    metrics, logs = printed(capsys)
    return [*metrics, *logs]


def a_hopeless_life(stack: Stack, capsys: pytest.CaptureFixture[str]) -> list[Any]:
    """Return the metric lines of a run that misses its deadline, leaves no checkpoint and saves nothing."""
    stack.aws.simulator.play(rules=[{"name": "churn-relay-*", "train_seconds": 5 * HOUR, "billable_share": 1.0}])
    limits = {"MaxRuntimeInSeconds": 6 * HOUR, "MaxWaitTimeInSeconds": 7 * HOUR}
    stack.call("create-run", spec(StoppingCondition=limits) | {"policy": HOPELESS})
    stack.make_queue()
    for _ in range(70):
        stack.clock.passes(300)
        stack.tick()
    assert stack.status()["status"] == "Completed"
    return printed(capsys)[0]


@pytest.fixture(scope="module")
def kept() -> dict[str, list[Any]]:
    """The metric lines of each life that a test has read, for the next one."""
    return {}


@pytest.fixture
def hopeless(stack: Stack, capsys: pytest.CaptureFixture[str], kept: dict[str, list[Any]]) -> list[Any]:
    """The metric lines of a hopeless life."""
    if "hopeless" not in kept:
        kept["hopeless"] = a_hopeless_life(stack, capsys)
        stack.begin()
    return kept["hopeless"]


@pytest.fixture
def ordinary(stack: Stack, capsys: pytest.CaptureFixture[str], kept: dict[str, list[Any]]) -> list[Any]:
    """The metric lines of an ordinary life."""
    if "ordinary" not in kept:
        a_life(stack)
        kept["ordinary"] = printed(capsys)[0]
        stack.begin()
    return kept["ordinary"]


def test_every_field_of_a_query_is_in_a_line_that_a_function_prints(
    stack: Stack, hopeless: list[Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [*hopeless, *everything(stack, capsys, monkeypatch)]
    known = {field for line in lines for field in flatten(line)} | SYSTEM_FIELDS
    assert {name: fields_of(query) - known for name, query in queries().items() if fields_of(query) - known} == {}


def test_the_fields_that_a_query_counts_by_are_in_the_line_of_each_metric(hopeless: list[Any]) -> None:
    for line in hopeless:
        assert {"run_id", "market", "instance_type"} <= set(flatten(line))


def test_every_metric_of_ours_that_is_watched_is_published_with_these_dimensions(hopeless: list[Any]) -> None:
    watched = {*alarmed_metrics().values(), *(metric for widget in widgets() for metric in plotted_metrics(widget))}
    ours = [metric for metric in watched if metric.namespace == NAMESPACE]
    assert ours
    published = {
        tuple((name, line[name]) for name in line["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]) for line in hopeless
    }
    assert {metric.dimensions for metric in ours} == published
    assert {metric.name for metric in ours} <= known_metrics()


@pytest.mark.parametrize("name", ["RunsPastDeadline", "CheckpointsOverdue", "SpotBilledAsOnDemand"])
def test_each_metric_of_the_alarms_on_runs_is_published_when_it_should_be(
    hopeless: list[Any], ordinary: list[Any], name: str
) -> None:
    found = [line for line in hopeless if name in line]
    assert found
    assert {line["run_id"] for line in found} == {"churn"}
    assert ordinary
    assert not [line for line in ordinary if name in line]
