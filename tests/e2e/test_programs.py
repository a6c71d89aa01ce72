"""Programs that know SageMaker only train on Spot Relay, with one changed line or with none."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.e2e.programs import CLIENTS, EXEC, assert_carried_on, finish, request_of, start, trouble
from tests.e2e.relay import CHECKPOINTS, Relay

if TYPE_CHECKING:
    import subprocess

SCRIPT = (sys.executable, str(CLIENTS / "plain_boto3.py"))


@pytest.fixture(scope="module")
def programs(relay: Relay) -> dict[str, subprocess.Popen[str]]:
    """The same script twice, at the same time: with the line that installs the client, and as it is under exec."""
    for name in ("installed", "executed"):
        trouble(relay, name)
    return {
        "installed": start(relay, *SCRIPT, "installed", json.dumps(request_of("installed")), "--install"),
        "executed": start(relay, *EXEC, *SCRIPT, "executed", json.dumps(request_of("executed"))),
    }


@pytest.mark.timeout(200)
@pytest.mark.parametrize("name", ["installed", "executed"])
def test_a_plain_script_with_a_waiter_sees_one_job_that_completes(
    relay: Relay, programs: dict[str, subprocess.Popen[str]], name: str
) -> None:
    shown = json.loads(finish(programs[name]))
    assert shown["arn"].endswith(f":training-job/{name}")
    assert shown["status"] == "Completed"
    assert shown["model"] == f"s3://{CHECKPOINTS}/output/{name}-relay-02/output/model.tar.gz"
    assert shown["transitions"].count("Interrupted") >= 1
    assert shown["transitions"][-1] == "Completed"
    assert shown["listed"] == [name]
    assert shown["tags"] == [{"Key": "team", "Value": "ml"}]
    assert "already exists" in shown["again"]
    assert_carried_on(relay, name, shown["lines"])
