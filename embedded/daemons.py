"""Starts servers as processes, waits until they answer, and stops them by process id."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import httpx
import psutil

from embedded.patience import give_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

Found = TypeVar("Found")

LOOK_EVERY_SECONDS = 0.05
START_SECONDS = 60.0
# For calls of servers on this machine, which need none: to read the usual certificates takes longer than the call.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class EmbeddedError(Exception):
    """The embedded stack could not be started; the message says what failed, with the end of its log."""


@dataclass(frozen=True)
class Daemon:
    """A server that this process started."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    grace: float  # seconds between SIGTERM and SIGKILL

    @property
    def pid(self) -> int:
        """The id of the server's process, and of its process group."""
        return self.process.pid

    def wait_for(self, look: Callable[[], Found | None], limit: float = START_SECONDS) -> Found:
        """Poll until ``look`` returns something, and return that; EmbeddedError if the server ends first.

        A busy machine gets more than ``limit`` seconds.
        """
        limit = give_time(limit)
        deadline = time.monotonic() + limit
        while True:
            ended = self.process.poll()
            if ended is not None:
                raise EmbeddedError(f"{self.name} exited at once, with exit code {ended}:\n{tail(self.log)}")
            if (found := look()) is not None:
                return found
            if time.monotonic() > deadline:
                raise EmbeddedError(f"{self.name} did not answer within {limit:g} s:\n{tail(self.log)}")
            time.sleep(LOOK_EVERY_SECONDS)

    def stop(self) -> None:
        """Stop the server and every process that it started."""
        if self.process.returncode is not None and psutil.pid_exists(self.pid):
            return  # it ended long ago, and the system gave its id to another process
        if self.grace:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(self.grace)
        _kill_group(self.pid)
        self.process.wait()


def launch(
    name: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    grace: float = 0.0,
) -> Daemon:
    """Start ``python arguments`` in a process group of its own, which Ctrl-C in the terminal does not reach."""
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
    return Daemon(name, process, log, grace)


def answers(url: str) -> bool | None:
    """Return True if ``url`` answers, else None."""
    try:
        return httpx.get(url, timeout=give_time(5), trust_env=False, verify=NO_CERTIFICATES).is_success or None
    except httpx.TransportError:
        return None


def free_port() -> int:
    """Return a port of the loopback interface that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tail(log: Path, lines: int = 25) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


def _kill_group(pid: int) -> None:
    # The id stays in use while any process of the group lives, such as a worker that outlived its server.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
