"""`spot-relay exec` runs a program as if it were not there: environment, signals and exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from embedded.patience import give_time
from spot_relay_client.cli.exec import child_environment, run_child
from tests.e2e.programs import CLIENT_PATH, EXEC
from tests.foreground import begun

if TYPE_CHECKING:
    from pathlib import Path

# No region, so that no stack is looked for before the program needs one.
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONPATH": CLIENT_PATH, "HOME": "/nonexistent"}
WAITS = "import signal, sys; signal.signal({0}, lambda *_: sys.exit(9)); print('ready', flush=True); signal.pause()"


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (*EXEC, *command),
        env=ENVIRONMENT | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=give_time(60),
    )


def test_the_program_has_the_address_of_a_proxy_and_its_exit_code_is_that_of_exec() -> None:
    ended = run("sh", "-c", "env; exit 7", no_proxy="example.org")
    found = dict(line.split("=", 1) for line in ended.stdout.splitlines() if "=" in line)
    assert found["AWS_ENDPOINT_URL_SAGEMAKER"] == found["AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"]
    assert found["AWS_ENDPOINT_URL_SAGEMAKER"].startswith("http://127.0.0.1:")
    assert (found["no_proxy"], found["NO_PROXY"]) == ("example.org,127.0.0.1", "127.0.0.1")
    assert ended.returncode == 7
    assert "no call to SageMaker went through" in ended.stderr


def test_options_after_the_program_are_its_own() -> None:
    assert run("echo", "--stack", "--help", "--all").stdout == "--stack --help --all\n"


def test_a_program_that_is_not_there_or_cannot_run_is_said_so(tmp_path: Path) -> None:
    missing = run("no-such-program")
    assert (missing.returncode, "No such file" in missing.stderr) == (127, True)
    file = tmp_path / "data"
    file.write_text("")
    assert run(str(file)).returncode == 126


def test_settings_that_would_pass_by_the_proxy_are_refused() -> None:
    ended = run("true", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true")
    assert ended.returncode != 0
    assert "would bypass Spot Relay" in ended.stderr


def test_a_stack_that_is_not_there_is_said_so_before_the_program_runs() -> None:
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    ended = run("echo", "ran", AWS_REGION="us-east-1", AWS_MAX_ATTEMPTS="1", **nowhere)
    assert (ended.returncode, ended.stdout) == (5, "")
    assert "spot-relay was not found in us-east-1" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_is_passed_on_to_the_program(number: signal.Signals) -> None:
    command = (*EXEC, sys.executable, "-c", WAITS.format(int(number)))
    with begun(command, env=ENVIRONMENT, stdout=subprocess.PIPE, start_new_session=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        program.send_signal(number)
        assert program.wait(give_time(60)) == 9


def test_a_program_that_a_signal_kills_has_the_exit_code_that_shells_give() -> None:
    assert run("sh", "-c", "kill -KILL $$").returncode == 128 + signal.SIGKILL


def test_handlers_of_signals_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert run_child(["true"], child_environment(ENVIRONMENT, {})) == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run_child(["sh", "-c", "kill -HUP $$"], ENVIRONMENT) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_proxy_on_its_own_prints_its_variables_and_ends_on_a_signal() -> None:
    command = (*EXEC[:-2], "proxy")
    with begun(command, env=ENVIRONMENT, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline().startswith("export AWS_ENDPOINT_URL_SAGEMAKER=http://127.0.0.1:")
        assert program.stdout.readline().startswith("export AWS_ENDPOINT_URL_CLOUDWATCH_LOGS=http://127.0.0.1:")
        program.send_signal(signal.SIGTERM)
        assert program.wait(give_time(60)) == 0


def test_the_variables_of_the_proxy_may_be_json() -> None:
    command = (*EXEC[:-2], "proxy", "--json")
    with begun(command, env=ENVIRONMENT, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        printed = "".join(iter(program.stdout.readline, "}\n"))
        program.send_signal(signal.SIGINT)
        assert program.wait(give_time(60)) == 0
    assert set(json.loads(printed + "}")) == {"AWS_ENDPOINT_URL_SAGEMAKER", "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"}
