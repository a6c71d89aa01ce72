"""Programs of users that know SageMaker only, on the embedded stack."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from embedded.patience import give_time
from tests.e2e.relay import spec

if TYPE_CHECKING:
    from tests.e2e.relay import Relay

ROOT: Final = Path(__file__).parents[2]
CLIENTS: Final = Path(__file__).with_name("clients")
LINES: Final = 40
# What is there to import for a program whose environment lacks the client.
CLIENT_PATH: Final = os.pathsep.join([str(ROOT / "client"), str(ROOT / "layers" / "spot_relay")])
COMMAND: Final = (sys.executable, "-m", "spot_relay_client")
EXEC: Final = (*COMMAND, "exec", "--")


def request_of(name: str) -> dict[str, Any]:
    """Return the request of a job that prints lines, without its name."""
    job: dict[str, Any] = copy.deepcopy(spec(name, max_wait=40, max_runtime=40)["training_job"])
    job["AlgorithmSpecification"]["TrainingImage"] = "local/counting"
    job["HyperParameters"] = {"lines": str(LINES)}
    job["Tags"] = [{"Key": "team", "Value": "ml"}]
    return job


def trouble(relay: Relay, name: str) -> None:
    """Interrupt the first attempt of a run; if that happens twice, no capacity returns until its wait expires."""
    lost = [
        {"after_checkpoints": 5, "capacity_returns_after": 0.2},
        {"after_checkpoints": 5, "capacity_returns_after": None},
    ]
    relay.rule(name, "02", capacity={"after": 0})
    relay.rule(name, "01", capacity={"after": 0, "interruptions": lost})


def start(relay: Relay, *command: str, **variables: str) -> subprocess.Popen[str]:
    """Start a program with the environment of a user of the stack."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(Path(relay.stack.folder)),
        "PYTHONPATH": CLIENT_PATH,
        "SPOT_RELAY_API_URL": relay.stack.api_url,
        **relay.stack.environment,
        **variables,
    }
    return subprocess.Popen(
        command, env=environment, cwd=relay.stack.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(program: subprocess.Popen[str], seconds: float = 150) -> str:
    """Wait for a program to end well, and return what it printed."""
    try:
        printed, errors = program.communicate(timeout=give_time(seconds))
    except subprocess.TimeoutExpired:
        program.kill()
        printed, errors = program.communicate()
    assert program.returncode == 0, f"{printed[-3000:]}\n{errors[-3000:]}"
    return printed


def assert_carried_on(relay: Relay, name: str, lines: list[str]) -> None:
    """Check that a run went through an interruption and an expired wait, and printed each line once."""
    run = relay.api.show(name)
    assert run["status"] == "Completed"
    assert [attempt["outcome"] for attempt in run["attempts"]] == ["MaxWaitTimeExceeded", "Completed"]
    assert run["attempts"][0]["interruptions"] >= 1
    assert [line for line in lines if line.startswith("line ")] == [f"line {n}" for n in range(1, LINES + 1)]
    calls = relay.log(kind="call")
    created = [call["job_name"] for call in calls if call.get("operation") == "CreateTrainingJob"]
    assert name not in created
    attempts = [job for job in created if job.startswith(f"{name}-relay-")]
    assert attempts == [attempt["job_name"] for attempt in run["attempts"]]
