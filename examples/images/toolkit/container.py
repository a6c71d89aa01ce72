"""What SageMaker gives a training container: folders, configuration files, a SIGTERM, and a file for its failure.

The folders are below ``SAGEMAKER_BASE_DIR``, which is ``/opt/ml`` unless it is set.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

TERMINATED = 128 + signal.SIGTERM


class StoppedError(Exception):
    """A SIGTERM came while there was nothing to save."""


@dataclass(frozen=True)
class Folders:
    """The folders that a training reads from and writes to."""

    base: Path
    checkpoints: Path
    model: Path

    @staticmethod
    def of(environment: Mapping[str, str]) -> Folders:
        """Read the folders from a container's environment."""
        base = Path(environment.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
        return Folders(
            base=base,
            checkpoints=Path(environment.get("SM_CHECKPOINT_DIR", base / "checkpoints")),
            model=Path(environment.get("SM_MODEL_DIR", base / "model")),
        )

    @property
    def config(self) -> Path:
        """The folder of the configuration files."""
        return self.base / "input" / "config"

    def channel(self, name: str) -> Path:
        """Return the folder of an input channel, which may not exist."""
        return self.base / "input" / "data" / name

    def files(self, channel: str) -> list[Path]:
        """Return all files of a channel, sorted by name; none if there is no such channel."""
        folder = self.channel(channel)
        return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []

    def read_config(self, name: str) -> dict[str, Any]:
        """Return the content of ``hyperparameters``, ``inputdataconfig`` or ``resourceconfig``, or nothing."""
        path = self.config / f"{name}.json"
        content: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        return content


@dataclass(frozen=True)
class Hosts:
    """The hosts of a job, and which of them this one is."""

    names: tuple[str, ...]
    current: str

    @staticmethod
    def of(folders: Folders) -> Hosts:
        """Read the hosts from ``resourceconfig.json``; without that file there is only one."""
        given = folders.read_config("resourceconfig")
        names = tuple(sorted(given.get("hosts", ["algo-1"])))
        return Hosts(names, given.get("current_host", names[0]))

    @property
    def rank(self) -> int:
        """The place of this host among all, from 0."""
        return self.names.index(self.current)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that others see either all of it or nothing.

    The folder may be synchronised to S3 at any moment, so the file is written outside of it, and moved when complete.
    """
    unfinished = path.parent.parent / f".unfinished-{path.parent.name}-{path.name}"
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def run_training(run: Callable[[Folders, threading.Event], bool]) -> int:
    """Run a training, and return the exit code: 0, or 143 if a SIGTERM ended the training early.

    ``run`` gets the folders, and an event that a SIGTERM sets; it returns whether the training is complete.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    stop = threading.Event()

    def terminate(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, terminate)
    folders = Folders.of(os.environ)
    try:
        return 0 if run(folders, stop) else TERMINATED
    except StoppedError:
        return TERMINATED
    except Exception as error:
        failure = folders.base / "output" / "failure"  # SageMaker copies this file to the job's FailureReason
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text(f"{type(error).__name__}: {error}", "utf-8")
        raise
