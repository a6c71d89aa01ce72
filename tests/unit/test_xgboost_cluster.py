"""The hosts of a distributed XGBoost training: two processes train one model, and stop after the same round."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
import xgboost as xgb

from embedded.patience import give_time
from examples.images.toolkit.container import TERMINATED
from examples.images.xgboost import train as training
from workshop.digits import write_libsvm
from workshop.rows import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
HOSTS = ("127.77.1.1", "127.77.1.2")


def start(base: Path, host: str, **hyperparameters: str) -> subprocess.Popen[str]:
    """Start the training on a host, with half of the digits."""
    folder = base / host
    (folder / "input" / "config").mkdir(parents=True)
    given = {"objective": "multi:softmax", "num_class": "10", "silent": "0", **hyperparameters}
    (folder / "input" / "config" / "hyperparameters.json").write_text(json.dumps(given))
    resources = {"hosts": list(HOSTS), "current_host": host}
    (folder / "input" / "config" / "resourceconfig.json").write_text(json.dumps(resources))
    for seed, channel in enumerate(("train", "validation"), start=2 * HOSTS.index(host)):
        (folder / "input" / "data" / channel).mkdir(parents=True)
        (folder / "input" / "data" / channel / "part.libsvm").write_bytes(write_libsvm(150, seed))
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, training.__file__]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    """Return what a process has printed once it has ended."""
    try:
        return process.communicate(timeout=give_time(60))[0]
    finally:
        process.kill()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_two_hosts_train_one_model_and_only_the_first_writes_it(tmp_path: Path) -> None:
    processes = [start(tmp_path, host, num_round="3") for host in HOSTS]
    first, second = (finish(process) for process in processes)
    assert [process.returncode for process in processes] == [0, 0], first + second
    assert "[3] train-mlogloss:" in first
    assert "[3]" not in second
    assert names(tmp_path / HOSTS[0] / "model") == {"xgboost-model"}
    assert names(tmp_path / HOSTS[0] / "checkpoints") == {f"xgboost-checkpoint.{n}" for n in (1, 2, 3)}
    assert names(tmp_path / HOSTS[1]) & {"xgboost-model", "xgboost-checkpoint.3"} == set()
    model = (tmp_path / HOSTS[0] / "model" / "xgboost-model").read_bytes()
    assert xgb.Booster(model_file=bytearray(model)).num_boosted_rounds() == 3


def test_all_hosts_stop_after_the_same_round(tmp_path: Path) -> None:
    processes = [start(tmp_path, host, num_round="500", seconds_per_round="0.1") for host in HOSTS]
    until = time.monotonic() + give_time(60)
    checkpoint = tmp_path / HOSTS[0] / "checkpoints" / "xgboost-checkpoint.2"
    while not checkpoint.exists() and time.monotonic() < until:
        time.sleep(0.02)
    processes[1].send_signal(signal.SIGTERM)  # one is enough: its last round is everyone's
    first, second = (finish(process) for process in processes)
    assert [process.returncode for process in processes] == [TERMINATED, TERMINATED], first + second
    stopped = [line for line in (*first.splitlines(), *second.splitlines()) if line.startswith("Stopped after round")]
    assert len(stopped) == 2
    assert len(set(stopped)) == 1


def test_a_host_that_waits_for_another_ends_at_a_sigterm(tmp_path: Path) -> None:
    process = start(tmp_path, HOSTS[1], num_round="3")
    until = time.monotonic() + give_time(30)
    while not _catches_sigterm(process.pid) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    printed = finish(process)
    assert process.returncode == TERMINATED, printed


def _catches_sigterm(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM by now."""
    with open(f"/proc/{pid}/status") as status:  # noqa: PTH123 (a file of the kernel)
        caught = next(line for line in status if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
