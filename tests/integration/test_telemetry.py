"""What the functions print: metrics in CloudWatch's embedded format, log lines that name their run, and no secrets."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.sagemaker.job import Market
from spot_relay.service import Service
from tests.integration.printed import LONG, SECRETS, a_life, known_metrics, printed
from tests.integration.stack import body_of, document, messages, spec

if TYPE_CHECKING:
    from tests.integration.stack import Stack


def values(lines: list[dict[str, Any]]) -> dict[str, float]:
    """Add up the values of each metric."""
    totals: dict[str, float] = {}
    for line in lines:
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
            totals[metric["Name"]] = totals.get(metric["Name"], 0) + sum(line[metric["Name"]])
    return totals


TOTAL, BY_PLACEMENT = {"service"}, {"service", "market", "instance_type"}


@pytest.mark.parametrize(
    ("by_placement", "published"), [("", [TOTAL]), ("false", [TOTAL]), ("true", [TOTAL, BY_PLACEMENT])]
)
def test_a_life_is_measured_in_the_namespace_for_the_stack_and_by_placement_only_if_that_is_asked_for(
    stack: Stack,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    by_placement: str,
    published: list[set[str]],
) -> None:
    monkeypatch.setenv("METRICS_BY_PLACEMENT", by_placement)
    a_life(stack)
    metrics, _ = printed(capsys)
    assert metrics
    for line in metrics:
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "SpotRelay"
        assert [set(dimensions) for dimensions in directive["Dimensions"]] == published
        assert (line["service"], line["market"], line["instance_type"]) == ("spot-relay", "spot", "ml.m5.xlarge")
        assert {metric["Name"] for metric in directive["Metrics"]} <= known_metrics()
        for metric in directive["Metrics"]:
            unit = {"Seconds": "Seconds", "Percent": "Percent"}.get(re.findall("[A-Z][a-z]+", metric["Name"])[-1])
            assert metric["Unit"] == (unit or "Count")


def test_a_life_is_measured_with_what_the_status_document_says(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    a_life(stack)
    totals, status = values(printed(capsys)[0]), stack.status()
    assert status["status"] == "Completed"
    assert 0 <= totals.pop("EventToRelaunchSeconds") < 60
    assert totals == {
        "AttemptsLaunched": 2,
        "RelaunchesAfterMaxWaitTimeExceeded": 1,
        "Interruptions": 1,
        "WaitsExpired": 1,
        "LateOrDuplicateEvents": 1,
        "RunsCompleted": 1,
        "TrainingSeconds": status["training_seconds"],
        "BillableSeconds": status["billable_seconds"],
        "CapacityWaitSeconds": status["waited_seconds"],
        "SavingsPercent": status["savings_percent"],
    }


def test_a_switch_is_measured_in_the_market_of_each_attempt(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    rules = [{"market": "spot", "capacity": {"after": None}}, {"market": "on-demand", "train_seconds": 100}]
    stack.aws.simulator.play(rules=rules)
    stack.call("create-run", spec() | {"policy": {"deadline": "PT70M", "expected_runtime": "PT30M"}})
    for _ in range(12):
        stack.clock.passes(150)
        stack.tick()
    assert stack.status()["status"] == "Completed"
    lines, _ = printed(capsys)
    spot, on_demand = (values([line for line in lines if line["market"] == market]) for market in Market)
    assert spot == {"AttemptsLaunched": 1, "CapacityWaitSeconds": stack.status()["attempts"][0]["waited_seconds"]}
    assert 0 <= on_demand.pop("EventToRelaunchSeconds") < 300
    training = {"TrainingSeconds": 100, "BillableSeconds": 100, "CapacityWaitSeconds": 0}
    once = {"AttemptsLaunched": 1, "RelaunchesAfterSafetyNet": 1, "RunsCompleted": 1}
    assert on_demand == once | training | {"SavingsPercent": 0}


def test_every_line_about_a_run_names_it_and_its_job(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    a_life(stack)
    _, logs = printed(capsys)
    about = [line for line in logs if line["message"] != "due runs are queued"]
    assert about
    assert {line["run_id"] for line in about} == {"churn"}
    assert {line["job_name"] for line in about} == {"churn-relay-01", "churn-relay-02"}
    assert all(line["service"] == "spot-relay" and line["function_request_id"] for line in logs)
    assert "churn-relay-02 completed the training." in {line["message"] for line in logs}


def poison() -> list[str]:
    """Messages that hold the secrets and that no function can read."""
    event = body_of("observe/completed")
    event["detail"] |= SECRETS
    nameless = event | {"detail": {key: value for key, value in event["detail"].items() if key != "TrainingJobName"}}
    broken = json.dumps(event)[:-1]
    return [json.dumps(nameless), broken, json.dumps(event | {"detail-type": "another"})]


def test_no_value_of_hyperparameters_or_environment_is_ever_printed_or_shown(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    a_life(stack)
    stack.invoke("observe", messages(*poison()))
    stack.invoke("submit", messages(*poison()))
    stack.invoke("submit", stack.upload(json.dumps(spec(**SECRETS, RoleArn=5)), "runs/bad.json"))
    stack.invoke("submit", stack.upload(json.dumps(spec(**SECRETS))[:-2], "runs/broken.json"))
    wrong = {"HyperParameters": {"api_key": ["sesame-hyper"]}, "Environment": {"DB": {"x": "sesame-environment"}}}
    stack.invoke("submit", stack.upload(json.dumps(spec(**wrong)), "runs/wrong.json"))
    shown = [json.dumps(stack.object(key)) for prefix in ("errors/", "status/") for key in stack.keys(prefix)]
    calls = ("create-run", "get-run", "list-runs", "stop-run", "resume-run")
    shown += [json.dumps(stack.call(name)[1]) for name in calls]
    shown += [json.dumps(stack.call("create-run", spec(**wrong))[1])]
    stack.invoke("api", document("api/get-run") | {"path": "/nowhere", "body": "sesame-hyper"})
    described = stack.client("sagemaker").describe_training_job(TrainingJobName="churn-relay-02")
    assert {"HyperParameters": described["HyperParameters"], "Environment": described["Environment"]} == SECRETS
    assert stack.keys("errors/") == [f"errors/runs/{name}.json.json" for name in ("bad", "broken", "wrong")]
    assert "sesame" not in capsys.readouterr().out + "".join(shown)


def test_a_message_that_fails_is_logged_with_its_id(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.invoke("observe", messages("not JSON"))
    (line,) = printed(capsys)[1]
    assert (line["level"], line["message_id"]) == ("ERROR", "0")
    assert "not JSON" in line["exception"]


def test_a_message_that_fails_is_logged_with_its_run_and_the_next_one_without(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    stack.submit()
    printed(capsys)
    monkeypatch.setattr(Service, "advance", fail)
    stack.invoke("observe", messages(json.dumps(body_of("observe/max-wait-expired")), "not JSON"))
    failed, unreadable = (line for line in printed(capsys)[1] if line["level"] == "ERROR")
    assert failed["run_id"] == "churn"
    assert "ZeroDivisionError" in failed["exception"]
    assert "run_id" not in unreadable


def test_every_line_about_a_request_tells_whose_it_was(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.aws.simulator.play(default=LONG)
    context = document("api/stop-run")["requestContext"]
    maria = context["identity"]["userArn"]
    ana = maria.replace("maria", "ana")
    stack.call("create-run")
    stack.call("stop-run", requestContext=context | {"identity": context["identity"] | {"userArn": ana}})
    stack.call("create-run", "{")
    _, lines = printed(capsys)
    told = [(line.get("observation") or line["message"], line["caller"]) for line in lines]
    assert told == [
        ("Submitted", maria),
        ("Launched", maria),
        ("StopRequested", ana),
        ("the request is refused", maria),
    ]
