"""`submit`, handed uploads: good, bad, repeated, gone."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from spot_relay.domain.run.run import RunStatus
from tests.integration.stack import BUCKET, SPEC, document, messages, spec

if TYPE_CHECKING:
    from tests.integration.stack import Stack

TAKEN: dict[str, Any] = {"batchItemFailures": []}


def bare() -> dict[str, Any]:
    """The spec of the story as a bare CreateTrainingJob request."""
    return {"TrainingJobName": "churn", **copy.deepcopy(SPEC["training_job"])}


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("runs/churn.json", json.dumps(SPEC)),
        ("runs/team a/churn.yaml", yaml.safe_dump(SPEC)),
        ("runs/churn.YML", yaml.safe_dump(bare())),
    ],
)
def test_an_uploaded_spec_becomes_a_run_with_one_job(stack: Stack, key: str, text: str) -> None:
    assert stack.invoke("submit", stack.upload(text, key)) == TAKEN
    run = stack.run()
    assert (run.status, run.current.job_name) == (RunStatus.IN_PROGRESS, "churn-relay-01")
    assert stack.aws.simulator.created() == ["churn-relay-01"]
    assert stack.status()["status"] == "InProgress"
    described = stack.client("sagemaker").describe_training_job(TrainingJobName="churn-relay-01")
    assert described["HyperParameters"] == SPEC["training_job"]["HyperParameters"]
    assert described["EnableManagedSpotTraining"]
    assert stack.keys("errors/") == []


def test_the_same_upload_delivered_twice_is_one_run_with_one_job(stack: Stack) -> None:
    event = stack.upload(json.dumps(SPEC))
    assert stack.invoke("submit", event) == TAKEN
    once = stack.run()
    assert stack.invoke("submit", event) == TAKEN
    assert stack.run() == once
    assert stack.aws.simulator.calls("CreateTrainingJob") == [("churn-relay-01", "ok")]


def test_the_same_spec_in_another_format_is_the_same_run(stack: Stack) -> None:
    stack.submit()
    assert stack.invoke("submit", stack.upload(yaml.safe_dump(SPEC), "runs/again.yaml")) == TAKEN
    assert stack.aws.simulator.created() == ["churn-relay-01"]
    assert stack.keys("errors/") == []


def test_another_spec_of_a_taken_name_is_reported_and_the_run_left_alone(stack: Stack) -> None:
    run = stack.submit()
    event = stack.upload(json.dumps(spec(HyperParameters={"num_round": "1"})), "runs/other.json")
    assert stack.invoke("submit", event) == TAKEN
    (problem,) = stack.object("errors/runs/other.json.json")["errors"]
    assert problem["path"] == "name"
    assert "There is a run churn already" in problem["message"]
    assert stack.run() == run


def test_a_name_that_differs_only_in_case_is_taken(stack: Stack) -> None:
    run = stack.submit()
    event = stack.upload(json.dumps({**SPEC, "name": "Churn"}), "runs/upper.json")
    assert stack.invoke("submit", event) == TAKEN
    (problem,) = stack.object("errors/runs/upper.json.json")["errors"]
    assert problem == {
        "path": "name",
        "message": "There is a run churn already. Churn differs from it only in case, and in SageMaker's ARNs the two "
        "are one name. Use a different name, or churn if you mean that run.",
    }
    assert stack.run() == run
    assert stack.aws.simulator.created() == ["churn-relay-01"]


def test_a_run_with_upper_case_letters_is_advanced_by_an_event_that_has_its_name_in_lower_case(stack: Stack) -> None:
    assert stack.invoke("submit", stack.upload(json.dumps({**SPEC, "name": "Churn"}))) == TAKEN
    assert stack.aws.simulator.created() == ["Churn-relay-01"]
    stack.clock.passes(60)
    stack.observe("completed")
    assert stack.run("Churn").status is RunStatus.COMPLETED
    assert stack.status("Churn")["run_id"] == "Churn"
    assert stack.call("get-run") == (200, stack.status("Churn"))


def test_a_spec_that_is_uploaded_again_after_its_run_has_ended_is_logged_as_such(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.submit()
    stack.clock.passes(60)
    stack.observe("completed")
    ended = stack.run()
    stack.clock.passes(60)
    capsys.readouterr()
    assert stack.invoke("submit", stack.upload(json.dumps(SPEC), "runs/again.json")) == TAKEN
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "submitted before" in line]
    assert (line["level"], line["run_id"], line["key"]) == ("WARNING", "churn", "runs/again.json")
    assert "its run churn has been Completed since 2025-06-03T09:15:00" in line["message"]
    assert stack.run() == ended
    assert stack.aws.simulator.created() == ["churn-relay-01"]


FIELD: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "a tag",
        spec(Tags=[{"Key": "team", "Value": "R&D"}]),
        "training_job.Tags[0].Value",
        "contains &. SageMaker allows",
    ),
    (
        "a hyperparameter of several lines",
        spec(HyperParameters={"config": "a: 1\nb: 2\n"}),
        "training_job.HyperParameters.config",
        "with a line break, but SageMaker allows none here.",
    ),
    (
        "a described job",
        {**bare(), "TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxWaitTimeExceeded"},
        "",
        "This is a response of DescribeTrainingJob, not a request. Keep TrainingJobName,",
    ),
    (
        "a state of Step Functions",
        {"Type": "Task", "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync", "Parameters": bare()},
        "",
        "This is a Step Functions state. The request is at Parameters: submit only that.",
    ),
    (
        "a Terraform resource",
        {"training_job_name": "churn", "role_arn": "arn", "algorithm_specification": {}},
        "",
        "The keys of this request are in snake_case",
    ),
]


@pytest.mark.parametrize(("document", "path", "said"), [case[1:] for case in FIELD], ids=[case[0] for case in FIELD])
def test_what_sagemaker_would_refuse_is_reported_with_one_problem_and_uses_up_no_name(
    stack: Stack, document: dict[str, Any], path: str, said: str
) -> None:
    assert stack.invoke("submit", stack.upload(json.dumps(document))) == TAKEN
    (problem,) = stack.object("errors/runs/churn.json.json")["errors"]
    assert problem["path"] == path
    assert said in problem["message"]
    assert stack.find("churn") is None
    assert stack.aws.simulator.calls("CreateTrainingJob") == []


def test_a_bad_spec_is_reported_with_every_problem_and_not_tried_again(stack: Stack) -> None:
    bad = spec(RoleArn="arn:aws:iam::000000000000:role/admin", EnableManagedSpotTrainig=True)
    bad["training_job"]["StoppingCondition"] = {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 60}
    bad["training_job"]["CheckpointConfig"]["S3Uri"] = "s3://somebody-elses/checkpoints/"
    bad["polic"] = {}
    event = stack.upload(json.dumps(bad))
    assert stack.invoke("submit", event) == TAKEN
    report = stack.object("errors/runs/churn.json.json")
    assert {problem["path"] for problem in report["errors"]} >= {
        "polic",
        "training_job.EnableManagedSpotTrainig",
        "training_job.RoleArn",
        "training_job.StoppingCondition.MaxWaitTimeInSeconds",
        "training_job.CheckpointConfig.S3Uri",
    }
    assert all(problem["message"] for problem in report["errors"])
    assert (report["key"], report["reported_at"]) == ("runs/churn.json", "2025-06-03T09:14:00.000Z")
    assert report["version_id"] in event["Records"][0]["body"]
    assert stack.find("churn") is None
    assert stack.aws.simulator.calls("CreateTrainingJob") == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"name": "' + b"x" * 262_144 + b'"}', "at most 262144 are allowed"),
        (b"\xff\xfe\x00", "not valid UTF-8"),
        (b"[1, 2]", "must be a mapping"),
        (b"{", "not valid JSON"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "32 levels"),
    ],
    ids=["too-large", "not-utf-8", "no-mapping", "broken", "too-deep"],
)
def test_a_document_that_is_no_spec_is_reported(stack: Stack, data: bytes, said: str) -> None:
    assert stack.invoke("submit", stack.upload(data)) == TAKEN
    assert said in json.dumps(stack.object("errors/runs/churn.json.json")["errors"])
    assert stack.aws.simulator.calls("CreateTrainingJob") == []


def test_a_mended_spec_takes_its_report_away(stack: Stack) -> None:
    stack.invoke("submit", stack.upload("{}"))
    assert stack.keys("errors/") == ["errors/runs/churn.json.json"]
    assert stack.invoke("submit", stack.upload(json.dumps(SPEC))) == TAKEN
    assert stack.keys("errors/") == []
    assert stack.aws.simulator.created() == ["churn-relay-01"]


def test_the_upload_of_the_document_is_let_go_when_its_object_is_gone(stack: Stack) -> None:
    assert stack.invoke("submit", document("submit/spec-uploaded")) == TAKEN
    event = stack.upload(json.dumps(SPEC))
    version = json.loads(event["Records"][0]["body"])["detail"]["object"]["version-id"]
    stack.client("s3").delete_object(Bucket=BUCKET, Key="runs/churn.json", VersionId=version)
    assert stack.invoke("submit", event) == TAKEN
    assert stack.find("churn") is None
    assert stack.keys("errors/") == []


@pytest.mark.parametrize("key", ["runs/readme.md", "other/churn.json", "errors/runs/churn.json", "status/churn.json"])
def test_an_object_that_is_no_spec_is_let_go(stack: Stack, key: str) -> None:
    assert stack.invoke("submit", stack.upload(json.dumps(SPEC), key)) == TAKEN
    assert stack.find("churn") is None


def test_each_upload_is_read_in_the_version_that_its_event_names(stack: Stack) -> None:
    first = stack.upload(json.dumps(SPEC))
    stack.upload("{}")
    assert stack.invoke("submit", first) == TAKEN
    assert stack.run().status is RunStatus.IN_PROGRESS


def test_only_the_poison_of_a_batch_goes_back_to_the_queue(stack: Stack) -> None:
    good = stack.upload(json.dumps(SPEC))["Records"][0]["body"]
    bad = stack.upload("{}", "runs/bad.json")["Records"][0]["body"]
    answer = stack.invoke("submit", messages("not valid JSON", good, bad))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert stack.run().status is RunStatus.IN_PROGRESS
    assert stack.keys("errors/") == ["errors/runs/bad.json.json"]


def test_a_launch_that_is_refused_for_now_leaves_an_accepted_run_that_is_tried_again(stack: Stack) -> None:
    quota = {"instance_type": "ml.m5.xlarge", "market": "spot", "limit": 1}
    stack.aws.simulator.play(default={"train_seconds": 90_000}, quotas=[quota])
    busy = bare() | {"TrainingJobName": "somebody-else"}
    stack.client("sagemaker").create_training_job(**busy)
    assert stack.submit().status is RunStatus.PENDING
    assert stack.run().waits_for is not None
    stack.client("sagemaker").stop_training_job(TrainingJobName="somebody-else")
    stack.clock.passes(60)
    assert stack.tick() == 1
    assert stack.run().status is RunStatus.IN_PROGRESS
    assert stack.aws.simulator.created() == ["somebody-else", "churn-relay-01"]


def test_a_job_of_somebody_else_with_the_name_of_the_attempt_fails_the_run_and_is_named(stack: Stack) -> None:
    stack.client("sagemaker").create_training_job(**bare() | {"TrainingJobName": "churn-relay-01"})
    run = stack.submit()
    assert run.status is RunStatus.FAILED
    assert "training-job/churn-relay-01" in run.reason
    assert "another name" in stack.status()["reason"]
