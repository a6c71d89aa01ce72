"""A function may die at any of its AWS calls while a run moves between the markets: never are there two attempts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.integration.scenes import (
    ENDED,
    LAUNCHED,
    SETTLED,
    TOLD_AND_SETTLED,
    Reaper,
    Scene,
    check,
    killed,
    kills,
    metrics,
)
from tests.integration.switches import (
    a_canary_that_has_found_capacity,
    a_canary_that_tells_of_capacity,
    a_request_to_move,
    a_run_ahead_of_its_pace,
    a_wait_too_long,
    a_waiting_job_that_was_stopped,
    an_on_demand_job_that_completed,
    an_on_demand_job_that_was_stopped,
    an_on_demand_job_that_was_stopped_where_the_quota_holds_one,
)
from tests.thoroughness import share

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.scenes import End, How
    from tests.integration.stack import Stack


# What differs where it is looked later: how much was trained, and what is left of the time.
LATER = frozenset({"progress_seconds", "progress_points", "max_wait_seconds"})
# A job that is looked at as soon as it was asked to stop has not stopped yet.
STOPPING = frozenset({"churn-relay-01 is Stopping."})
NO_ROOM = frozenset({"The quota for ml.m5.xlarge", "Trying to launch churn-relay-02 again."})
SCENES = {
    "safety-net": Scene(
        "observe",
        a_wait_too_long,
        (
            "dynamodb.GetItem",
            "sagemaker.DescribeTrainingJob",
            "s3.ListObjectsV2",
            "dynamodb.PutItem",
            "sagemaker.StopTrainingJob",
            *SETTLED,
        ),
        jobs=("churn-relay-01", "churn-relay-02"),
        live=("churn-relay-02",),
        goes_on=True,
        varies=frozenset({"waited_seconds"}),
        passing=STOPPING,
    ),
    "on-demand": Scene(
        "observe",
        a_waiting_job_that_was_stopped,
        (
            "dynamodb.GetItem",
            "sagemaker.DescribeTrainingJob",
            "s3.ListObjectsV2",
            "dynamodb.PutItem",
            *("dynamodb.Query",) * 3,
            "dynamodb.UpdateItem",
            "sagemaker.CreateTrainingJob",
            *LAUNCHED,
        ),
        jobs=("churn-relay-01", "churn-relay-02"),
        live=("churn-relay-02",),
        metrics=frozenset(
            {"CapacityWaitSeconds", "AttemptsLaunched", "RelaunchesAfterSafetyNet", "EventToRelaunchSeconds"}
        ),
    ),
    "move": Scene(
        "api",
        a_request_to_move,
        ("dynamodb.GetItem", "dynamodb.PutItem", "sagemaker.StopTrainingJob", *SETTLED),
        jobs=("churn-relay-01", "churn-relay-02"),
        live=("churn-relay-02",),
        saved_by=2,
        goes_on=True,
        varies=LATER | {"training_seconds", "billable_seconds", "wasted_seconds", "changeovers", "heard_at"},
        passing=STOPPING,
    ),
    "canary": Scene(
        "observe",
        a_run_ahead_of_its_pace,
        (
            "dynamodb.GetItem",
            "sagemaker.DescribeTrainingJob",
            "s3.ListObjectsV2",
            "dynamodb.PutItem",
            "dynamodb.Query",
            "dynamodb.UpdateItem",
            "sagemaker.CreateTrainingJob",
            *TOLD_AND_SETTLED,
        ),
        jobs=("churn-relay-01", "churn-canary-01"),
        live=("churn-relay-01", "churn-canary-01"),
        goes_on=True,
        varies=LATER,
    ),
    "news": Scene(
        "observe",
        a_canary_that_tells_of_capacity,
        ("dynamodb.GetItem", "dynamodb.PutItem"),
        jobs=("churn-relay-01", "churn-canary-01", "churn-relay-02"),
        live=("churn-relay-02",),
        goes_on=True,
        varies=LATER | {"training_seconds", "billable_seconds", "changeovers"},
        # Who looks before the news comes needs it no more.
        passing=STOPPING | {"churn-canary-01 is Training."},
    ),
    "back": Scene(
        "observe",
        a_canary_that_has_found_capacity,
        (
            "dynamodb.GetItem",
            "sagemaker.DescribeTrainingJob",
            "sagemaker.DescribeTrainingJob",
            "s3.ListObjectsV2",
            "dynamodb.PutItem",
            "sagemaker.StopTrainingJob",
            *TOLD_AND_SETTLED,
        ),
        jobs=("churn-relay-01", "churn-canary-01", "churn-relay-02"),
        live=("churn-relay-02",),
        goes_on=True,
        # Training that ends at the very moment of a look is no stretch of its own, so it tells of no changeover.
        varies=LATER | {"training_seconds", "billable_seconds", "changeovers"},
        passing=STOPPING,
    ),
    "spot": Scene(
        "observe",
        an_on_demand_job_that_was_stopped,
        (
            "dynamodb.GetItem",
            "sagemaker.DescribeTrainingJob",
            "s3.ListObjectsV2",
            "dynamodb.PutItem",
            *("dynamodb.Query",) * 3,
            "dynamodb.UpdateItem",
            "sagemaker.CreateTrainingJob",
            "sagemaker.StopTrainingJob",
            *LAUNCHED,
        ),
        jobs=("churn-relay-01", "churn-canary-01", "churn-relay-02"),
        live=("churn-relay-02",),
        metrics=ENDED | {"AttemptsLaunched", "RelaunchesAfterAheadOfPace", "EventToRelaunchSeconds"},
        varies=LATER,
    ),
    "spot-quota": Scene(
        "observe",
        an_on_demand_job_that_was_stopped_where_the_quota_holds_one,
        (
            "dynamodb.GetItem",
            "sagemaker.DescribeTrainingJob",
            "s3.ListObjectsV2",
            "dynamodb.PutItem",
            *("dynamodb.Query",) * 3,
            "dynamodb.UpdateItem",
            "sagemaker.CreateTrainingJob",
            "sagemaker.DescribeTrainingJob",
            "sagemaker.StopTrainingJob",
            *LAUNCHED,
        ),
        jobs=("churn-relay-01", "churn-canary-01", "churn-relay-02"),
        live=("churn-relay-02",),
        metrics=ENDED,
        goes_on=True,
        varies=LATER,
        # Where the canary has been stopped before, there is room at once.
        passing=NO_ROOM,
    ),
    "completion": Scene(
        "observe",
        an_on_demand_job_that_completed,
        (
            "dynamodb.GetItem",
            "sagemaker.DescribeTrainingJob",
            "dynamodb.TransactWriteItems",
            "sagemaker.StopTrainingJob",
            "dynamodb.Query",
            *("dynamodb.Query",) * 2,
            *TOLD_AND_SETTLED,
        ),
        jobs=("churn-relay-01", "churn-canary-01"),
        metrics=ENDED | {"RunsCompleted", "SavingsPercent"},
    ),
}


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


@pytest.mark.parametrize(("name", "call", "after"), share(kills(SCENES, tick=False)))
def test_a_switch_that_was_killed_is_made_good_when_its_message_comes_again(
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


@pytest.mark.parametrize(("name", "call", "after"), share(kills(SCENES, tick=True), turn=1))
def test_a_switch_that_was_killed_is_made_good_by_the_tick_alone(
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
