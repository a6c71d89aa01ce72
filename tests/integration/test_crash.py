"""A function may die at any of its AWS calls, or after any: nothing is lost, and no job is created twice."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.scenes import (
    ENDED,
    LAUNCHED,
    TOLD_AND_SETTLED,
    Reaper,
    Scene,
    check,
    killed,
    kills,
    metrics,
    stored,
)
from tests.integration.stack import SPEC, document, spec
from tests.thoroughness import share

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.scenes import End, How
    from tests.integration.stack import Stack

INTERRUPTED = {"interruptions": [{"after_training_seconds": 886, "capacity_returns_after": None}]}
LONG = {"train_seconds": 90_000}


def a_wait_that_expired(stack: Stack) -> dict[str, Any]:
    stored(stack, LONG | {"capacity": INTERRUPTED})
    stack.checkpoint()
    stack.clock.passes(7205)
    return document("observe/max-wait-expired")


def a_wait_that_expired_under_a_limit(stack: Stack) -> dict[str, Any]:
    stack.limit_attempts("ml.m5.xlarge=1")
    return a_wait_that_expired(stack)


def a_job_that_was_interrupted(stack: Stack) -> dict[str, Any]:
    stored(stack, LONG | {"capacity": INTERRUPTED})
    stack.checkpoint()
    stack.clock.passes(1000)
    return document("observe/interrupted")


def a_completed_job(stack: Stack) -> dict[str, Any]:
    stored(stack, {})
    stack.clock.passes(60)
    return document("observe/completed")


def a_completed_job_for_whose_room_a_run_waits(stack: Stack) -> dict[str, Any]:
    stack.make_queue()
    stored(stack, {})
    quota = {"instance_type": "ml.m5.xlarge", "market": "spot", "limit": 1}
    stack.aws.simulator.play(default=LONG, quotas=[quota])
    stack.clock.passes(1)
    made = spec(CheckpointConfig={"S3Uri": "s3://churn-000000000000/checkpoints/later/"}) | {"name": "later"}
    assert stack.call("create-run", made)[1]["status"] == "Pending"
    stack.clock.passes(59)
    return document("observe/completed")


def an_upload(stack: Stack) -> dict[str, Any]:
    stack.aws.simulator.play(default=LONG)
    return stack.upload(json.dumps(SPEC))


def a_request_to_stop(stack: Stack) -> dict[str, Any]:
    stored(stack, LONG)
    stack.clock.passes(60)
    return document("api/stop-run")


RELAUNCHED = ENDED | {
    "WaitsExpired",
    "Interruptions",
    "AttemptsLaunched",
    "RelaunchesAfterMaxWaitTimeExceeded",
    "EventToRelaunchSeconds",
}
SCENES = {
    "relaunch": Scene(
        "observe",
        a_wait_that_expired,
        (
            "dynamodb.GetItem",
            "sagemaker.DescribeTrainingJob",
            "s3.ListObjectsV2",
            "dynamodb.PutItem",
            *("dynamodb.Query",) * 2,
            "dynamodb.UpdateItem",
            "sagemaker.CreateTrainingJob",
            *LAUNCHED,
        ),
        jobs=("churn-relay-01", "churn-relay-02"),
        live=("churn-relay-02",),
        metrics=RELAUNCHED,
    ),
    "limited": Scene(
        "observe",
        a_wait_that_expired_under_a_limit,
        (
            "dynamodb.GetItem",
            "sagemaker.DescribeTrainingJob",
            "s3.ListObjectsV2",
            "dynamodb.PutItem",
            "dynamodb.UpdateItem",
            *("dynamodb.Query",) * 3,
            "dynamodb.UpdateItem",
            "dynamodb.UpdateItem",
            "sagemaker.CreateTrainingJob",
            *LAUNCHED,
        ),
        jobs=("churn-relay-01", "churn-relay-02"),
        live=("churn-relay-02",),
        slots=("churn-relay-02",),
        metrics=RELAUNCHED,
    ),
    "news": Scene(
        "observe",
        a_job_that_was_interrupted,
        ("dynamodb.GetItem", "dynamodb.PutItem", "eventbridge.PutEvents", "dynamodb.PutItem"),
        jobs=("churn-relay-01",),
        live=("churn-relay-01",),
        metrics=frozenset({"Interruptions"}),
        goes_on=True,
        passing=frozenset({"churn-relay-01 was interrupted.", "churn-relay-01 is Interrupted."}),
    ),
    "completion": Scene(
        "observe",
        a_completed_job,
        (
            "dynamodb.GetItem",
            "sagemaker.DescribeTrainingJob",
            # The run, and the folders in which its prefix no longer counts.
            "dynamodb.TransactWriteItems",
            "dynamodb.Query",
            *("dynamodb.Query",) * 2,
            *TOLD_AND_SETTLED,
        ),
        jobs=("churn-relay-01",),
        metrics=ENDED | {"RunsCompleted", "SavingsPercent"},
    ),
    "waking": Scene(
        "observe",
        a_completed_job_for_whose_room_a_run_waits,
        (
            "dynamodb.GetItem",
            "sagemaker.DescribeTrainingJob",
            "dynamodb.TransactWriteItems",
            "dynamodb.Query",
            "dynamodb.Query",
            # Whom the index names is asked for, because the index may lag behind.
            "dynamodb.GetItem",
            "dynamodb.Query",
            "sqs.SendMessage",
            *TOLD_AND_SETTLED,
        ),
        jobs=("churn-relay-01", "later-relay-01"),
        live=("later-relay-01",),
        metrics=ENDED | {"RunsCompleted", "SavingsPercent"},
        # The run that waits may look for room itself before it is woken.
        passing=frozenset({"Trying to launch later-relay-01 again.", "There may be room on ml.m5.xlarge (spot) now."}),
        runs=("churn", "later"),
    ),
    "submission": Scene(
        "submit",
        an_upload,
        (
            "s3.GetObject",
            "dynamodb.GetItem",
            "dynamodb.TransactGetItems",
            "dynamodb.TransactWriteItems",
            "dynamodb.Query",
            "dynamodb.UpdateItem",
            "sagemaker.CreateTrainingJob",
            *LAUNCHED,
            "s3.DeleteObject",
        ),
        jobs=("churn-relay-01",),
        live=("churn-relay-01",),
        metrics=frozenset({"AttemptsLaunched"}),
        saved_by=4,
    ),
    "stop": Scene(
        "api",
        a_request_to_stop,
        ("dynamodb.GetItem", "dynamodb.PutItem", "sagemaker.StopTrainingJob", *TOLD_AND_SETTLED),
        jobs=("churn-relay-01",),
        saved_by=2,
        # A job that is stopped later has trained longer, and stops while it is looked at.
        varies=frozenset({"training_seconds", "billable_seconds", "wasted_seconds", "changeovers", "heard_at"}),
        passing=frozenset({"churn-relay-01 is Stopping."}),
    ),
}
# Where a second job could come of it.
TWICE = ("relaunch",)


@pytest.mark.parametrize("name", SCENES)
def test_an_undisturbed_function_makes_these_calls_in_this_order(
    stack: Stack, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    scene, reaper = SCENES[name], Reaper(stack)
    event = scene.prepare(stack)
    metrics(capsys)
    with reaper.watching():
        stack.invoke(scene.function, event)
    assert tuple(reaper.calls) == scene.calls
    assert metrics(capsys) == Counter(scene.metrics)


@pytest.mark.parametrize(("name", "call", "after"), share(kills(SCENES, tick=False, twice=TWICE)))
def test_what_was_killed_is_made_good_when_the_message_or_the_request_comes_again(
    stack: Stack,
    undisturbed: Callable[[Scene, How], End],
    capsys: pytest.CaptureFixture[str],
    name: str,
    call: int,
    after: bool,
) -> None:
    scene = SCENES[name]
    expected = undisturbed(scene, "redelivery")
    end = killed(stack, scene, "redelivery", capsys, call, after=after)
    check(stack, scene, end, expected, after=after)


@pytest.mark.parametrize(("name", "call", "after"), share(kills(SCENES, tick=True, twice=TWICE), turn=1))
def test_what_was_killed_is_made_good_by_the_tick_alone(
    stack: Stack,
    undisturbed: Callable[[Scene, How], End],
    capsys: pytest.CaptureFixture[str],
    name: str,
    call: int,
    after: bool,
) -> None:
    scene = SCENES[name]
    expected = undisturbed(scene, "tick")
    end = killed(stack, scene, "tick", capsys, call, after=after)
    check(stack, scene, end, expected, after=after)
