"""What SageMaker refuses, and what gets no capacity in time, on the functions: the run goes on, or says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.stack import spec

if TYPE_CHECKING:
    from tests.integration.stack import Stack

LONGEST = (
    "The account-level service limit 'Longest run time for a training job' is 432000 Seconds, with current utilization "
    "of 0 Seconds and a request delta of 864000 Seconds."
)
NONE_LEFT = (
    "The account-level service limit for training-job/ml.m5.xlarge is 0 Instances, with current utilization of 0 "
    "Instances and a request delta of 2 Instances."
)


def refuse(stack: Stack, name: str, code: str, message: str, times: int | None = None) -> None:
    """Refuse the jobs of a name."""
    error = {"operation": "CreateTrainingJob", "code": code, "message": message, "times": times}
    stack.aws.simulator.play(rules=[{"name": name, "errors": [error]}], default={"train_seconds": 90_000})


def submit(stack: Stack, name: str = "churn", policy: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Submit a run a second after the one before, and return the answer."""
    stack.clock.passes(1)
    stack.make_queue()
    checkpoints = {"S3Uri": f"s3://churn-000000000000/checkpoints/{name}/"}
    document = spec(CheckpointConfig=checkpoints, **changes) | {"name": name} | ({"policy": policy} if policy else {})
    status, answer = stack.call("create-run", document)
    assert status == 202
    return answer


@pytest.mark.parametrize("message", [LONGEST, NONE_LEFT], ids=["longest run time", "no instance at all"])
def test_a_quota_that_the_placement_can_never_meet_ends_the_run_and_holds_nobody_back(
    stack: Stack, message: str
) -> None:
    refuse(stack, "long-*", "ResourceLimitExceeded", message)
    answer = submit(stack, "long")
    assert answer["status"] == "Failed"
    assert "Ask AWS to raise the service quota" in answer["reason"]
    assert submit(stack, "younger")["status"] == "InProgress"


def test_a_rung_that_sagemaker_rejects_is_skipped(stack: Stack) -> None:
    refuse(stack, "*", "ValidationException", "Instance type ml.c4.2xlarge is not supported in this region.", times=1)
    ladder = [{"instance_type": "ml.c4.2xlarge"}, {"instance_type": "ml.m5.2xlarge", "market": "on-demand"}]
    answer = submit(stack, policy={"ladder": ladder})
    assert answer["status"] == "InProgress"
    assert [attempt["placement"]["instance_type"] for attempt in answer["attempts"]] == ["ml.m5.2xlarge"]


def test_an_error_that_nobody_knows_is_shown_holds_nobody_back_and_lets_the_run_be_stopped(stack: Stack) -> None:
    refuse(stack, "odd-*", "ConflictException", "Something is in conflict")
    answer = submit(stack, "odd")
    assert answer["status"] == "Pending"
    assert "ConflictException: Something is in conflict." in answer["reason"]
    assert submit(stack, "younger")["status"] == "InProgress"
    status, stopped = stack.call("stop-run", path="/runs/odd/stop", pathParameters={"id": "odd"})
    assert (status, stopped["status"]) == (202, "Stopping")


def test_a_refusal_without_a_message_is_shown_by_its_code(stack: Stack) -> None:
    refuse(stack, "*", "ValidationException", "")
    reason = submit(stack)["reason"]
    assert reason.startswith("SageMaker refused to create churn-relay-01: ValidationException. Correct")


def test_an_on_demand_job_that_gets_no_capacity_in_time_moves_the_run_down_its_ladder(stack: Stack) -> None:
    never = {"market": "on-demand", "capacity": {"after": None}}
    stack.aws.simulator.play(rules=[never], default={"train_seconds": 90_000})
    ladder = [{"instance_type": "ml.m5.xlarge", "market": "on-demand"}, {"instance_type": "ml.m5.2xlarge"}]
    limits = {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 90_000, "MaxPendingTimeInSeconds": 7200}
    answer = submit(stack, policy={"ladder": ladder}, StoppingCondition=limits)
    assert "MaxPendingTimeInSeconds is left out" in answer["decisions"][0]["reason"]
    stack.clock.passes(7260)
    stack.tick()
    stack.deliver()
    run = stack.run()
    assert [attempt.outcome for attempt in run.attempts] == ["MaxPendingTimeExceeded", None]
    assert run.attempts[0].status_message == "Training job stopped"
    assert (run.current.placement.instance_type, run.current.placement.market) == ("ml.m5.2xlarge", "spot")
    assert run.spent.capacity_failures == 1
    described = stack.client("sagemaker").describe_training_job(TrainingJobName="churn-relay-02")
    assert "MaxPendingTimeInSeconds" not in described["StoppingCondition"]
