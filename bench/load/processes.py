"""Measure the CPU time of MiniStack, the simulator and the functions, and the start time of functions."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedded.stack import Stack

MINISTACK: Final = "MiniStack"
SIMULATOR: Final = "the simulator"
BENCH: Final = "this program"
_FUNCTION: Final = "AWS_LAMBDA_FUNCTION_NAME"
_STARTS: Final = 7


class Processes:
    """The processes of a stack. For a process that has ended, its last known CPU time counts."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._names: dict[int, str] = {}
        self._seconds: dict[int, float] = {}

    def read_cpu_seconds(self) -> dict[str, float]:
        """Return the CPU seconds used so far by each function, MiniStack, the simulator and this program."""
        aws = psutil.Process(self._stack.aws_pid)
        self._note(aws, MINISTACK)
        self._note(psutil.Process(self._stack.simulator_pid), SIMULATOR)
        self._note(psutil.Process(), BENCH)
        for child in aws.children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                self._note(child, None)
        used: dict[str, float] = {}
        for pid, name in self._names.items():
            used[name] = used.get(name, 0.0) + self._seconds[pid]
        return used

    def read_cpu_seconds_since(self, before: Mapping[str, float]) -> dict[str, float]:
        """Return the CPU seconds used since an earlier reading."""
        return {name: seconds - before.get(name, 0.0) for name, seconds in self.read_cpu_seconds().items()}

    def _note(self, process: psutil.Process, name: str | None) -> None:
        if process.pid not in self._names:
            # Between fork and exec, the process of a function still has MiniStack's environment.
            named = name or process.environ().get(_FUNCTION)
            if named is None:
                return
            self._names[process.pid] = named
        times = process.cpu_times()
        self._seconds[process.pid] = times.user + times.system


@dataclass(frozen=True, slots=True)
class Starts:
    """A function's start time relative to bare Python, as deployed and with everything compiled."""

    as_deployed: float
    compiled: float


def measure_starts(stack: Stack, function: str) -> Starts:
    """Return the median start times of processes that import a function, named as in the template.

    What is deployed is not compiled, and Lambda's layers are read-only, so everything is compiled at each start.
    """
    template = Path(stack.template).parent
    layers = [template / layer / "python" for layer in ("DependenciesLayer", "SpotRelayLayer")]
    given = stack.environment | stack.variables(function.removesuffix("Function"))
    given["PYTHONPATH"] = os.pathsep.join(map(str, (template / function, *layers)))
    as_deployed = {"PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory() as cache:
        compiled = {"PYTHONPYCACHEPREFIX": cache}
        _seconds("import app", given | compiled)
        found = [
            (
                _seconds("pass", {}),
                _seconds("import app", given | as_deployed),
                _seconds("import app", given | compiled),
            )
            for _ in range(_STARTS)
        ]
    bare, deployed, ready = (statistics.median(column) for column in zip(*found, strict=True))
    return Starts(deployed / bare, ready / bare)


def _seconds(code: str, environment: Mapping[str, str]) -> float:
    began = time.perf_counter()
    # -S hides the packages of this environment, which a function does not have.
    command = [sys.executable, "-S", "-c", code]
    subprocess.run(command, env=dict(environment), check=True, capture_output=True)  # noqa: S603
    return time.perf_counter() - began
