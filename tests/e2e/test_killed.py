"""Whatever is killed, the next start or stop of a stack leaves no process behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from embedded import deployment
from embedded.processes import find_processes
from embedded.stack import Stack
from tests.e2e.relay import CHECKPOINTS, Relay, eventually, spec

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
STARTER = """
import json, sys, time
from dataclasses import asdict
from pathlib import Path
from embedded import deployment
here = Path(sys.argv[1])
with deployment.running(images=here / "images") as stack:
    (here / "running.part").write_text(json.dumps(asdict(stack)))
    (here / "running.part").rename(here / "running.json")
    time.sleep(3600)
"""
TRAINING = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], env={"PATH": os.environ["PATH"]})
print("training", flush=True)
time.sleep(3600)
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the one stack of this test, so that the developer's own stack stays out of it."""
    monkeypatch.setattr(deployment, "STACKS", tmp_path / "stacks")
    monkeypatch.setattr(deployment, "KEPT", tmp_path / "stack.json")
    monkeypatch.setattr(deployment, "KEPT_ENVIRONMENT", tmp_path / "stack.env")
    (tmp_path / "images" / "sleeper").mkdir(parents=True)
    (tmp_path / "images" / "sleeper" / "train.py").write_text(TRAINING)
    return tmp_path


@pytest.fixture
def starter(here: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that starts a stack, and holds it until it is told to end."""
    with (
        (here / "starter.log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-c", STARTER, str(here)],
            cwd=ROOT,
            env=os.environ | {deployment.FOLDER_VARIABLE: str(here)},
            stdout=log,
            stderr=log,
        ) as process,
    ):
        yield process
        process.terminate()


def test_after_everything_was_killed_the_next_stop_ends_workers_and_training(
    here: Path, starter: subprocess.Popen[bytes]
) -> None:
    def deployed() -> Path | None:
        assert starter.poll() is None, (here / "starter.log").read_text()
        return here / "running.json" if (here / "running.json").exists() else None

    stack = Stack(**json.loads(eventually("the deployment", deployed).read_text()))
    launch(Relay(stack))
    temporary = Path(stack.folder) / "tmp"
    processes = eventually("the training", lambda: training_processes(stack)) | find_processes(temporary)
    for pid in (stack.aws_pid, stack.simulator_pid, starter.pid):
        os.kill(pid, signal.SIGKILL)
    starter.wait()

    assert deployment.stop()

    eventually("the end of all processes", lambda: not any(map(runs, processes)) or None)
    assert find_processes(temporary) == set()
    assert not temporary.exists()
    assert not deployment.stop()


def launch(relay: Relay) -> None:
    """Have a function launch a job that trains in a process."""
    relay.s3.create_bucket(Bucket=CHECKPOINTS)
    made = spec("endless", max_wait=3600, max_runtime=3600)
    made["training_job"]["AlgorithmSpecification"]["TrainingImage"] = "local/sleeper"
    relay.api.submit(made)


def training_processes(stack: Stack) -> set[psutil.Process] | None:
    """Return a function's worker, the training process and what that has started, once all of them are there.

    The training says when it has started the other process. Before it comes to its own code, the processes below the
    simulator are those that prepare its namespace.
    """
    logs = (Path(stack.folder) / "tmp" / "jobs").glob("*/*.log")
    if not any("training" in log.read_text().splitlines() for log in logs):
        return None
    workers = psutil.Process(stack.aws_pid).children()
    training = psutil.Process(stack.simulator_pid).children(recursive=True)
    return {*workers, *training} if workers and len(training) >= 2 else None


def runs(process: psutil.Process) -> bool:
    """Whether a process still does anything."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
