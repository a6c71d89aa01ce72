"""`install` on a session of boto3: what it leaves alone, and what happens without a stack. The rest is in tests/e2e."""

from __future__ import annotations

import asyncio
import json
import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from simulator import SageMaker
from spot_relay_client import install
from spot_relay_client.errors import StackNotFoundError
from spot_relay_client.sagemaker import hooks
from spot_relay_client.sagemaker.policies import InvalidPolicyError
from spot_relay_client.sagemaker.router import Router
from tests.unit.client.sagemaker.documents import ARN, REQUEST, FakeApi

if TYPE_CHECKING:
    from collections.abc import Iterator

ROLE = {"RoleArn": "arn:aws:iam::000000000000:role/training"}
SPOT = REQUEST | ROLE
ON_DEMAND = SPOT | {"EnableManagedSpotTraining": False, "StoppingCondition": {"MaxRuntimeInSeconds": 60}}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[SageMaker]:
    """SageMaker is there, but no stack: nothing else answers."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with SageMaker() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


def client(session: boto3.Session) -> Any:
    return session.client("sagemaker", config=Config(retries={"total_max_attempts": 1}))


def calls(aws: SageMaker) -> list[str]:
    return [entry["operation"] for entry in aws.log(kind="call")]


def test_without_a_stack_a_spot_job_fails_and_is_not_sent_to_sagemaker(aws: SageMaker) -> None:
    sagemaker = client(install(boto3.Session()))
    with pytest.raises(StackNotFoundError, match="spot-relay was not found"):
        sagemaker.create_training_job(**SPOT)
    with pytest.raises(StackNotFoundError):
        sagemaker.describe_training_job(TrainingJobName="churn")
    assert calls(aws) == []


def test_an_on_demand_job_needs_no_stack_unless_all_jobs_are_wanted(aws: SageMaker) -> None:
    client(install(boto3.Session())).create_training_job(**ON_DEMAND)
    assert calls(aws) == ["CreateTrainingJob"]
    with pytest.raises(StackNotFoundError):
        client(install(boto3.Session(), all=True)).create_training_job(**ON_DEMAND | {"TrainingJobName": "other"})
    assert calls(aws) == ["CreateTrainingJob"]


def test_other_sessions_and_other_operations_are_left_alone(aws: SageMaker) -> None:
    installed = client(install(boto3.Session()))
    installed.add_tags(
        ResourceArn=client(boto3.Session()).create_training_job(**SPOT)["TrainingJobArn"],
        Tags=[{"Key": "a", "Value": "b"}],
    )
    assert calls(aws) == ["CreateTrainingJob", "AddTags"]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """The API of a stack in every region."""
    found = FakeApi()

    class OneStack:
        def __init__(self, _session: Any, _stack: Any, policy: dict[str, Any], *, all_jobs: bool) -> None:
            self.router = Router(lambda: found, policy, all_jobs=all_jobs)

        def of(self, _region: str) -> Router:
            return self.router

    monkeypatch.setattr(hooks, "Routers", OneStack)
    return found


def test_answers_are_those_of_a_client_with_times_and_errors_of_its_own(aws: SageMaker, api: FakeApi) -> None:
    sagemaker = client(install(boto3.Session()))
    answer = sagemaker.create_training_job(**SPOT)
    assert answer["TrainingJobArn"] == f"{ARN}churn"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    described = sagemaker.describe_training_job(TrainingJobName="churn")
    assert described["CreationTime"].isoformat() == "2026-11-01T10:00:00+00:00"
    assert sagemaker.stop_training_job(TrainingJobName="churn")["ResponseMetadata"]["HTTPStatusCode"] == 200
    with pytest.raises(sagemaker.exceptions.ResourceInUse):
        sagemaker.create_training_job(**SPOT)
    assert calls(aws) == []


def test_a_session_of_aiobotocore_awaits_its_answers(aws: SageMaker, api: FakeApi) -> None:
    handlers: dict[str, Any] = {}
    session = SimpleNamespace(
        register=lambda event, handler, unique_id: handlers.update({event: handler}),  # noqa: ARG005 (its name counts)
        unregister=lambda event, unique_id: None,  # noqa: ARG005
    )
    beside = boto3.Session()
    assert hooks.install_async(session, beside) is session
    for operation, request in (("CreateTrainingJob", SPOT), ("DescribeTrainingJob", {"TrainingJobName": "churn"})):
        params = {"body": json.dumps(request), "url": "https://api.sagemaker.us-east-1.amazonaws.com/"}
        model = client(beside).meta.service_model.operation_model(operation)
        event = {"model": model, "params": params, "context": {"client_region": "us-east-1"}}
        response, parsed = asyncio.run(handlers[f"before-call.sagemaker.{operation}"](**event))
        assert (response.status_code, parsed["TrainingJobArn"]) == (200, f"{ARN}churn")
    assert calls(aws) == []


def test_a_list_has_runs_and_other_jobs(aws: SageMaker, api: FakeApi) -> None:
    session = install(boto3.Session())
    client(session).create_training_job(**SPOT)
    client(session).create_training_job(**ON_DEMAND | {"TrainingJobName": "plain"})
    jobs = client(session).list_training_jobs(SortBy="Name")["TrainingJobSummaries"]
    assert [job["TrainingJobName"] for job in jobs] == ["churn", "plain"]
    assert calls(aws) == ["CreateTrainingJob", "ListTrainingJobs"]


def test_installing_again_replaces_the_policy(aws: SageMaker, api: FakeApi) -> None:
    session = install(install(boto3.Session(), policy={"deadline": "P1D"}), policy={"deadline": "P2D"})
    client(session).create_training_job(**SPOT)
    assert api.specs["churn"]["policy"] == {"deadline": "P2D"}


def test_a_policy_that_cannot_be_read_is_refused_at_once() -> None:
    with pytest.raises(InvalidPolicyError):
        install(boto3.Session(), policy="/nonexistent.yaml")


def test_the_one_client_for_logs_of_sdk_v3_becomes_one_of_the_session(
    aws: SageMaker, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CloudWatchLogsClient:
        client: Any = None
        one = SimpleNamespace(client="of another session")

        def __new__(cls) -> Any:
            return cls.one

    module = ModuleType("sagemaker.core.utils.logs")
    vars(module)["CloudWatchLogsClient"] = CloudWatchLogsClient
    monkeypatch.setitem(sys.modules, module.__name__, module)
    client(install(boto3.Session())).create_training_job(**SPOT)
    assert CloudWatchLogsClient.client is CloudWatchLogsClient.one.client
    assert CloudWatchLogsClient.client.meta.service_model.service_name == "logs"
