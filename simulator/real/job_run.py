"""One run of a job on its instances: download, train, copy checkpoints, upload the model."""

from __future__ import annotations

import logging
import shutil
import tarfile
import time
from enum import Enum, auto
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from simulator.api.wire import model_uri
from simulator.life.job import CheckpointReached, Input, PhaseDone, TrainingExited
from simulator.real.cluster import cluster_of
from simulator.real.container import command_of
from simulator.real.instance_run import InstanceRun
from simulator.real.s3 import Location

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from simulator.api.wire import Record
    from simulator.real.machine import Machine
    from simulator.world.images import Image

_CLOSING_GRACE: Final = 2.0
_MODEL: Final = "model.tar.gz"
logger = logging.getLogger(__name__)


class _End(Enum):
    """Why a run is ended from outside."""

    INTERRUPTED = auto()
    STOPPED = auto()
    FAILED = auto()
    CLOSING = auto()


class _EndedError(Exception):
    """The run was ended from outside before its processes began."""


class JobRun:
    """Works in a thread of its own; ``before`` is the job's previous run, which must end first."""

    def __init__(self, record: Record, number: int, machine: Machine, before: JobRun | None) -> None:
        self._record = record
        self._machine = machine
        self._before = before
        self._home = machine.workdir / record.name / f"{number}"
        cluster = cluster_of(record.request)
        self._instances = [
            InstanceRun(record, cluster, each, machine, self._home / each.host, self._home.parent / f"{each.host}.log")
            for each in cluster.instances
        ]
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
        """Allow the processes to begin."""
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
            logger.debug("%s ended before its processes began", self._record.name)
        except (Boto3Error, BotoCoreError, ClientError, OSError, ValueError, RuntimeError) as error:
            self._report(TrainingExited(f"ClientError: {error}"))
        except Exception:
            logger.exception("the run of %s failed", self._record.name)
            self._report(TrainingExited("InternalServerError: We encountered an internal error.  Please try again."))
        if self._end is _End.STOPPED:
            # Even after an error: a job that is stopping waits for this report. A second report changes nothing.
            self._report(PhaseDone())

    def _find_image(self) -> Image:
        uri = str(self._record.request["AlgorithmSpecification"].get("TrainingImage", ""))
        try:
            return self._machine.images.find(uri)
        except LookupError:
            raise ValueError(f"Cannot find the training image: {uri}. Image not found.") from None

    def _train_to_end(self) -> None:
        image = self._find_image()
        command = command_of(self._record.request, image)
        self._download()
        self._report(PhaseDone())
        self._wait_until(lambda: self._may_train)
        failure = self._train(command, image.environment)
        if self._end in (_End.INTERRUPTED, _End.FAILED, _End.CLOSING):
            return
        if self._end is None:
            self._report(TrainingExited(failure))
            # An interruption or a failure may have preceded the report: then nothing is uploaded.
            if failure is not None or self._end in (_End.INTERRUPTED, _End.FAILED, _End.CLOSING):
                return
        self._report(PhaseDone(), model=self._upload())

    def _download(self) -> None:
        request = self._record.request
        shutil.rmtree(self._home, ignore_errors=True)  # new instances have no files of an earlier simulator's run
        for instance in self._instances:
            instance.prepare()
            for channel in request.get("InputDataConfig", []):
                self._raise_if_ended()
                instance.download(channel)
            if "CheckpointConfig" in request:
                self._raise_if_ended()
                instance.restore(request["CheckpointConfig"]["S3Uri"])

    def _train(self, command: Sequence[str], variables: Mapping[str, str]) -> str | None:
        """Run the processes until all have ended; return why the first that failed did so."""
        try:
            for instance in self._instances:
                instance.start(command, variables, self._changed.set)
            failure = self._follow()
        finally:
            for instance in self._instances:
                instance.end()
        if self._end not in (_End.FAILED, _End.CLOSING):
            self._push()
        return failure

    def _follow(self) -> str | None:
        copies = "CheckpointConfig" in self._record.request
        failure = self._first_failure()
        while failure is None and self._end is None and self._any_runs():
            self._changed.wait(self._machine.sync_every if copies else None)
            self._changed.clear()
            failure = self._first_failure()
            self._push()
        # An instance that fails ends the others, as a stop does.
        self._terminate()
        return failure

    def _terminate(self) -> None:
        for instance in self._instances:
            instance.terminate()
        grace = {_End.FAILED: 0.0, _End.CLOSING: min(_CLOSING_GRACE, self._machine.grace)}
        until = time.monotonic() + grace.get(self._end or _End.STOPPED, self._machine.grace)
        while self._any_runs() and (left := until - time.monotonic()) > 0:
            self._changed.wait(left)
            self._changed.clear()

    def _any_runs(self) -> bool:
        return any(instance.runs for instance in self._instances)

    def _first_failure(self) -> str | None:
        return next((instance.failure for instance in self._instances if instance.failure is not None), None)

    def _push(self) -> None:
        for _ in range(sum(instance.push() for instance in self._instances)):
            self._report(CheckpointReached())

    def _upload(self) -> str | None:
        # A completed job always has a model, even an empty one; a stopped job has what it left.
        model = self._pack([instance.tree.model for instance in self._instances], _MODEL)
        self._pack([instance.tree.output for instance in self._instances], "output.tar.gz")
        return model

    def _pack(self, folders: Sequence[Path], name: str) -> str | None:
        """Upload what the instances left in a folder as one archive; of files with the same name, the first."""
        found: dict[str, Path] = {}
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                found.setdefault(path.relative_to(folder).as_posix(), path)
        if not found and (self._end is _End.STOPPED or name != _MODEL):
            return None
        archive = self._home / name
        with tarfile.open(archive, "w:gz") as tar:
            for inside, path in sorted(found.items()):
                tar.add(path, arcname=inside, recursive=False)
        uri = model_uri(self._record.request).removesuffix(_MODEL) + name
        location = Location.parse(uri)
        self._machine.clients.s3.upload_file(str(archive), location.bucket, location.key)
        return uri

    def _report(self, happens: Input, model: str | None = None) -> None:
        if not self.interrupted:  # its report might apply to the next run's phase by now
            self._machine.apply(self._record.name, happens, model=model)

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._raise_if_ended()
            self._changed.wait()
            self._changed.clear()

    def _raise_if_ended(self) -> None:
        if self._end is not None:
            raise _EndedError
