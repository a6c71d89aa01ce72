"""Starts servers as processes of their own, waits until they serve, and stops them by process id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

Found = TypeVar("Found")

LOOK_EVERY_SECONDS = 0.05
START_SECONDS = 60.0


class EmbeddedError(Exception):
    """The embedded stack could not be started; the text says what failed and ends with the end of its log."""


@dataclass(frozen=True)
class Daemon:
    """A server that this process started."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    patience: float  # seconds between SIGTERM and SIGKILL

    @property
    def pid(self) -> int:
        """The server's process id, which is its process group's, too."""
        return self.process.pid

    def wait_for(self, look: Callable[[], Found | None], limit: float = START_SECONDS) -> Found:
        """Give what ``look`` finds, as soon as it finds something; EmbeddedError if the server ends before."""
        deadline = time.monotonic() + limit
        while True:
            ended = self.process.poll()
            if ended is not None:
                raise EmbeddedError(f"{self.name} ended at its start, with exit code {ended}:\n{tail(self.log)}")
            if (found := look()) is not None:
                return found
            if time.monotonic() > deadline:
                raise EmbeddedError(f"{self.name} does not answer after {limit:g} s:\n{tail(self.log)}")
            time.sleep(LOOK_EVERY_SECONDS)

    def stop(self) -> None:
        """End the server and what it started."""
        if self.patience:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(self.patience)
        _kill_group(self.pid)
        self.process.wait()


def launch(
    name: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    patience: float = 0.0,
) -> Daemon:
    """Start ``python arguments`` in a process group of its own, so that a Ctrl-C in the terminal spares it."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=log.parent,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return Daemon(name, process, log, patience)


def stop_by_id(pid: int, patience: float = 0.0) -> None:
    """End a server that another process started and left, and what it started."""
    deadline = time.monotonic() + patience
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            os.kill(pid, 0)  # raises once it has ended
            time.sleep(LOOK_EVERY_SECONDS)
    _kill_group(pid)


def answers(url: str) -> bool | None:
    """Say True if ``url`` answers, and None if it does not."""
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success or None
    except httpx.TransportError:
        return None


def free_port() -> int:
    """Name a port of the loopback interface that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tail(log: Path, lines: int = 25) -> str:
    """Give the end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


def _kill_group(pid: int) -> None:
    # The group's id is its own as long as one of its processes lives, be it a worker that outlived its server.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
