"""State-change events as EventBridge delivers them, undisturbed and disturbed by a scenario."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.simulator.processes import QUICK, Running, client, request, simulator, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_sagemaker import SageMakerClient

COMPLETED = ["Starting", "Downloading", "Training", "Uploading", "Completed"]
NOT_IN_EVENTS = {
    "BillableTimeInSeconds",
    "TrainingTimeInSeconds",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "Environment",
    "RetryStrategy",
}


class Inbox:
    """A queue that an EventBridge rule fills with SageMaker's state changes; keeps what it has received."""

    def __init__(self, aws: str) -> None:
        self._sqs = client("sqs", aws)
        self._queue = self._sqs.create_queue(QueueName="state-changes")["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._queue, AttributeNames=["QueueArn"])
        events = client("events", aws)
        pattern = {"source": ["aws.sagemaker"], "detail-type": ["SageMaker Training Job State Change"]}
        events.put_rule(Name="state-changes", EventPattern=json.dumps(pattern))
        target = {"Id": "inbox", "Arn": attributes["Attributes"]["QueueArn"]}
        events.put_targets(Rule="state-changes", Targets=[target])
        self._events: list[dict[str, Any]] = []

    def of(self, job: str, *, count: int) -> list[dict[str, Any]]:
        """Return the events of a job once there are ``count`` of them."""

        def look() -> list[dict[str, Any]]:
            answer = self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10, WaitTimeSeconds=0)
            for message in answer.get("Messages", []):
                self._events.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
            found = [event for event in self._events if event["detail"]["TrainingJobName"] == job]
            return found if len(found) >= count else []

        return wait_for(look)


@pytest.fixture(scope="module")
def inbox(aws: str) -> Inbox:
    """Where the state changes arrive."""
    return Inbox(aws)


def statuses(events: list[dict[str, Any]]) -> list[str]:
    return [event["detail"]["SecondaryStatus"] for event in events]


def test_every_transition_is_published_as_an_event_in_the_documented_form(
    running: Running, sagemaker: SageMakerClient, inbox: Inbox
) -> None:
    running.rules({"name": "event-shape", "train_seconds": 0.2, "phases": QUICK})
    given = request(
        "event-shape",
        HyperParameters={"eta": "0.1"},
        Environment={"SECRET": "x"},
        CheckpointConfig={"S3Uri": "s3://bucket/event-shape/"},
        RetryStrategy={"MaximumRetryAttempts": 1},
        Tags=[{"Key": "team", "Value": "a"}],
    )
    arn = sagemaker.create_training_job(**given)["TrainingJobArn"]

    events = inbox.of("event-shape", count=5)

    assert Counter(statuses(events)) == Counter(COMPLETED)
    event = next(event for event in events if event["detail"]["SecondaryStatus"] == "Completed")
    assert event["source"] == "aws.sagemaker"
    assert event["resources"] == [arn]
    assert (event["account"], event["region"]) == ("000000000000", "us-east-1")
    detail = event["detail"]
    assert detail["Tags"] == {"team": "a"}
    assert detail["TrainingJobStatus"] == "Completed"
    assert detail["HyperParameters"] == {"eta": "0.1"}
    assert not NOT_IN_EVENTS & set(detail)
    for name in ("CreationTime", "TrainingStartTime", "TrainingEndTime", "LastModifiedTime"):
        assert detail[name].isdecimal()
        assert len(detail[name]) == 13
    assert [step["Status"] for step in detail["SecondaryStatusTransitions"]] == COMPLETED


def test_the_event_of_a_failed_job_has_its_reason(running: Running, sagemaker: SageMakerClient, inbox: Inbox) -> None:
    running.rules({"name": "event-fails", "phases": QUICK, "fail": {"reason": "AlgorithmError: no"}})
    sagemaker.create_training_job(**request("event-fails"))

    details = [event["detail"] for event in inbox.of("event-fails", count=4)]

    assert {detail.get("FailureReason") for detail in details if detail["TrainingJobStatus"] == "Failed"} == {
        "AlgorithmError: no"
    }
    assert not any("FailureReason" in detail for detail in details if detail["SecondaryStatus"] == "Training")


def test_events_can_be_doubled_late_and_out_of_order(
    running: Running, sagemaker: SageMakerClient, inbox: Inbox
) -> None:
    disturbed = {"duplicates": 1, "delay_seconds": 0.2, "shuffle_within_seconds": 1, "seed": 1}
    running.rules({"name": "event-disturbed", "train_seconds": 0.1, "phases": QUICK, "events": disturbed})
    sagemaker.create_training_job(**request("event-disturbed"))

    events = inbox.of("event-disturbed", count=10)

    assert Counter(statuses(events)) == Counter(COMPLETED * 2)
    put = [entry["secondary_status"] for entry in running.log("event-disturbed", "event") if entry["outcome"] == "put"]
    assert put != sorted(put, key=COMPLETED.index)


def test_events_can_be_lost_by_status(running: Running, sagemaker: SageMakerClient, inbox: Inbox) -> None:
    lost = {"drop": {"statuses": ["Training", "Completed"]}}
    running.rules({"name": "event-lost", "train_seconds": 0.1, "phases": QUICK, "events": lost})
    sagemaker.create_training_job(**request("event-lost"))

    assert Counter(statuses(inbox.of("event-lost", count=3))) == Counter(["Starting", "Downloading", "Uploading"])
    running.ended("event-lost")
    outcomes = wait_for(lambda: log if len(log := running.log("event-lost", "event")) == 5 else None)
    assert outcomes is not None
    dropped = {entry["secondary_status"] for entry in outcomes if entry["outcome"] == "dropped"}
    assert dropped == {"Training", "Completed"}


def test_a_job_is_unaffected_when_all_its_events_are_lost(running: Running, sagemaker: SageMakerClient) -> None:
    running.rules({"name": "event-none", "train_seconds": 0, "phases": QUICK, "events": {"drop": {"fraction": 1}}})
    sagemaker.create_training_job(**request("event-none"))

    assert running.ended("event-none")["TrainingJobStatus"] == "Completed"
    outcomes = wait_for(lambda: log if len(log := running.log("event-none", "event")) == len(COMPLETED) else None)
    assert outcomes is not None
    assert {entry["outcome"] for entry in outcomes} == {"dropped"}


def test_jobs_continue_when_eventbridge_cannot_be_reached(tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:9"  # nothing listens on the port `discard`
    with simulator(tmp_path, aws=nobody, service="EVENTS") as alone:
        alone.rules({"name": "*", "train_seconds": 0, "phases": QUICK})
        alone.sagemaker.create_training_job(**request("event-nowhere"))

        assert alone.ended("event-nowhere")["TrainingJobStatus"] == "Completed"
        wait_for(lambda: "could not put the event" in (tmp_path / "simulator.log").read_text())


def test_without_addresses_of_other_services_the_simulator_calls_none(tmp_path: Path) -> None:
    with simulator(tmp_path) as alone:
        alone.rules({"name": "*", "train_seconds": 0, "phases": QUICK})
        alone.sagemaker.create_training_job(**request("event-alone"))

        assert alone.ended("event-alone")["TrainingJobStatus"] == "Completed"
        assert alone.log("*", "event") == []
