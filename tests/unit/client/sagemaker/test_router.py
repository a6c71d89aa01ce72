"""Calls that concern runs are answered as SageMaker would; all others are for AWS."""

from __future__ import annotations

from typing import Any

import pytest

from spot_relay_client.errors import InvalidSpecError, StackNotFoundError, UnreachableError
from spot_relay_client.sagemaker.errors import ServiceError
from spot_relay_client.sagemaker.router import ROUTED, Call, Router
from tests.unit.client.sagemaker.documents import ARN, REQUEST, FakeApi, FakeLogs, attempt, run

GROUP = "/aws/sagemaker/TrainingJobs"


def call(operation: str, request: dict[str, Any], call_id: str = "1", aws: Any = None) -> Call:
    return Call(operation, request, call_id, lambda: aws)


def router(api: Any, *, all_jobs: bool = False) -> Router:
    return Router(lambda: api, {}, all_jobs=all_jobs)


def unfound() -> Any:
    raise StackNotFoundError("no stack")


def test_a_managed_spot_training_job_becomes_a_run_with_an_arn_of_its_own_name() -> None:
    api = FakeApi()
    answer = router(api).answer(call("CreateTrainingJob", REQUEST))
    assert answer == {"TrainingJobArn": f"{ARN}churn"}
    assert list(api.runs) == ["churn"]


def test_an_on_demand_job_goes_to_aws_without_a_look_for_the_stack_unless_all_are_wanted() -> None:
    on_demand = REQUEST | {"EnableManagedSpotTraining": False}
    assert Router(unfound, {}, all_jobs=False).answer(call("CreateTrainingJob", on_demand)) is None
    with pytest.raises(StackNotFoundError):
        Router(unfound, {}, all_jobs=True).answer(call("CreateTrainingJob", on_demand))


def test_a_script_that_runs_again_is_refused_its_name_although_its_request_is_the_same() -> None:
    api = FakeApi()
    router(api).answer(call("CreateTrainingJob", REQUEST, "last week"))
    with pytest.raises(ServiceError, match="already exists") as refused:
        router(api).answer(call("CreateTrainingJob", REQUEST, "today"))
    assert refused.value.code == "ResourceInUse"


def test_a_call_that_is_repeated_finds_the_run_that_it_has_made() -> None:
    api = FakeApi()
    first = router(api).answer(call("CreateTrainingJob", REQUEST))
    assert router(api).answer(call("CreateTrainingJob", REQUEST)) == first


def test_a_call_whose_answer_is_lost_asks_for_its_run_by_name() -> None:
    api = FakeApi()
    api.loses_answers = True
    assert router(api).answer(call("CreateTrainingJob", REQUEST)) == {"TrainingJobArn": f"{ARN}churn"}


def test_the_run_of_another_call_is_not_taken_for_one_whose_answer_is_lost() -> None:
    class Down(FakeApi):
        def submit(self, spec: dict[str, Any]) -> dict[str, Any]:
            raise UnreachableError(f"no answer for {spec['name']}")

    for api in (Down(), Down(run("Completed"))):
        with pytest.raises(UnreachableError, match="no answer"):
            router(api).answer(call("CreateTrainingJob", REQUEST))


def test_the_problems_of_a_request_are_those_of_the_api() -> None:
    class Strict(FakeApi):
        def submit(self, spec: dict[str, Any]) -> dict[str, Any]:
            details = [{"path": "training_job.RoleArn", "message": "Found a role that is not allowed."}]
            raise InvalidSpecError(400, "InvalidSpec", f"{spec['name']} has 1 problem.", details)

    with pytest.raises(ServiceError, match=r"training_job\.RoleArn: Found a role") as refused:
        router(Strict()).answer(call("CreateTrainingJob", REQUEST))
    assert refused.value.code == "ValidationException"


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("DescribeTrainingJob", {"TrainingJobName": "other"}),
        ("StopTrainingJob", {"TrainingJobName": "other"}),
        ("ListTags", {"ResourceArn": f"{ARN}other"}),
        ("ListTags", {"ResourceArn": "arn:aws:sagemaker:us-east-1:111122223333:model/churn"}),
        ("ListTags", {"ResourceArn": "arn:aws:sagemaker:us-east-1:999999999999:training-job/churn"}),
        ("DescribeLogStreams", {"logGroupName": GROUP, "logStreamNamePrefix": "other/"}),
        ("DescribeLogStreams", {"logGroupName": GROUP, "logStreamNamePrefix": "churn"}),
        ("DescribeLogStreams", {"logGroupName": GROUP}),
        ("DescribeLogStreams", {"logGroupName": "/a/group", "logStreamNamePrefix": "churn/"}),
        ("GetLogEvents", {"logGroupName": GROUP, "logStreamName": "churn-relay-01/algo-1-1700000000"}),
        ("GetLogEvents", {"logGroupName": "/a/group", "logStreamName": "churn/algo-1"}),
    ],
)
def test_what_concerns_no_run_is_for_aws(operation: str, request_: dict[str, Any]) -> None:
    assert router(FakeApi(run("InProgress"))).answer(call(operation, request_)) is None


def test_a_run_can_be_described_and_its_tags_listed() -> None:
    routed = router(FakeApi(run("InProgress")))
    described = routed.answer(call("DescribeTrainingJob", {"TrainingJobName": "churn"}))
    assert described is not None
    assert described["TrainingJobStatus"] == "InProgress"
    assert routed.answer(call("ListTags", {"ResourceArn": f"{ARN}churn"})) == {"Tags": REQUEST["Tags"]}


def test_a_run_can_be_stopped_but_not_after_its_end() -> None:
    api = FakeApi(run("InProgress"), run("Completed", name="done"))
    assert router(api).answer(call("StopTrainingJob", {"TrainingJobName": "churn"})) == {}
    assert api.runs["churn"]["status"] == "Stopping"
    with pytest.raises(ServiceError, match="The request was rejected because") as refused:
        router(api).answer(call("StopTrainingJob", {"TrainingJobName": "done"}))
    assert refused.value.code == "ValidationException"


def test_a_list_has_all_runs_once_and_neither_their_attempts_nor_their_canaries() -> None:
    class SageMaker:
        def list_training_jobs(self, **_: Any) -> dict[str, Any]:
            names = ("churn-relay-01", "b-canary-02", "stranger-relay-01", "plain")
            return {"TrainingJobSummaries": [{"TrainingJobName": name, "CreationTime": 1.0} for name in names]}

    api = FakeApi(run("InProgress"), run("Failed", name="b"), run("Completed", name="C"))
    answer = router(api).answer(call("ListTrainingJobs", {}, aws=SageMaker()))
    assert answer is not None
    jobs = answer["TrainingJobSummaries"]
    assert [job["TrainingJobName"] for job in jobs] == ["stranger-relay-01", "plain", "C", "b", "churn"]
    assert jobs[2]["TrainingJobArn"] == f"{ARN}c"


def test_without_runs_a_list_is_for_aws() -> None:
    assert router(FakeApi()).answer(call("ListTrainingJobs", {})) is None


def test_the_streams_and_the_lines_of_a_run_are_those_of_its_attempts() -> None:
    api, logs = FakeApi(run("InProgress", attempt(1))), FakeLogs(churn_relay_01__algo_1_1000=["1"])
    request = {"logGroupName": GROUP, "logStreamNamePrefix": "churn/"}
    answer = router(api).answer(call("DescribeLogStreams", request, aws=logs))
    assert answer is not None
    name = answer["logStreams"][0]["logStreamName"]
    group = f"arn:aws:logs:us-east-1:111122223333:log-group:{GROUP}"
    request = {"logGroupIdentifier": group, "logStreamName": name}
    lines = router(api).answer(call("GetLogEvents", request, aws=logs))
    assert lines is not None
    assert [event["message"] for event in lines["events"]] == ["1"]


def test_every_routed_operation_is_known() -> None:
    known = router(FakeApi())._operations
    assert sorted(known) == sorted(name for operations in ROUTED.values() for name in operations)
