"""A function that is killed at any of its calls to AWS while it registers and deploys a model leaves nothing twice."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.run import RunStatus
from tests.integration.scenes import KilledError, Reaper
from tests.integration.stack import SPEC, document
from tests.thoroughness import share

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run
    from tests.integration.stack import Stack

WANTED = {
    "register_model": {"group": "churn"},
    "deploy": {"endpoint": "churn-live", "instance_type": "ml.m5.large"},
}
SAVED = "dynamodb.PutItem"
CALLS = (
    "dynamodb.GetItem",
    "sagemaker.DescribeTrainingJob",
    "dynamodb.TransactWriteItems",
    "dynamodb.Query",
    *("dynamodb.Query",) * 2,
    *("sagemaker.CreateModelPackage", "sagemaker.CreateModel"),
    *("eventbridge.PutEvents", "s3.PutObject", SAVED),
    *("sagemaker.CreateEndpointConfig", SAVED),
    *("sagemaker.DescribeEndpoint", SAVED),
    *("sagemaker.CreateEndpoint", "s3.PutObject", SAVED),
)
MADE = ("CreateModel", "CreateEndpointConfig", "CreateEndpoint")


def completes(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let the job of a run complete, and return the event of it."""
    monkeypatch.setenv("ALLOW_HOSTING", "true")
    stack.make_queue()
    stack.client("sagemaker").create_model_package_group(ModelPackageGroupName="churn")
    uploaded = stack.upload(json.dumps({**SPEC, "on_success": WANTED}))
    assert stack.invoke("submit", uploaded) == {"batchItemFailures": []}
    stack.clock.passes(60)
    return document("observe/completed")


def settled(stack: Stack) -> Run:
    """Let the tick go on with a run until everything has been done with its model."""
    for _ in range(12):
        stack.clock.passes(400)
        stack.tick()
        run = stack.run()
        if run.hosting and not any(task.is_open for task in run.hosting):
            return run
    raise AssertionError(stack.run().hosting)


def test_an_undisturbed_function_makes_these_calls_in_this_order(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    event, reaper = completes(stack, monkeypatch), Reaper(stack)
    with reaper.watching():
        stack.invoke("observe", event)
    assert tuple(reaper.calls) == CALLS


KILLS = [(call, after) for call in range(1, len(CALLS) + 1) for after in (False, True)]


@pytest.mark.parametrize(("call", "after"), share(KILLS))
def test_a_function_that_is_killed_at_any_call_creates_nothing_twice(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, call: int, after: bool
) -> None:
    event, reaper = completes(stack, monkeypatch), Reaper(stack)
    with suppress(KilledError), reaper.watching(call, after=after):
        stack.invoke("observe", event)

    run = settled(stack)

    assert (run.status, run.reason) == (RunStatus.COMPLETED, "churn-relay-01 completed the training.")
    assert [task.status for task in run.hosting] == ["Succeeded", "Succeeded"]
    for operation in MADE:
        assert stack.aws.simulator.outcomes(operation).count("ok") == 1, operation
    packages = stack.client("sagemaker").list_model_packages(ModelPackageGroupName="churn")
    assert len(packages["ModelPackageSummaryList"]) == 1
    assert stack.status()["hosting"]["deploy"]["status"] == "Succeeded"
