"""The hosts of a distributed XGBoost training: two processes train one model, and stop after the same round."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
import xgboost as xgb

from embedded.patience import give_time
from examples.images.toolkit.container import TERMINATED
from examples.images.xgboost import train as training
from tests.simulator.processes import wait_for
from workshop.digits import write_libsvm
from workshop.rows import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
# Addresses of this machine that no other process uses: all clusters meet on the same port.
HOSTS = tuple(str(ip_address("127.0.0.0") + 4 * (os.getpid() % 2**22) + host) for host in (1, 2))
# The first host leaves the cluster at once, and the second one when it is told to.
LEAVING = """
import sys, threading
from xgboost.tracker import RabitTracker
from examples.images.toolkit.container import Hosts
from examples.images.xgboost import cluster

class Watched(RabitTracker):
    def wait_for(self, timeout=None):
        print("waits for the others", flush=True)
        super().wait_for(timeout)

    def free(self):
        try:
            super().free()
        finally:
            print("ends the tracker", flush=True)

cluster.RabitTracker = Watched
hosts = Hosts(tuple(sys.argv[1:3]), sys.argv[3])
with cluster.Cluster.joined(hosts, threading.Event()):
    if hosts.rank == 1:
        sys.stdin.readline()
"""


class Machines:
    """The processes that stand for the hosts; none of them outlives its test."""

    def __init__(self, folder: Path, ends: ExitStack) -> None:
        self.folder = folder
        self._ends = ends

    def train(self, host: str, **hyperparameters: str) -> subprocess.Popen[str]:
        """Start the training on a host, with half of the digits."""
        folder = self.folder / host
        (folder / "input" / "config").mkdir(parents=True)
        given = {"objective": "multi:softmax", "num_class": "10", "silent": "0", **hyperparameters}
        (folder / "input" / "config" / "hyperparameters.json").write_text(json.dumps(given))
        resources = {"hosts": list(HOSTS), "current_host": host}
        (folder / "input" / "config" / "resourceconfig.json").write_text(json.dumps(resources))
        for seed, channel in enumerate(("train", "validation"), start=2 * HOSTS.index(host)):
            (folder / "input" / "data" / channel).mkdir(parents=True)
            (folder / "input" / "data" / channel / "part.libsvm").write_bytes(write_libsvm(150, seed))
        return self.run(training.__file__, SAGEMAKER_BASE_DIR=str(folder))

    def run(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start Python on a host."""
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._ends.enter_context(process)
        self._ends.callback(process.kill)
        return process


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    """The machines of a job."""
    with ExitStack() as ends:
        yield Machines(tmp_path, ends)


def finish(process: subprocess.Popen[str], said: str | None = None) -> str:
    """Return what a process has printed once it has ended, after it has been told something."""
    return process.communicate(said, timeout=give_time(60))[0]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_two_hosts_train_one_model_and_only_the_first_writes_it(machines: Machines) -> None:
    processes = [machines.train(host, num_round="3") for host in HOSTS]
    first, second = (finish(process) for process in processes)
    assert [process.returncode for process in processes] == [0, 0], first + second
    assert "[3] train-mlogloss:" in first
    assert "[3]" not in second
    first_folder, second_folder = (machines.folder / host for host in HOSTS)
    assert names(first_folder / "model") == {"xgboost-model"}
    assert names(first_folder / "checkpoints") == {f"xgboost-checkpoint.{n}" for n in (1, 2, 3)}
    assert names(second_folder) & {"xgboost-model", "xgboost-checkpoint.3"} == set()
    model = (first_folder / "model" / "xgboost-model").read_bytes()
    assert xgb.Booster(model_file=bytearray(model)).num_boosted_rounds() == 3


def test_all_hosts_stop_after_the_same_round(machines: Machines) -> None:
    processes = [machines.train(host, num_round="100000", seconds_per_round="0.1") for host in HOSTS]
    checkpoint = machines.folder / HOSTS[0] / "checkpoints" / "xgboost-checkpoint.2"
    wait_for(lambda: checkpoint.exists() or any(process.poll() is not None for process in processes))
    processes[1].send_signal(signal.SIGTERM)  # one is enough: its last round is everyone's
    first, second = (finish(process) for process in processes)
    assert [process.returncode for process in processes] == [TERMINATED, TERMINATED], first + second
    assert "Traceback" not in first + second
    stopped = [line for line in (*first.splitlines(), *second.splitlines()) if line.startswith("Stopped after round")]
    assert len(stopped) == 2
    assert len(set(stopped)) == 1


def test_the_first_host_waits_until_the_others_have_left_the_cluster(machines: Machines) -> None:
    first, second = (machines.run("-c", LEAVING, *HOSTS, host) for host in HOSTS)
    assert first.stdout
    before = []
    for line in first.stdout:
        before.append(line)
        if line.startswith(("waits", "ends")):
            break
    printed = finish(second, "leave\n") + "".join(before) + finish(first)
    assert [first.returncode, second.returncode] == [0, 0], printed
    assert "Traceback" not in printed
    assert printed.index("waits for the others") < printed.index("ends the tracker")


def test_a_host_that_waits_for_another_ends_at_a_sigterm(machines: Machines) -> None:
    process = machines.train(HOSTS[1], num_round="3")
    wait_for(lambda: _catches_sigterm(process.pid))
    process.send_signal(signal.SIGTERM)
    printed = finish(process)
    assert process.returncode == TERMINATED, printed


def _catches_sigterm(pid: int) -> bool:
    """Whether a process has a handler for SIGTERM by now."""
    with open(f"/proc/{pid}/status") as status:  # noqa: PTH123 (a file of the kernel)
        caught = next(line for line in status if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
