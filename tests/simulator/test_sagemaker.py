"""The simulator inside a test: a server of the test's own, on a virtual clock or in real time."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from botocore.exceptions import ClientError

from embedded.patience import give_time
from simulator import SageMaker, ScenarioError, VirtualClock
from tests.simulator.processes import QUICK, client, request, wait_for

if TYPE_CHECKING:
    from pathlib import Path

LONG = {"MaxRuntimeInSeconds": 7200, "MaxWaitTimeInSeconds": 7200}
NEVER = {"name": "churn-1", "capacity": {"after": None}}
HOUR = {"default": {"train_seconds": 3600, "phases": QUICK}}


@pytest.fixture(autouse=True)
def no_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the simulator without addresses of other services."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


def status(sagemaker: SageMaker, name: str) -> str:
    described: str = client("sagemaker", sagemaker.url).describe_training_job(TrainingJobName=name)["SecondaryStatus"]
    return described


def test_hours_pass_at_once_on_a_virtual_clock() -> None:
    with SageMaker(HOUR, VirtualClock()) as sagemaker:
        client("sagemaker", sagemaker.url).create_training_job(**request("churn", StoppingCondition=LONG))

        sagemaker.clock.advance(3599)
        assert status(sagemaker, "churn") == "Training"
        sagemaker.clock.advance(1)
        assert status(sagemaker, "churn") == "Completed"


def test_events_arrive_in_order_at_their_virtual_time_in_the_form_of_eventbridge() -> None:
    events: list[dict[str, Any]] = []
    delayed = {"default": {"train_seconds": 60, "phases": QUICK, "events": {"delay_seconds": 30}}}
    with SageMaker(delayed, VirtualClock(), on_event=events.append) as sagemaker:
        arn = client("sagemaker", sagemaker.url).create_training_job(**request("churn"))["TrainingJobArn"]
        sagemaker.clock.advance(29)
        assert events == []
        sagemaker.clock.advance(1)
        assert [event["detail"]["SecondaryStatus"] for event in events] == ["Starting", "Downloading", "Training"]
        sagemaker.clock.advance(60)

    assert [event["detail"]["SecondaryStatus"] for event in events[3:]] == ["Uploading", "Completed"]
    last = events[-1]
    assert (last["source"], last["detail-type"]) == ("aws.sagemaker", "SageMaker Training Job State Change")
    assert (last["resources"], last["region"], last["account"]) == ([arn], "us-east-1", "000000000000")
    assert last["time"] == "2026-01-01T00:01:00Z"


def test_a_call_delivers_the_events_that_are_due_with_it() -> None:
    events: list[dict[str, Any]] = []
    with SageMaker(clock=VirtualClock(), on_event=events.append) as sagemaker:
        client("sagemaker", sagemaker.url).create_training_job(**request("churn"))

    assert [event["detail"]["SecondaryStatus"] for event in events] == ["Starting"]


def test_a_call_whose_answer_is_lost_delivers_its_events_too() -> None:
    events: list[dict[str, Any]] = []
    lost = {"operation": "CreateTrainingJob", "code": "InternalFailure", "takes_effect": True}
    with SageMaker({"default": {"errors": [lost]}}, VirtualClock(), on_event=events.append) as sagemaker:
        with pytest.raises(ClientError, match="InternalFailure"):
            client("sagemaker", sagemaker.url).create_training_job(**request("churn"))

        assert [event["detail"]["SecondaryStatus"] for event in events] == ["Starting"]


def test_a_handler_of_events_may_call_the_api() -> None:
    def relaunch(event: dict[str, Any]) -> None:
        if event["detail"]["TrainingJobStatus"] == "Stopped":
            client("sagemaker", sagemaker.url).create_training_job(**request("churn-2"))

    with SageMaker({"rules": [NEVER]}, VirtualClock(), on_event=relaunch) as sagemaker:
        client("sagemaker", sagemaker.url).create_training_job(**request("churn-1"))
        sagemaker.clock.advance(100)

        assert status(sagemaker, "churn-1") == "MaxWaitTimeExceeded"
        assert status(sagemaker, "churn-2") == "Completed"
        first = next(entry for entry in sagemaker.log(job="churn-2", kind="transition"))
        waited = sagemaker.clock.now() - first["time"]
        assert waited == pytest.approx(39.8, abs=0.001)  # created as soon as its predecessor had stopped


def test_an_error_of_a_handler_reaches_the_test_that_advances_the_clock() -> None:
    def fail(event: dict[str, Any]) -> None:
        if event["detail"]["SecondaryStatus"] == "Completed":
            raise LookupError("no such run")

    with SageMaker(clock=VirtualClock(), on_event=fail) as sagemaker:
        client("sagemaker", sagemaker.url).create_training_job(**request("churn"))
        with pytest.raises(LookupError, match="no such run"):
            sagemaker.clock.advance(60)


def test_in_real_time_jobs_and_events_need_no_clock() -> None:
    events: list[dict[str, Any]] = []
    with SageMaker({"default": {"train_seconds": 0.1, "phases": QUICK}}, on_event=events.append) as sagemaker:
        client("sagemaker", sagemaker.url).create_training_job(**request("churn"))

        wait_for(lambda: events and events[-1]["detail"]["SecondaryStatus"] == "Completed")
        with pytest.raises(RuntimeError, match="real time"):
            _ = sagemaker.clock


def test_in_real_time_an_error_of_a_handler_ends_the_simulator_and_is_raised_by_its_block() -> None:
    def fail(event: dict[str, Any]) -> None:
        raise LookupError("no such run")

    with pytest.raises(RuntimeError, match="failed") as caught, SageMaker(on_event=fail) as sagemaker:  # noqa: PT012
        client("sagemaker", sagemaker.url).create_training_job(**request("churn"))
        sagemaker.wait()

    assert isinstance(caught.value.__cause__, LookupError)


def test_simulated_checkpoints_work_on_a_virtual_clock(s3: Any, aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws)
    interruption = {"after_training_seconds": 650, "capacity_returns_after": 60}
    rule = {"train_seconds": 1000, "checkpoints": {"every_seconds": 100}, "phases": QUICK}
    scenario = {"default": {**rule, "capacity": {"interruptions": [interruption]}}}
    with SageMaker(scenario, VirtualClock()) as sagemaker:
        checkpoints = {"CheckpointConfig": {"S3Uri": "s3://bucket/virtual/"}}
        job = request("churn", StoppingCondition=LONG, **checkpoints)
        client("sagemaker", sagemaker.url).create_training_job(**job)
        sagemaker.clock.advance(650)
        assert status(sagemaker, "churn") == "Interrupted"
        assert s3.list_objects_v2(Bucket="bucket", Prefix="virtual/")["KeyCount"] == 6
        sagemaker.clock.advance(60 + 399)
        assert status(sagemaker, "churn") == "Training"
        sagemaker.clock.advance(1)
        assert status(sagemaker, "churn") == "Completed"


def test_a_scenario_can_be_replaced() -> None:
    with SageMaker(clock=VirtualClock()) as sagemaker:
        sagemaker.play({"default": {"fail": {"reason": "AlgorithmError: x", "phase": "Starting"}}})
        client("sagemaker", sagemaker.url).create_training_job(**request("churn"))

        assert status(sagemaker, "churn") == "Failed"


def test_a_scenario_can_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml").write_text("default: {capacity: {after: null}}")
    with SageMaker(tmp_path / "scenario.yaml", VirtualClock()) as sagemaker:
        client("sagemaker", sagemaker.url).create_training_job(**request("churn"))
        sagemaker.clock.advance(30)

        assert status(sagemaker, "churn") == "Pending"


def test_an_invalid_scenario_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"default\.train_seconds"):
        SageMaker({"default": {"train_seconds": -1}})


def test_images_cannot_run_on_a_virtual_clock(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="real time"):
        SageMaker(clock=VirtualClock(), images=tmp_path)


def test_the_server_listens_on_the_loopback_interface_until_its_block_ends() -> None:
    with SageMaker() as sagemaker:
        assert sagemaker.url == f"http://127.0.0.1:{sagemaker.port}"
        assert httpx.get(f"{sagemaker.url}/_simulator/health").is_success

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", sagemaker.port), timeout=give_time(5))
