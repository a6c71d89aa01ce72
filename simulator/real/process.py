"""The process of a container: started in a group of its own, read line by line, ended with a grace period."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from threading import Thread
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


class ContainerProcess:
    """A running command. ``on_line`` is called with each line that it prints, ``on_exit`` once it has ended."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        variables: Mapping[str, str],
        on_line: Callable[[str], None],
        on_exit: Callable[[], None],
    ) -> None:
        self._on_line = on_line
        self._on_exit = on_exit
        self._process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        assert self._process.stdout is not None  # noqa: S101 (for the type checker: it is a pipe)
        self._reader = Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        Thread(target=self._wait, daemon=True).start()

    @property
    def code(self) -> int | None:
        """The exit code; negative for the signal that ended the process; ``None`` while it runs."""
        return self._process.returncode

    def terminate(self) -> None:
        """Send SIGTERM to the group."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to the group, including processes that outlived the first one."""
        self._signal(signal.SIGKILL)

    def drain(self, seconds: float) -> None:
        """Wait until all output has been read, for at most ``seconds``."""
        self._reader.join(timeout=seconds)

    def end(self, grace: float) -> None:
        """Terminate the process, kill it after ``grace`` seconds, and wait until it has ended."""
        until = time.monotonic() + grace
        self.terminate()
        try:
            self._process.wait(timeout=max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return  # the whole group has ended

    def _read(self, stream: IO[str]) -> None:
        with stream:
            for line in stream:
                self._on_line(line.rstrip("\n"))

    def _wait(self) -> None:
        self._process.wait()
        self._on_exit()
