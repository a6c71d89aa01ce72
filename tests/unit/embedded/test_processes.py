"""A stack's processes are recognized, and ended, also when whoever started them was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import psutil
import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from embedded import deployment
from embedded.daemons import Daemon, launch, tail
from embedded.patience import give_time
from embedded.processes import Identity, find_process, find_processes, kill_processes
from embedded.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# What has printed that it is up is known by its environment: the system shows that only after a program has begun.
SLEEP = "import time; print('up', flush=True); time.sleep(600)"
# A server that starts a worker in its own group, and one in a session of its own, as MiniStack and the simulator do.
SERVER = f"""
import os, subprocess, sys, time
workers = [dict(start_new_session=session) for session in (False, True)]
stranger = dict(env={{"PATH": os.environ["PATH"]}})
for options in (*workers, stranger):
    subprocess.Popen([sys.executable, "-c", {SLEEP!r}], stdout=subprocess.PIPE, **options).stdout.readline()
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the stacks, of this test alone."""
    monkeypatch.setattr(deployment, "STACKS", tmp_path / "stacks")
    monkeypatch.setattr(deployment, "KEPT", tmp_path / "stack.json")
    monkeypatch.setattr(deployment, "KEPT_ENVIRONMENT", tmp_path / "stack.env")
    (tmp_path / "stacks").mkdir()
    return tmp_path / "stacks"


@pytest.fixture
def started(stacks: Path) -> Iterator[list[Daemon]]:
    """Everything that a test starts; it ends with the test."""
    daemons: list[Daemon] = []
    yield daemons
    for folder in stacks.iterdir():
        kill_processes(folder / "tmp")
    for daemon in daemons:
        daemon.stop()


def start(folder: Path, script: str, started: list[Daemon]) -> Daemon:
    """Start a server of the stack in a folder, and wait until it is up."""
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    variables = {"PATH": os.environ["PATH"], "TMPDIR": str(folder / "tmp")}
    daemon = launch("the server", ["-c", script], variables, folder / f"{len(started)}.log")
    started.append(daemon)
    daemon.wait_for(lambda: tail(daemon.log) or None)
    return daemon


def own(folder: Path, owner: Identity) -> None:
    (folder / "owner.json").write_text(json.dumps(asdict(owner)))


def dead_owner() -> Identity:
    """Return the identity of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", "pass"]) as ended:
        return Identity(ended.pid, psutil.Process(ended.pid).create_time())


def wait_until_gone(processes: set[psutil.Process]) -> None:
    """Wait until none of the processes runs."""
    waiting = Retrying(stop=stop_after_delay(give_time(10)), wait=wait_fixed(0.05), retry=retry_if_result(bool))
    waiting(lambda: [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE])


def kill(daemon: Daemon) -> set[psutil.Process]:
    """Kill a server, and nothing else; return what it leaves behind."""
    left = set(psutil.Process(daemon.pid).children(recursive=True))
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.process.wait()
    return left


def test_a_process_lives_until_it_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", SLEEP]) as process:
        identity = Identity(process.pid, psutil.Process(process.pid).create_time())
        assert identity.lives()
        process.kill()
    assert not identity.lives()


def test_another_process_with_the_same_id_is_not_taken_for_the_earlier_one() -> None:
    here = Identity.of_this_process()
    assert here.lives()
    assert not replace(here, started=here.started - 60).lives()


def test_only_a_process_of_the_stack_is_found_by_its_id(stacks: Path, started: list[Daemon]) -> None:
    ours = start(stacks / "ours", SLEEP, started)
    assert find_process(ours.pid, stacks / "ours" / "tmp") is not None
    assert find_process(ours.pid, stacks / "our" / "tmp") is None
    assert find_process(os.getpid(), stacks / "ours" / "tmp") is None
    assert find_process(dead_owner().pid, stacks / "ours" / "tmp") is None


def test_all_processes_of_a_stack_are_killed_and_none_of_another(stacks: Path, started: list[Daemon]) -> None:
    start(stacks / "ours", SERVER, started)
    theirs = start(stacks / "theirs", SLEEP, started)
    processes = find_processes(stacks / "ours" / "tmp")
    assert len(processes) == 4
    assert kill_processes(stacks / "ours" / "tmp")
    wait_until_gone(processes)
    assert not kill_processes(stacks / "ours" / "tmp")
    assert theirs.process.poll() is None


def test_what_a_killed_server_left_behind_is_ended_if_the_owner_was_killed_too(
    stacks: Path, started: list[Daemon]
) -> None:
    aws, simulator = (start(stacks / "lost", script, started) for script in (SERVER, SLEEP))
    own(stacks / "lost", dead_owner())
    left = {one for one in kill(aws) if "TMPDIR" in one.environ()}
    assert len(left) == 2
    assert deployment.stop()
    wait_until_gone(left)
    assert simulator.process.wait(give_time(10)) is not None
    assert not (stacks / "lost" / "tmp").exists()
    assert not deployment.stop()


def test_a_stack_whose_owner_lives_is_left_alone(stacks: Path, started: list[Daemon]) -> None:
    server = start(stacks / "busy", SLEEP, started)
    own(stacks / "busy", Identity.of_this_process())
    assert not deployment.end_abandoned()
    assert server.process.poll() is None
    assert (stacks / "busy" / "tmp").exists()


def kept(folder: Path, aws: int, simulator: int) -> None:
    stack = Stack("http://127.0.0.1:9", "http://127.0.0.1:9", {}, "template.yaml", str(folder), simulator, aws)
    deployment.KEPT.write_text(json.dumps(asdict(stack)))


def test_a_stack_that_was_left_running_stays_until_it_is_stopped(stacks: Path, started: list[Daemon]) -> None:
    aws, simulator = (start(stacks / "kept", SLEEP, started) for _ in range(2))
    own(stacks / "kept", dead_owner())
    kept(stacks / "kept", aws.pid, simulator.pid)
    assert not deployment.end_abandoned()
    assert (aws.process.poll(), simulator.process.poll()) == (None, None)
    assert deployment.stop()
    for server in (aws, simulator):
        assert server.process.wait(give_time(10)) is not None
    assert not deployment.KEPT.exists()


@pytest.mark.parametrize("end", [deployment.stop, deployment.end_abandoned])
def test_a_stack_that_was_left_running_and_lost_its_ministack_is_ended(
    stacks: Path, started: list[Daemon], end: Callable[[], bool]
) -> None:
    aws, simulator = start(stacks / "kept", SERVER, started), start(stacks / "kept", SLEEP, started)
    own(stacks / "kept", dead_owner())
    kept(stacks / "kept", aws.pid, simulator.pid)
    left = {one for one in kill(aws) if "TMPDIR" in one.environ()}
    assert end()
    wait_until_gone(left)
    assert simulator.process.wait(give_time(10)) is not None


def test_the_ids_of_a_stack_that_ended_are_not_trusted(stacks: Path, started: list[Daemon]) -> None:
    stranger = start(stacks / "other", SLEEP, started)
    own(stacks / "other", Identity.of_this_process())
    (stacks / "kept" / "tmp").mkdir(parents=True)
    kept(stacks / "kept", stranger.pid, stranger.pid)
    assert not deployment.stop()
    assert stranger.process.poll() is None
