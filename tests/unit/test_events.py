"""The documents in ``events/`` are what AWS sends: whole, consistent, with nothing added."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from spot_relay.adapters.inbound import write_template_due

EVENTS = Path(__file__).resolve().parents[2] / "events"
EVERY = sorted(EVENTS.glob("*/*.json"))
QUEUED = [path for path in EVERY if path.parent.name in {"submit", "observe"}]
API_CALLS = [path for path in EVERY if path.parent.name == "api"]
OURS = {"run-due": "Run Due", "room-freed": "Room Freed", "predecessor-ended": "Predecessor Ended"}
OF_ENDPOINTS = {"endpoint-in-service"}
STATE_CHANGES = [path for path in EVERY if path.parent.name == "observe" and path.stem not in {*OURS, *OF_ENDPOINTS}]

JOB_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
ENVELOPE = {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}
RECORD = {
    "messageId",
    "receiptHandle",
    "body",
    "attributes",
    "messageAttributes",
    "md5OfBody",
    "eventSource",
    "eventSourceARN",
    "awsRegion",
}
SENT_ALWAYS = {
    "TrainingJobName",
    "TrainingJobArn",
    "TrainingJobStatus",
    "SecondaryStatus",
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "VpcConfig",
    "StoppingCondition",
    "CreationTime",
    "LastModifiedTime",
    "SecondaryStatusTransitions",
    "Tags",
}
ENDS = {"Completed", "Failed", "Stopped"}
EXPECTED = {
    "training-started": ("InProgress", "Training"),
    "interrupted": ("InProgress", "Interrupted"),
    "max-wait-expired": ("Stopped", "MaxWaitTimeExceeded"),
    "max-runtime-exceeded": ("Stopped", "MaxRuntimeExceeded"),
    "capacity-error": ("Failed", "Failed"),
    "algorithm-error": ("Failed", "Failed"),
    "service-error": ("Failed", "Failed"),
    "stopped-by-user": ("Stopped", "Stopped"),
    "completed": ("Completed", "Completed"),
    "unknown-status": ("InProgress", "Rebalancing"),
    "foreign-job": ("Completed", "Completed"),
    "canary-training": ("InProgress", "Training"),
}


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def _load(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return document


def _body(path: Path) -> dict[str, Any]:
    """Return the event that the one record of a queued document carries."""
    (record,) = _load(path)["Records"]
    event: dict[str, Any] = json.loads(record["body"])
    return event


def _moment(milliseconds: str) -> datetime:
    assert isinstance(milliseconds, str)
    return datetime.fromtimestamp(int(milliseconds) / 1000, tz=UTC)


def test_each_function_has_documents_and_each_meaning_is_there() -> None:
    assert {path.parent.name for path in EVERY} == {"submit", "api", "observe", "tick", "prices", "widget"}
    assert {path.stem for path in STATE_CHANGES} == set(EXPECTED)
    assert {path.stem for path in API_CALLS} == {
        "create-run",
        "list-runs",
        "get-run",
        "stop-run",
        "resume-run",
    }


def test_the_readme_names_every_document() -> None:
    readme = (EVENTS / "README.md").read_text("utf-8")
    assert [path.name for path in EVERY if f"`{path.name}`" not in readme] == []


@pytest.mark.parametrize("path", QUEUED, ids=_name)
def test_a_queued_document_is_a_record_as_sqs_sends_it(path: Path) -> None:
    (record,) = _load(path)["Records"]
    assert set(record) == RECORD
    assert record["md5OfBody"] == hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest()
    assert record["eventSource"] == "aws:sqs"
    assert record["eventSourceARN"].endswith(f":spot-relay-{path.parent.name}")
    assert set(record["attributes"]) == {
        "ApproximateReceiveCount",
        "SentTimestamp",
        "SenderId",
        "ApproximateFirstReceiveTimestamp",
    }
    assert all(isinstance(value, str) for value in record["attributes"].values())


def test_no_two_messages_or_events_share_an_id() -> None:
    messages = [_load(path)["Records"][0]["messageId"] for path in QUEUED]
    events = [_body(path)["id"] for path in QUEUED if path.stem not in {*OURS, "template-due"}]
    assert len({*messages, *events}) == len(messages) + len(events)


@pytest.mark.parametrize("path", STATE_CHANGES, ids=_name)
def test_a_state_change_has_the_envelope_of_eventbridge(path: Path) -> None:
    event = _body(path)
    assert set(event) == ENVELOPE
    assert (event["source"], event["detail-type"]) == ("aws.sagemaker", "SageMaker Training Job State Change")
    assert event["resources"] == [event["detail"]["TrainingJobArn"]]
    assert event["detail"]["TrainingJobArn"].endswith(f":training-job/{event['detail']['TrainingJobName']}")
    last_changed = _moment(event["detail"]["LastModifiedTime"])
    assert 0 <= (datetime.fromisoformat(event["time"]) - last_changed).total_seconds() < 5


@pytest.mark.parametrize("path", STATE_CHANGES, ids=_name)
def test_a_state_change_has_the_documented_fields_and_no_others(path: Path) -> None:
    detail = _body(path)["detail"]
    expected = set(SENT_ALWAYS)
    if any(step["Status"] == "Training" for step in detail["SecondaryStatusTransitions"]):
        expected.add("TrainingStartTime")
    if detail["TrainingJobStatus"] in ENDS:
        expected.add("TrainingEndTime")
    if detail["TrainingJobStatus"] == "Failed":
        expected.add("FailureReason")
        assert 0 < len(detail["FailureReason"]) <= 1024
    assert set(detail) == expected


@pytest.mark.parametrize("path", STATE_CHANGES, ids=_name)
def test_a_state_change_says_what_its_name_says(path: Path) -> None:
    detail = _body(path)["detail"]
    assert (detail["TrainingJobStatus"], detail["SecondaryStatus"]) == EXPECTED[path.stem]


@pytest.mark.parametrize("path", STATE_CHANGES, ids=_name)
def test_the_transitions_of_a_state_change_are_in_order_and_end_in_its_status(path: Path) -> None:
    detail = _body(path)["detail"]
    steps = detail["SecondaryStatusTransitions"]
    assert [set(step) for step in steps[:-1]] == [{"Status", "StartTime", "EndTime", "StatusMessage"}] * (
        len(steps) - 1
    )
    assert [step["EndTime"] for step in steps[:-1]] == [step["StartTime"] for step in steps[1:]]
    assert [_moment(step["StartTime"]) for step in steps] == sorted(_moment(step["StartTime"]) for step in steps)
    assert steps[-1]["Status"] == detail["SecondaryStatus"]
    assert ("EndTime" in steps[-1]) == (detail["TrainingJobStatus"] in ENDS)
    assert steps[0]["StartTime"] == detail["CreationTime"]
    assert steps[-1]["StartTime"] == detail["LastModifiedTime"]


@pytest.mark.parametrize("path", STATE_CHANGES, ids=_name)
def test_a_job_matches_the_rule_and_only_ours_carries_our_tags(path: Path) -> None:
    detail = _body(path)["detail"]
    assert JOB_NAME.fullmatch(detail["TrainingJobName"])
    ours = {tag for tag in detail["Tags"] if tag.startswith("spot-relay:")}
    if path.stem == "foreign-job":
        assert "-relay-" in detail["TrainingJobName"]
        assert ours == set()
        return
    kind = "canary" if path.stem == "canary-training" else "attempt"
    assert detail["TrainingJobName"] == {"attempt": "churn-relay-01", "canary": "churn-canary-01"}[kind]
    assert ours == {"spot-relay:run-id", f"spot-relay:{kind}", "spot-relay:submission"}
    assert detail["Tags"]["spot-relay:run-id"] == "churn"


def test_the_failures_are_the_texts_that_sagemaker_writes() -> None:
    reasons = {
        path.stem: _body(path)["detail"]["FailureReason"] for path in STATE_CHANGES if path.stem.endswith("-error")
    }
    assert reasons["capacity-error"].startswith("CapacityError: Unable to provision requested ML compute capacity.")
    assert reasons["algorithm-error"].startswith("AlgorithmError: ")
    assert reasons["service-error"].startswith("InternalServerError: We encountered an internal error.")


@pytest.mark.parametrize(
    ("name", "folder"),
    {"spec-uploaded": "runs/", "template-uploaded": "templates/", "data-arrived": "incoming/"}.items(),
)
def test_an_uploaded_object_is_told_as_s3_tells_it(name: str, folder: str) -> None:
    event = _body(EVENTS / "submit" / f"{name}.json")
    detail = event["detail"]
    assert set(event) == ENVELOPE
    assert (event["source"], event["detail-type"]) == ("aws.s3", "Object Created")
    assert event["resources"] == [f"arn:aws:s3:::{detail['bucket']['name']}"]
    assert set(detail) == {
        "version",
        "bucket",
        "object",
        "request-id",
        "requester",
        "source-ip-address",
        "reason",
    }
    assert set(detail["object"]) == {"key", "size", "etag", "version-id", "sequencer"}
    assert detail["object"]["key"].startswith(folder)


def test_a_deleted_template_is_told_as_s3_tells_it() -> None:
    event, created = (_body(EVENTS / "submit" / f"template-{how}.json") for how in ("deleted", "uploaded"))
    assert set(event) == ENVELOPE
    assert (event["source"], event["detail-type"]) == ("aws.s3", "Object Deleted")
    assert set(event["detail"]) == {*created["detail"], "deletion-type"}
    assert (event["detail"]["reason"], event["detail"]["deletion-type"]) == ("DeleteObject", "Delete Marker Created")
    assert set(event["detail"]["object"]) == {"key", "etag", "version-id", "sequencer"}
    assert event["detail"]["object"]["key"] == created["detail"]["object"]["key"]


def test_what_a_schedule_sends_says_which_template_is_due_and_when() -> None:
    event = _body(EVENTS / "submit" / "template-due.json")
    assert json.dumps(event) == write_template_due("templates/churn.yaml", "2025-06-04T06:00:00Z")


@pytest.mark.parametrize(("name", "kind"), OURS.items())
def test_a_message_of_our_own_says_which_run_it_is_about(name: str, kind: str) -> None:
    event = _body(EVENTS / "observe" / f"{name}.json")
    assert event == {"source": "spot-relay", "detail-type": kind, "detail": {"run_id": "churn"}}


@pytest.mark.parametrize("name", ["tick/every-minute", "prices/every-week"])
def test_a_time_that_has_come_is_told_as_the_scheduler_tells_it(name: str) -> None:
    event = _load(EVENTS / f"{name}.json")
    assert set(event) == ENVELOPE
    assert (event["source"], event["detail-type"], event["detail"]) == (
        "aws.scheduler",
        "Scheduled Event",
        "{}",
    )


@pytest.mark.parametrize("path", API_CALLS, ids=_name)
def test_an_api_call_is_a_proxy_event_with_the_identity_of_an_iam_caller(path: Path) -> None:
    event = _load(path)
    context = event["requestContext"]
    assert set(event) == {
        "resource",
        "path",
        "httpMethod",
        "headers",
        "multiValueHeaders",
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "pathParameters",
        "stageVariables",
        "requestContext",
        "body",
        "isBase64Encoded",
    }
    assert event["multiValueHeaders"] == {name: [value] for name, value in event["headers"].items()}
    assert context["path"] == f"/{context['stage']}{event['path']}"
    assert (context["httpMethod"], context["resourcePath"]) == (event["httpMethod"], event["resource"])
    assert event["resource"].format(**(event["pathParameters"] or {})) == event["path"]
    assert context["identity"]["userArn"].startswith("arn:aws:sts::000000000000:assumed-role/")
    assert context["identity"]["accessKey"]


def test_the_submitted_training_job_is_a_request_that_sagemaker_takes() -> None:
    spec = json.loads(_load(EVENTS / "api" / "create-run.json")["body"])
    model = botocore.session.get_session().get_service_model("sagemaker")
    shape = model.operation_model("CreateTrainingJob").input_shape
    assert shape is not None
    request = {"TrainingJobName": f"{spec['name']}-relay-01", **spec["training_job"]}
    assert ParamValidator().validate(request, shape).generate_report() == ""


def test_the_canary_sleeps_and_touches_nothing_of_the_runs() -> None:
    job = json.loads(_load(EVENTS / "api" / "create-run.json")["body"])["training_job"]
    detail = _body(EVENTS / "observe" / "canary-training.json")["detail"]
    assert (detail["HyperParameters"], detail["InputDataConfig"]) == ({}, [])
    assert detail["AlgorithmSpecification"]["ContainerEntrypoint"] == ["/bin/sh", "-c"]
    assert (detail["ResourceConfig"], detail["RoleArn"]) == (job["ResourceConfig"], job["RoleArn"])


def test_the_state_changes_are_of_the_job_that_was_submitted() -> None:
    job = json.loads(_load(EVENTS / "api" / "create-run.json")["body"])["training_job"]
    detail = _body(EVENTS / "observe" / "completed.json")["detail"]
    for field in (
        "AlgorithmSpecification",
        "RoleArn",
        "HyperParameters",
        "ResourceConfig",
        "StoppingCondition",
    ):
        assert detail[field] == job[field]
