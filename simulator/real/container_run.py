"""One run of a training container on an instance: download, train, sync checkpoints, upload the model."""

from __future__ import annotations

import logging
import shutil
import tarfile
import time
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from simulator.api.wire import model_uri
from simulator.life.job import CheckpointReached, Input, PhaseDone, TrainingExited
from simulator.real.checkpoints import CheckpointSync
from simulator.real.container import command_of, environment, failure_reason, prepare, training_script, tree_for
from simulator.real.process import TrainingProcess
from simulator.real.s3 import Location, channel_name_of, download

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from simulator.api.training_jobs import Apply
    from simulator.api.wire import Record
    from simulator.real.clients import Clients
    from simulator.real.logs import LogShipper

_LAST_LINES: Final = 5.0  # seconds to read the last lines of a process that has ended
_CLOSING_GRACE: Final = 2.0
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Host:
    """What all container runs share: clients, folders, limits. ``grace`` and ``sync_every`` are in seconds."""

    clients: Clients
    logs: LogShipper
    apply: Apply
    workdir: Path
    images: Path | None
    region: str
    grace: float = 120.0
    sync_every: float = 0.25


class _End(Enum):
    """Why a container run is ended from outside."""

    INTERRUPTED = auto()
    STOPPED = auto()
    FAILED = auto()
    CLOSING = auto()


class _EndedError(Exception):
    """The run was ended from outside before its process began."""


class ContainerRun:
    """Works in a thread of its own; ``before`` is the job's previous run, which must end first."""

    def __init__(self, record: Record, number: int, host: Host, before: ContainerRun | None) -> None:
        self._record = record
        self._host = host
        self._before = before
        self._home = host.workdir / record.name
        self._tree = tree_for(record.request, self._home / f"{number}" / "ml")
        self._log_stream = f"{record.name}/algo-1-{int(time.time())}"
        self._changed = Event()
        self._may_train = False
        self._end: _End | None = None
        self._thread = Thread(target=self._run, name=f"{record.name}/{number}", daemon=True)
        self._thread.start()

    @property
    def interrupted(self) -> bool:
        """Whether this run lost its capacity: it then reports nothing more."""
        return self._end is _End.INTERRUPTED

    def train(self) -> None:
        """Allow the process to begin."""
        self._may_train = True
        self._changed.set()

    def interrupt(self) -> None:
        """End the run because the capacity is gone: grace period, last checkpoints, no model."""
        self._finish(_End.INTERRUPTED)

    def stop(self) -> None:
        """End the run because the job is stopped: grace period, last checkpoints, and a model if there is one."""
        self._finish(_End.STOPPED)

    def fail(self) -> None:
        """End the run at once because the job has failed."""
        self._finish(_End.FAILED)

    def close(self) -> None:
        """End the run because the simulator stops."""
        self._finish(_End.CLOSING)

    def join(self, timeout: float | None = None) -> None:
        """Wait until the run has ended."""
        self._thread.join(timeout)

    def _finish(self, end: _End) -> None:
        self._end = end
        self._changed.set()

    def _run(self) -> None:
        try:
            if self._before is not None:
                self._before.join()
                self._before = None
            self._train_to_end()
        except _EndedError:
            logger.debug("%s ended before its process began", self._record.name)
        except (Boto3Error, BotoCoreError, ClientError, OSError, ValueError, RuntimeError) as error:
            self._report(TrainingExited(f"ClientError: {error}"))
        except Exception:
            logger.exception("the container run of %s failed", self._record.name)
            self._report(TrainingExited("InternalServerError: We encountered an internal error.  Please try again."))
        if self._end is _End.STOPPED:
            # Even after an error: a job that is stopping waits for this report. A second report changes nothing.
            self._report(PhaseDone())

    def _train_to_end(self) -> None:
        script = self._script()
        sync = self._download()
        self._report(PhaseDone())
        self._wait_until(lambda: self._may_train)
        code = self._train(script, sync)
        if self._end in (_End.INTERRUPTED, _End.FAILED, _End.CLOSING):
            return
        if self._end is None:
            failed = code != 0
            self._report(TrainingExited(failure_reason(self._tree, code) if failed else None))
            # An interruption or a failure may have preceded the report: then nothing is uploaded.
            if failed or self._end in (_End.INTERRUPTED, _End.FAILED, _End.CLOSING):
                return
        self._report(PhaseDone(), model=self._upload())

    def _script(self) -> Path:
        image = self._record.request["AlgorithmSpecification"]["TrainingImage"]
        script = training_script(self._host.images, image)
        if script is None:
            raise ValueError(f"Cannot find the training image: {image}. Image not found.")
        return script

    def _download(self) -> CheckpointSync | None:
        request, s3 = self._record.request, self._host.clients.s3
        shutil.rmtree(self._tree.base, ignore_errors=True)  # a new instance has no files of an earlier run
        prepare(self._tree, request)
        for channel in request.get("InputDataConfig", []):
            self._raise_if_ended()
            location = Location.parse(channel["DataSource"]["S3DataSource"]["S3Uri"])
            folder = self._tree.channel(channel["ChannelName"])
            folder.mkdir(parents=True, exist_ok=True)
            if not download(s3, location, folder, partial(channel_name_of, prefix=location.key)):
                raise ValueError(f"Data download failed: no S3 objects found under {location}")
        if "CheckpointConfig" not in request:
            return None
        self._raise_if_ended()
        location = Location.parse(request["CheckpointConfig"]["S3Uri"])
        sync = CheckpointSync(s3, location, self._tree.checkpoints)
        sync.restore()
        return sync

    def _train(self, script: Path, sync: CheckpointSync | None) -> int:
        log = self._home / "training.log"
        with log.open("a", encoding="utf-8") as lines:

            def keep(line: str) -> None:
                lines.write(f"{line}\n")
                lines.flush()
                self._host.logs.ship(self._log_stream, line)

            command = command_of(self._record.request, script)
            variables = environment(self._tree, self._record, self._host.region)
            process = TrainingProcess(command, self._tree.base, variables, keep, self._changed.set)
            try:
                code = self._follow(process, sync)
            finally:
                process.end(grace=0)
                process.drain(_LAST_LINES)
        if self._end not in (_End.FAILED, _End.CLOSING):
            self._push(sync)
        return code

    def _follow(self, process: TrainingProcess, sync: CheckpointSync | None) -> int:
        while process.code is None and self._end is None:
            self._changed.wait(self._host.sync_every if sync else None)
            self._changed.clear()
            self._push(sync)
        if process.code is not None:
            return process.code
        process.terminate()
        grace = {_End.FAILED: 0.0, _End.CLOSING: min(_CLOSING_GRACE, self._host.grace)}
        until = time.monotonic() + grace.get(self._end or _End.FAILED, self._host.grace)
        while process.code is None and (left := until - time.monotonic()) > 0:
            self._changed.wait(left)
            self._changed.clear()
        process.end(grace=0)
        return process.code if process.code is not None else -9

    def _push(self, sync: CheckpointSync | None) -> None:
        if sync is None:
            return
        try:
            new = sync.push()
        except (BotoCoreError, ClientError, OSError) as error:
            logger.warning("could not copy the checkpoints of %s: %s", self._record.name, error)
            return
        for _ in range(new):
            self._report(CheckpointReached())

    def _upload(self) -> str | None:
        model = self._pack(self._tree.model, "model.tar.gz")
        self._pack(self._tree.output, "output.tar.gz")
        # A completed job always has a model, even an empty one; a stopped job has what it left.
        return model

    def _pack(self, folder: Path, name: str) -> str | None:
        if not any(folder.iterdir()) and (self._end is _End.STOPPED or name != "model.tar.gz"):
            return None
        archive = folder.parent / name
        with tarfile.open(archive, "w:gz") as tar:
            for path in sorted(folder.iterdir()):
                tar.add(path, arcname=path.name)
        uri = model_uri(self._record.request).removesuffix("model.tar.gz") + name
        location = Location.parse(uri)
        self._host.clients.s3.upload_file(str(archive), location.bucket, location.key)
        return uri

    def _report(self, happens: Input, model: str | None = None) -> None:
        if not self.interrupted:  # its report might apply to the next run's phase by now
            self._host.apply(self._record.name, happens, model=model)

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._raise_if_ended()
            self._changed.wait()
            self._changed.clear()

    def _raise_if_ended(self) -> None:
        if self._end is not None:
            raise _EndedError
