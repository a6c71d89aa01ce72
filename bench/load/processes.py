"""Measure the CPU time that MiniStack, the simulator and the functions use."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping

    from embedded.stack import Stack

MINISTACK: Final = "MiniStack"
SIMULATOR: Final = "the simulator"
BENCH: Final = "this program"
_FUNCTION: Final = "AWS_LAMBDA_FUNCTION_NAME"


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
