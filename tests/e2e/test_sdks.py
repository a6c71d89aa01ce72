"""Programs of the SageMaker Python SDK, the AWS CLI and Airflow train on Spot Relay: `make sdk-tests`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.policy import Budgets
from tests.e2e.programs import (
    CLIENTS,
    COMMAND,
    EXEC,
    LINES,
    ROOT,
    assert_carried_on,
    finish,
    request_of,
    start,
    trouble,
)
from tests.e2e.relay import CHECKPOINTS, Relay

if TYPE_CHECKING:
    import subprocess

pytestmark = [pytest.mark.sdk, pytest.mark.timeout(400)]
V2 = (str(ROOT / ".venv-sdk-v2" / "bin" / "python"), str(CLIENTS / "sdk_v2.py"))
V3 = (str(ROOT / ".venv-sdk-v3" / "bin" / "python"), str(CLIENTS / "sdk_v3.py"))
COUNTING = ROOT / "tests" / "e2e" / "images" / "counting" / "train.py"
CLI_RUN = "by-the-cli"
AWS = str(ROOT / ".venv-aws-cli" / "bin" / "aws")
V2_RUNS = {
    "v2-generic": ("generic", True),
    "v2-framework": ("framework", True),
    "v2-generic-exec": ("generic", False),
    "v2-framework-exec": ("framework", False),
}
V3_RUNS = {"v3-installed": True, "v3-exec": False}
AIRFLOW = (
    str(ROOT / ".venv-airflow" / "bin" / "python"),
    str(CLIENTS / "airflow_operator.py"),
    str(ROOT / "examples" / "airflow" / "train.py"),
)
POLICY = {"budgets": {"expired_waits": 7}}
FACTORY = {
    "AIRFLOW__AWS__SESSION_FACTORY": "spot_relay_client.airflow.SessionFactory",
    "AIRFLOW_CONN_AWS_DEFAULT": json.dumps({"conn_type": "aws", "extra": {"spot_relay": {"policy": POLICY}}}),
}
# How Airflow comes to Spot Relay, and where its task waits.
AIRFLOW_RUNS = {
    "airflow-factory": ((), FACTORY, ()),
    "airflow-factory-deferred": ((), FACTORY, ("--deferrable",)),
    "airflow-exec": (EXEC, {}, ()),
}


@pytest.fixture(scope="module")
def quiet(relay: Relay) -> dict[str, str]:
    """The variables with which both SDKs send no telemetry."""
    file = Path(relay.stack.folder) / "sagemaker.yaml"
    modules = "SageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n"
    file.write_text(f"SchemaVersion: '1.0'\n{modules}")
    return {"SAGEMAKER_USER_CONFIG_OVERRIDE": str(file)}


@pytest.fixture(scope="module")
def programs(relay: Relay, quiet: dict[str, str]) -> dict[str, subprocess.Popen[str]]:
    """All programs, at the same time: they wait for most of theirs."""

    def begin(run: str, *arguments: str, installs: bool) -> subprocess.Popen[str]:
        trouble(relay, run)
        command = (*arguments, "--install") if installs else (*EXEC, *arguments)
        return start(relay, *command, **quiet)

    trouble(relay, CLI_RUN)
    request = json.dumps({"TrainingJobName": CLI_RUN, **request_of(CLI_RUN)})
    created = aws(relay, "sagemaker", "create-training-job", "--cli-input-json", request)
    assert created["TrainingJobArn"].endswith(f":training-job/{CLI_RUN}")
    waiting = ("sagemaker", "wait", "training-job-completed-or-stopped", "--training-job-name", CLI_RUN)
    started = {CLI_RUN: start(relay, *EXEC, AWS, *waiting)}
    for name, (kind, installs) in V2_RUNS.items():
        started[name] = begin(name, *V2, name, kind, CHECKPOINTS, str(LINES), installs=installs)
    for name, (under, variables, options) in AIRFLOW_RUNS.items():
        trouble(relay, name)
        home = {"AIRFLOW_HOME": f"{relay.stack.folder}/{name}", **variables}
        started[name] = start(relay, *under, *AIRFLOW, name, json.dumps(request_of(name)), *options, **home)
    for name, installs in V3_RUNS.items():
        started[name] = begin(f"{name}-*", *V3, name, CHECKPOINTS, str(LINES), str(COUNTING), installs=installs)
    return started


def aws(relay: Relay, *arguments: str) -> Any:
    """Call the AWS CLI under exec, and return what it prints."""
    return json.loads(finish(start(relay, *EXEC, AWS, *arguments, "--output", "json"), 300))


def lines_in(printed: str) -> list[str]:
    """Return the log lines of the job among everything that is printed, without colours and what stands around them.

    SDKs put something before each line. Airflow also puts its logger's name after it, in brackets.
    """
    return re.findall(r"line \d+(?=$|\s+\[airflow\.)", printed.replace("\x1b[0m", ""), re.MULTILINE)


def outcome(program: subprocess.Popen[str]) -> tuple[str, dict[str, Any]]:
    """Return what a program printed once it has ended well, and the JSON on its last line."""
    printed = finish(program, 300)
    return printed, json.loads(printed.splitlines()[-1])


def model_of(name: str) -> str:
    """Return where the model of a run is, whose second attempt completes."""
    return f"s3://{CHECKPOINTS}/output/{name}-relay-02/output/model.tar.gz"


@pytest.mark.parametrize("name", V2_RUNS)
def test_an_estimator_of_sdk_v2_fits_through_interruptions(
    relay: Relay, programs: dict[str, subprocess.Popen[str]], name: str
) -> None:
    printed, shown = outcome(programs[name])
    assert shown == {"model": model_of(name), "attached": model_of(name)}
    assert "Managed Spot Training savings" in printed
    assert_carried_on(relay, name, lines_in(printed))


@pytest.mark.parametrize("prefix", V3_RUNS)
def test_a_trainer_of_sdk_v3_trains_through_interruptions(
    relay: Relay, programs: dict[str, subprocess.Popen[str]], prefix: str
) -> None:
    printed, shown = outcome(programs[prefix])
    name = shown["name"]
    assert name.startswith(f"{prefix}-")
    assert shown["status"] == "Completed"
    assert shown["model"] == model_of(name)
    assert_carried_on(relay, name, lines_in(printed))


@pytest.mark.parametrize("name", AIRFLOW_RUNS)
def test_the_task_of_an_airflow_dag_trains_through_interruptions(
    relay: Relay, programs: dict[str, subprocess.Popen[str]], name: str
) -> None:
    printed, shown = outcome(programs[name])
    assert shown == {"name": name, "status": "Completed", "model": model_of(name)}
    if "deferred" in name:  # such a task follows no log
        printed = finish(start(relay, *COMMAND, "logs", name))
    assert_carried_on(relay, name, lines_in(printed))
    expected = POLICY["budgets"]["expired_waits"] if "factory" in name else Budgets().expired_waits
    assert relay.api.show(name)["budgets"]["expired_waits"] == expected


def test_the_aws_cli_creates_waits_describes_and_lists(
    relay: Relay, programs: dict[str, subprocess.Popen[str]]
) -> None:
    finish(programs[CLI_RUN], 300)
    described = aws(relay, "sagemaker", "describe-training-job", "--training-job-name", CLI_RUN)
    assert described["TrainingJobStatus"] == "Completed"
    listed = aws(relay, "sagemaker", "list-training-jobs", "--name-contains", CLI_RUN)
    assert [job["TrainingJobName"] for job in listed["TrainingJobSummaries"]] == [CLI_RUN]
    of_group = ("--log-group-name", "/aws/sagemaker/TrainingJobs")
    streams = aws(relay, "logs", "describe-log-streams", *of_group, "--log-stream-name-prefix", f"{CLI_RUN}/")
    (stream,) = (each["logStreamName"] for each in streams["logStreams"])
    lines: list[str] = []
    token: list[str] = []
    while True:
        page = aws(relay, "logs", "get-log-events", *of_group, "--log-stream-name", stream, "--start-from-head", *token)
        lines += [event["message"] for event in page["events"]]
        if token[1:] == [page["nextForwardToken"]]:
            break
        token = ["--next-token", page["nextForwardToken"]]
    assert_carried_on(relay, CLI_RUN, lines)
