"""Recognizes a stack's processes, even after the ones that started them were killed, and ends them.

A process id alone proves nothing: once its process has ended, the system gives the id to another one. So a process is
named by its id and its start time, and the processes of a stack are recognized by what they inherit: their folder for
temporary files, which no other stack has.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from embedded.daemons import EmbeddedError
from embedded.patience import give_time

if TYPE_CHECKING:
    from collections.abc import Iterator

# Linux derives start times from the clock, which may be set between two readings.
_TOLERANCE_SECONDS: Final = 2.0
_KILL_SECONDS: Final = 10.0
# A training process inherits TMPDIR, unless its request's Environment overrides it; the simulator sets the other one.
_MARKS: Final = ("TMPDIR", "SIMULATOR_INSTANCE_HOME")


@dataclass(frozen=True)
class Identity:
    """A process that is not mistaken for a later one with the same id."""

    pid: int
    started: float  # seconds since the epoch

    @classmethod
    def of_this_process(cls) -> Identity:
        """Return the identity of the process that asks."""
        process = psutil.Process()
        return cls(process.pid, process.create_time())

    def lives(self) -> bool:
        """Whether the process is still running."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _TOLERANCE_SECONDS
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def find_process(pid: int, temporary: Path) -> psutil.Process | None:
    """Return the process with this id if it belongs to the stack whose temporary folder this is."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        if _belongs(process, temporary):
            return process
    return None


def find_processes(temporary: Path) -> set[psutil.Process]:
    """Return all processes of the stack whose temporary folder this is, and all that those have started."""
    found: set[psutil.Process] = set()
    for process in psutil.process_iter():
        if _belongs(process, temporary):
            found.add(process)
            with suppress(psutil.Error):
                found.update(process.children(recursive=True))
    return found


def kill_processes(temporary: Path) -> bool:
    """Kill all processes of the stack whose temporary folder this is; return whether there were any."""
    killed = False
    while found := find_processes(temporary):
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()  # psutil checks the start time first
        _, alive = psutil.wait_procs(found, timeout=give_time(_KILL_SECONDS))
        stuck = sorted(process.pid for process in alive if _runs(process))
        if stuck:
            raise EmbeddedError(f"These processes do not end although they were killed: {stuck}")
        killed = True
    return killed


def _belongs(process: psutil.Process, temporary: Path) -> bool:
    try:
        variables = process.environ()
    except psutil.Error:  # it has ended, or belongs to another user
        return False
    return any(Path(place).is_relative_to(temporary) for place in _places(variables))


def _places(variables: dict[str, str]) -> Iterator[str]:
    return (variables[name] for name in _MARKS if name in variables)


def _runs(process: psutil.Process) -> bool:
    """Whether a process still does anything; a zombie only waits for its parent to notice its end."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
