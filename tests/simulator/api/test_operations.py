"""The API through real clients: every operation, and every error with its message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.simulator.api.answers import check_against_model, refused
from tests.simulator.processes import QUICK, Running, request

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

ACCOUNT = "arn:aws:sagemaker:us-east-1:000000000000:training-job"
NO_WAIT = {"MaxRuntimeInSeconds": 60}


def test_the_description_of_a_job_conforms_to_the_model(running: Running, sagemaker: SageMakerClient) -> None:
    running.rules({"name": "api-whole", "train_seconds": 0.1, "phases": QUICK})
    given = request(
        "api-whole",
        HyperParameters={"eta": "0.1"},
        Environment={"A": "b"},
        CheckpointConfig={"S3Uri": "s3://bucket/whole/"},
        RetryStrategy={"MaximumRetryAttempts": 3},
        Tags=[{"Key": "k", "Value": "v"}],
    )

    created = sagemaker.create_training_job(**given)
    job = running.ended("api-whole")

    assert created["TrainingJobArn"] == f"{ACCOUNT}/api-whole"
    check_against_model("CreateTrainingJob", created)
    check_against_model("DescribeTrainingJob", job)
    kept = {key: value for key, value in given.items() if key not in ("Tags", "OutputDataConfig")}
    assert {key: job.get(key) for key in kept} == kept
    assert job["OutputDataConfig"] == {"KmsKeyId": "", **given["OutputDataConfig"]}
    assert "Tags" not in job
    assert job["TrainingJobStatus"] == "Completed"
    assert job["ModelArtifacts"]["S3ModelArtifacts"] == "s3://bucket/output/api-whole/output/model.tar.gz"
    assert job["BillableTimeInSeconds"] <= job["TrainingTimeInSeconds"]
    assert job["CreationTime"] <= job["TrainingStartTime"] <= job["TrainingEndTime"]
    assert [step["Status"] for step in job["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]


def test_a_job_has_no_model_artifacts_before_it_has_a_model(running: Running, sagemaker: SageMakerClient) -> None:
    running.rules({"name": "api-model-*", "train_seconds": 60, "phases": QUICK})
    output = {"KmsKeyId": "alias/mine", "S3OutputPath": "s3://bucket/output"}
    sagemaker.create_training_job(**request("api-model-1", OutputDataConfig=output))

    training = running.described("api-model-1", when=lambda job: job["SecondaryStatus"] == "Training")
    sagemaker.stop_training_job(TrainingJobName="api-model-1")

    assert "ModelArtifacts" not in training
    assert "ModelArtifacts" not in running.ended("api-model-1")
    assert training["OutputDataConfig"] == output


def test_an_interrupted_job_trains_again(running: Running, sagemaker: SageMakerClient) -> None:
    interruption = {"after_training_seconds": 0.1, "capacity_returns_after": 0.1}
    running.rules(
        {
            "name": "api-again",
            "train_seconds": 0.2,
            "phases": QUICK,
            "capacity": {"interruptions": [interruption]},
        }
    )
    sagemaker.create_training_job(**request("api-again"))

    job = running.ended("api-again")

    statuses = [step["Status"] for step in job["SecondaryStatusTransitions"]]
    assert statuses.count("Interrupted") == 1
    assert statuses.count("Training") == 2
    assert job["TrainingJobStatus"] == "Completed"


def test_a_job_whose_wait_expires_is_stopped(running: Running, sagemaker: SageMakerClient) -> None:
    running.rules({"name": "api-never", "capacity": {"after": None}})
    condition = {"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 1}
    sagemaker.create_training_job(**request("api-never", StoppingCondition=condition))

    job = running.ended("api-never")

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    assert not {"TrainingTimeInSeconds", "BillableTimeInSeconds", "TrainingStartTime"} & set(job)
    assert "FailureReason" not in job


def test_a_job_that_exceeds_its_max_runtime_is_stopped(running: Running, sagemaker: SageMakerClient) -> None:
    running.rules({"name": "api-long", "train_seconds": 60})
    condition = {"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 50}
    sagemaker.create_training_job(**request("api-long", StoppingCondition=condition))

    job = running.ended("api-long")

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")


def test_the_description_of_a_failed_job_has_its_failure_reason(running: Running, sagemaker: SageMakerClient) -> None:
    reason = "InternalServerError: We encountered an internal error.  Please try again."
    running.rules({"name": "api-fails", "phases": QUICK, "fail": {"reason": reason}})
    sagemaker.create_training_job(**request("api-fails"))

    job = running.ended("api-fails")

    assert (job["TrainingJobStatus"], job["FailureReason"]) == ("Failed", reason)


def test_an_on_demand_job_is_billed_for_all_its_time(running: Running, sagemaker: SageMakerClient) -> None:
    running.rules({"name": "api-demand", "train_seconds": 0.1, "capacity": {"after": None}})
    sagemaker.create_training_job(**request("api-demand", EnableManagedSpotTraining=None, StoppingCondition=NO_WAIT))

    job = running.ended("api-demand")

    assert job["TrainingJobStatus"] == "Completed"
    assert job["EnableManagedSpotTraining"] is False
    assert job["BillableTimeInSeconds"] == job["TrainingTimeInSeconds"]


def test_a_job_that_has_ended_cannot_be_stopped(running: Running, sagemaker: SageMakerClient) -> None:
    running.rules({"name": "api-stop", "train_seconds": 60, "phases": {"stopping": 0.1}})
    sagemaker.create_training_job(**request("api-stop"))
    sagemaker.stop_training_job(TrainingJobName="api-stop")
    stopping = sagemaker.describe_training_job(TrainingJobName="api-stop")
    assert (stopping["TrainingJobStatus"], stopping["SecondaryStatus"]) == ("Stopping", "Stopping")

    job = running.ended("api-stop")

    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert refused(lambda: sagemaker.stop_training_job(TrainingJobName="api-stop")) == (
        "ValidationException",
        "The request was rejected because the training job is in status Stopped",
    )


def test_a_job_name_can_be_used_only_once(sagemaker: SageMakerClient) -> None:
    sagemaker.create_training_job(**request("api-twice"))

    code, message = refused(lambda: sagemaker.create_training_job(**request("api-twice")))

    assert code == "ResourceInUse"
    assert f"{ACCOUNT}/api-twice" in message
    sagemaker.stop_training_job(TrainingJobName="api-twice")


def test_a_job_name_in_another_case_is_taken_and_its_arn_is_in_lower_case(sagemaker: SageMakerClient) -> None:
    tags = [{"Key": "team", "Value": "growth"}]
    arn = sagemaker.create_training_job(**request("Api-Case", Tags=tags))["TrainingJobArn"]

    assert arn.endswith("/api-case")
    assert sagemaker.describe_training_job(TrainingJobName="Api-Case")["TrainingJobArn"] == arn
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == tags
    assert refused(lambda: sagemaker.create_training_job(**request("api-case")))[0] == "ResourceInUse"
    sagemaker.stop_training_job(TrainingJobName="Api-Case")


def test_unknown_jobs_are_not_found(sagemaker: SageMakerClient) -> None:
    not_found = ("ValidationException", "Requested resource not found.")

    assert refused(lambda: sagemaker.describe_training_job(TrainingJobName="none")) == not_found
    assert refused(lambda: sagemaker.stop_training_job(TrainingJobName="none")) == not_found
    assert refused(lambda: sagemaker.list_tags(ResourceArn=f"{ACCOUNT}/none")) == not_found
    assert refused(lambda: sagemaker.add_tags(ResourceArn=f"{ACCOUNT}/none", Tags=[])) == not_found


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"StoppingCondition": NO_WAIT}, "Invalid MaxWaitTimeInSeconds"),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59}},
            "greater than or equal to MaxRuntimeInSeconds",
        ),
        (
            {"EnableManagedSpotTraining": False},
            "It is only supported when EnableManagedSpotTraining is set to true",
        ),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 9_999_999}}, "Invalid MaxRuntimeInSeconds"),
        ({"StoppingCondition": None}, "StoppingCondition is required"),
        ({"RoleArn": "arn:aws:iam::1:role/too-short-an-account"}, "at 'roleArn' failed to satisfy"),
        ({"TrainingJobName": "no_underscores"}, "regular expression pattern"),
        ({"TrainingJobName": "x" * 64}, "length less than or equal to 63"),
        (
            {"ResourceConfig": {"InstanceType": "ml.x9.huge", "InstanceCount": 1, "VolumeSizeInGB": 1}},
            "at 'resourceConfig.instanceType' failed to satisfy constraint: Member must satisfy enum",
        ),
        (
            {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 0, "VolumeSizeInGB": 1}},
            "InstanceCount",
        ),
        (
            {
                "ResourceConfig": {
                    "InstanceType": "ml.m5.large",
                    "InstanceCount": 1,
                    "VolumeSizeInGB": 1,
                    "KeepAlivePeriodInSeconds": 60,
                }
            },
            "KeepAlivePeriodInSeconds is not supported",
        ),
        ({"RetryStrategy": {"MaximumRetryAttempts": 31}}, "value less than or equal to 30"),
        ({"HyperParameters": {f"h{n}": "1" for n in range(101)}}, "length less than or equal to 100"),
        ({"Tags": [{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}]}, "Duplicate tag keys"),
        ({"Tags": [{"Key": "aws:x", "Value": "1"}]}, "reserved"),
        ({"Tags": [{"Key": "a?b", "Value": "1"}]}, "at 'tags.1.member.key'"),
        ({"AlgorithmSpecification": {"TrainingInputMode": "File"}}, "Exactly one of TrainingImage"),
    ],
)
def test_a_request_that_breaks_a_rule_is_refused(
    sagemaker: SageMakerClient, changes: dict[str, Any], said: str
) -> None:
    code, message = refused(lambda: sagemaker.create_training_job(**request("api-wrong", **changes)))

    assert code == "ValidationException"
    assert said in message


def test_tags_are_added_and_listed(sagemaker: SageMakerClient) -> None:
    arn = sagemaker.create_training_job(**request("api-tags", Tags=[{"Key": "a", "Value": "1"}]))["TrainingJobArn"]

    added = sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "ключ/é", "Value": ""}])
    listed = sagemaker.list_tags(ResourceArn=arn)

    assert added["Tags"] == listed["Tags"] == [{"Key": "a", "Value": "2"}, {"Key": "ключ/é", "Value": ""}]
    check_against_model("ListTags", listed)
    many = [{"Key": f"k{n}", "Value": ""} for n in range(49)]
    assert refused(lambda: sagemaker.add_tags(ResourceArn=arn, Tags=many))[0] == "ValidationException"  # type: ignore[arg-type]
    sagemaker.stop_training_job(TrainingJobName="api-tags")


def test_a_full_quota_is_reported_with_the_message_of_the_service(running: Running, sagemaker: SageMakerClient) -> None:
    kind = "ml.g5.2xlarge"
    resources = {"InstanceType": kind, "InstanceCount": 1, "VolumeSizeInGB": 1}
    running.rules(
        {"name": "api-quota-*", "train_seconds": 60, "phases": QUICK},
        quotas=[{"instance_type": kind, "market": "spot", "limit": 1}],
    )
    sagemaker.create_training_job(**request("api-quota-1", ResourceConfig=resources))

    code, message = refused(lambda: sagemaker.create_training_job(**request("api-quota-2", ResourceConfig=resources)))

    assert code == "ResourceLimitExceeded"
    assert (
        "service limit 'ml.g5.2xlarge for spot training job usage' is 1 Instances, with current utilization "
        "of 1 Instances and a request delta of 1 Instances" in message
    )
    # On-demand has a quota of its own, and a stopped job frees its instances.
    sagemaker.create_training_job(
        **request(
            "api-quota-3",
            ResourceConfig=resources,
            EnableManagedSpotTraining=None,
            StoppingCondition=NO_WAIT,
        )
    )
    sagemaker.stop_training_job(TrainingJobName="api-quota-1")
    running.ended("api-quota-1")
    sagemaker.create_training_job(**request("api-quota-2", ResourceConfig=resources))


def test_a_scripted_error_is_returned_as_often_as_the_script_says(running: Running, sagemaker: SageMakerClient) -> None:
    throttled = {"code": "ThrottlingException", "message": "Rate exceeded", "times": 2}
    running.rules(
        {
            "name": "api-errors",
            "errors": [
                {"operation": "CreateTrainingJob", **throttled},
                {"operation": "DescribeTrainingJob", "code": "InternalFailure", "http_status": 500},
            ],
        }
    )

    def create() -> Any:
        return sagemaker.create_training_job(**request("api-errors"))

    assert [refused(create), refused(create)] == [("ThrottlingException", "Rate exceeded")] * 2
    create()
    assert refused(lambda: sagemaker.describe_training_job(TrainingJobName="api-errors"))[0] == "InternalFailure"
    sagemaker.describe_training_job(TrainingJobName="api-errors")
    assert [entry["outcome"] for entry in running.log("api-errors", "call")] == [
        "ThrottlingException",
        "ThrottlingException",
        "ok",
        "InternalFailure",
        "ok",
    ]


def test_an_answer_can_be_lost_after_the_call_took_effect(running: Running, sagemaker: SageMakerClient) -> None:
    lost = {"operation": "CreateTrainingJob", "code": "InternalFailure", "takes_effect": True}
    running.rules({"name": "api-lost", "errors": [lost]})

    assert refused(lambda: sagemaker.create_training_job(**request("api-lost")))[0] == "InternalFailure"
    assert refused(lambda: sagemaker.create_training_job(**request("api-lost")))[0] == "ResourceInUse"


def test_the_error_for_an_unknown_operation_lists_the_known_ones(sagemaker: SageMakerClient) -> None:
    code, message = refused(lambda: sagemaker.list_models())

    assert code == "UnknownOperationException"
    assert "'ListModels'" in message
    assert "CreateTrainingJob" in message


def test_a_body_that_is_not_a_json_object_is_refused(running: Running) -> None:
    for body in (b"{", b"[]"):
        answer = httpx.post(running.address, content=body, headers={"X-Amz-Target": "SageMaker.DescribeTrainingJob"})
        assert (answer.status_code, answer.json()["__type"]) == (400, "SerializationException")


def test_jobs_are_listed_by_page_filter_and_order(running: Running, sagemaker: SageMakerClient) -> None:
    running.rules({"name": "api-list-*", "train_seconds": 60})
    before = datetime.now(UTC) - timedelta(seconds=2)
    names = [f"api-list-{number}" for number in range(5)]
    for name in names:
        sagemaker.create_training_job(**request(name))
    sagemaker.stop_training_job(TrainingJobName=names[2])
    running.ended(names[2])

    def listed(**filters: Any) -> list[str]:
        pages = sagemaker.get_paginator("list_training_jobs").paginate(
            NameContains="API-list", PaginationConfig={"PageSize": 2}, **filters
        )
        found = []
        for page in pages:
            check_against_model("ListTrainingJobs", page)
            found += [summary["TrainingJobName"] for summary in page["TrainingJobSummaries"]]
        return found

    assert listed() == names
    assert listed(SortOrder="Descending") == names[::-1]
    assert listed(SortBy="Name", SortOrder="Ascending") == names
    assert listed(SortBy="Status", SortOrder="Descending")[0] == names[2]
    assert listed(StatusEquals="Stopped") == [names[2]]
    assert listed(CreationTimeAfter=before, SortOrder="Ascending") == names
    assert listed(CreationTimeBefore=before) == []
    assert listed(LastModifiedTimeAfter=datetime.now(UTC) + timedelta(hours=1)) == []
    assert listed(WarmPoolStatusEquals="Available") == []


def test_a_forged_next_token_is_refused(sagemaker: SageMakerClient) -> None:
    assert refused(lambda: sagemaker.list_training_jobs(NextToken="forged"))[0] == "ValidationException"


def test_the_audit_log_shows_how_many_jobs_were_live_at_each_moment(
    running: Running, sagemaker: SageMakerClient
) -> None:
    running.rules({"name": "api-log-*", "train_seconds": 0.1, "phases": QUICK})
    for name in ("api-log-relay-01", "api-log-relay-02"):
        sagemaker.create_training_job(**request(name))
        running.ended(name)

    alive: set[str] = set()
    most = 0
    for entry in running.log("api-log-relay-*", "transition"):
        (alive.add if entry["live"] else alive.discard)(entry["job_name"])
        most = max(most, len(alive))

    assert (most, alive) == (1, set())


def test_the_admin_api_reports_health_and_refuses_invalid_requests(running: Running) -> None:
    admin = f"{running.address}/_simulator"

    assert httpx.get(f"{admin}/health").json() == {"status": "ok"}
    assert httpx.get(f"{admin}/nothing").status_code == 404
    wrong = httpx.post(f"{admin}/rules", content="rules: [{name: 1}]")
    assert (wrong.status_code, wrong.json()["code"]) == (400, "InvalidScenario")
    assert "rules[0].name" in wrong.json()["message"]
    assert httpx.post(f"{admin}/rules", json={"default": {}}).status_code == 400
    assert httpx.get(f"{admin}/log", params={"after": "x"}).status_code == 400
