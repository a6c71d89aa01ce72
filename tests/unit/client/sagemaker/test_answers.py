"""A run is described as one training job, whatever its attempts go through."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.session import Session

from spot_relay_client.sagemaker.answers import describe, summarize, tags_of
from tests.unit.client.sagemaker.documents import ARN, REQUEST, attempt, run, step

EXPIRED = attempt(
    1,
    step("Starting", "10:00:00", "10:01:00", "Starting the training job"),
    step("MaxWaitTimeExceeded", "10:30:00", "10:31:00"),
    ended_at="2026-11-01T10:31:00.000Z",
)
TRAINING = attempt(2, step("Training", "11:00:00"), training_started_at="2026-11-01T11:00:00.000Z")
DONE = attempt(2, step("Completed", "11:59:00", "12:00:00"), training_started_at="2026-11-01T11:00:00.000Z")


def at(time: str) -> float:
    return datetime.fromisoformat(f"2026-11-01T{time}").replace(tzinfo=UTC).timestamp()


def statuses(described: dict[str, Any]) -> list[str]:
    return [transition["Status"] for transition in described["SecondaryStatusTransitions"]]


def test_a_run_without_attempts_is_pending_and_says_why() -> None:
    described = describe(run("Pending"))
    assert described["TrainingJobStatus"] == "InProgress"
    assert described["SecondaryStatus"] == "Pending"
    assert described["SecondaryStatusTransitions"] == [
        {"Status": "Pending", "StartTime": at("12:00:00"), "StatusMessage": "This is why."}
    ]


def test_between_attempts_a_run_is_in_progress_and_has_no_end() -> None:
    described = describe(run("Pending", EXPIRED))
    assert described["TrainingJobStatus"] == "InProgress"
    assert statuses(described) == ["Starting", "MaxWaitTimeExceeded", "Pending"]
    assert described["SecondaryStatusTransitions"][-1]["StartTime"] == at("10:31:00")
    assert not described.keys() & {"TrainingEndTime", "FailureReason", "ModelArtifacts", "TrainingTimeInSeconds"}


def test_the_transitions_of_all_attempts_come_one_after_the_other() -> None:
    described = describe(run("InProgress", EXPIRED, TRAINING))
    assert statuses(described) == ["Starting", "MaxWaitTimeExceeded", "Training"]
    assert described["SecondaryStatus"] == "Training"
    assert described["TrainingStartTime"] == at("11:00:00")
    assert all(transition["StatusMessage"] for transition in described["SecondaryStatusTransitions"])


def test_a_completed_run_has_its_model_and_the_sums_of_all_attempts() -> None:
    model = "s3://bucket/output/churn-relay-02/output/model.tar.gz"
    described = describe(
        run("Completed", EXPIRED, DONE, model_artifacts=model, training_seconds=90, billable_seconds=30)
    )
    assert described["TrainingJobStatus"] == described["SecondaryStatus"] == "Completed"
    assert described["ModelArtifacts"] == {"S3ModelArtifacts": model}
    assert (described["TrainingTimeInSeconds"], described["BillableTimeInSeconds"]) == (90, 30)
    assert described["TrainingEndTime"] == at("12:00:00")
    assert statuses(described) == ["Starting", "MaxWaitTimeExceeded", "Completed"]


@pytest.mark.parametrize("status", ["Failed", "Stopped", "Stopping"])
def test_what_a_run_comes_to_is_its_last_transition_even_if_no_attempt_shows_it(status: str) -> None:
    described = describe(run(status, EXPIRED))
    assert described["TrainingJobStatus"] == described["SecondaryStatus"] == status
    assert described["SecondaryStatusTransitions"][-1]["StatusMessage"] == "This is why."
    assert described.get("FailureReason") == ("This is why." if status == "Failed" else None)


def test_a_reason_is_cut_at_the_length_that_sagemaker_allows() -> None:
    assert len(describe(run("Failed", EXPIRED, reason="x" * 5000))["FailureReason"]) == 1024


def test_the_request_is_shown_as_it_was_submitted() -> None:
    described = describe(run("InProgress", TRAINING))
    for member in ("RoleArn", "AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
        assert described[member] == REQUEST[member]
    assert described["OutputDataConfig"] == {"S3OutputPath": "s3://bucket/output", "KmsKeyId": ""}
    assert described["TrainingJobName"] == "churn"
    assert described["TrainingJobArn"] == f"{ARN}churn"
    assert "Tags" not in described


def test_a_key_for_the_output_stays() -> None:
    job = run("Pending")["training_job"] | {"OutputDataConfig": {"S3OutputPath": "s3://b/o", "KmsKeyId": "a-key"}}
    assert describe(run("Pending", training_job=job))["OutputDataConfig"]["KmsKeyId"] == "a-key"


@pytest.mark.parametrize("status", ["Pending", "InProgress", "Stopping", "Completed", "Failed", "Stopped"])
def test_every_member_of_an_answer_is_one_that_describe_training_job_has(status: str) -> None:
    shape: Any = Session().get_service_model("sagemaker").operation_model("DescribeTrainingJob").output_shape
    described = describe(run(status, EXPIRED, TRAINING, model_artifacts="s3://b/m", training_seconds=1))
    assert set(described) <= set(shape.members)
    assert set(shape.required_members) <= set(described)
    assert described["TrainingJobStatus"] in shape.members["TrainingJobStatus"].enum
    assert described["SecondaryStatus"] in shape.members["SecondaryStatus"].enum


def test_a_summary_shows_a_run_once_with_its_own_status() -> None:
    assert summarize(run("Pending"), f"{ARN}churn") == {
        "TrainingJobName": "churn",
        "TrainingJobArn": f"{ARN}churn",
        "CreationTime": at("10:00:00"),
        "LastModifiedTime": at("12:00:00"),
        "TrainingJobStatus": "InProgress",
    }
    assert summarize(run("Stopped"), "")["TrainingEndTime"] == at("12:00:00")


def test_the_tag_of_a_call_is_not_shown() -> None:
    tags = [{"Key": "team", "Value": "ml"}, {"Key": "SpotRelayCall", "Value": "a-call"}]
    assert tags_of(run("Pending", tags=tags)) == tags[:1]
