"""What jobs without a process leave behind: checkpoints, a model and a log line, none of which pretends to be real."""

from __future__ import annotations

import gzip
import json
import logging
import re
import tarfile
from collections import deque
from functools import partial
from io import BytesIO
from threading import Condition
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from simulator.api.wire import SIMULATED, model_uri
from simulator.life.job import CheckpointWritten, Happening, PhaseDone, Secondary, TrainingExited, Transitioned
from simulator.real.cluster import cluster_of
from simulator.real.s3 import Location, list_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.api.training_jobs import Apply
    from simulator.api.wire import Record
    from simulator.real.clients import Clients
    from simulator.real.logs import LogShipper
    from simulator.world.scenario import CheckpointsRule, Rule

_AT_ONCE: Final = float("-inf")
logger = logging.getLogger(__name__)


class SimulatedTraining:
    """One queue for all reads and writes, so that a job finds what an earlier one wrote."""

    def __init__(self, clients: Clients, logs: LogShipper, apply: Apply) -> None:
        self.changed = Condition()
        self._clients = clients
        self._logs = logs
        self._apply = apply
        self._work: deque[Callable[[], None]] = deque()

    def held_phases(self, request: Mapping[str, Any], rule: Rule, *, real: bool) -> frozenset[Secondary]:
        """Hold Downloading until the checkpoint to continue from is known, and Uploading until there is a model."""
        if real or not self._clients.has("s3"):
            return frozenset()
        return frozenset({Secondary.UPLOADING, *([Secondary.DOWNLOADING] if self._rule(request, rule) else [])})

    def observe(self, record: Record, happening: Happening) -> None:
        """Restore when the job downloads, write when a checkpoint is due, upload when it has trained."""
        if record.real:
            return
        rule = self._rule(record.request, record.rule)
        if isinstance(happening, CheckpointWritten):
            if rule is not None:
                self._queue(partial(self._write, record, rule, happening.number))
        elif record.life.secondary is Secondary.DOWNLOADING:
            if rule is not None:
                self._queue(partial(self._restore, record, rule))
        elif record.life.secondary is Secondary.TRAINING:
            self._log(record, happening)
        elif record.life.secondary is Secondary.UPLOADING and self._clients.has("s3"):
            self._queue(partial(self._upload, record))

    def next_due(self) -> float | None:
        """Return a time in the past while there is work in the queue."""
        return _AT_ONCE if self._work else None

    def catch_up(self) -> None:
        """Empty the queue."""
        while self._work:
            self._work.popleft()()

    def _queue(self, work: Callable[[], None]) -> None:
        with self.changed:
            self._work.append(work)
            self.changed.notify_all()

    def _rule(self, request: Mapping[str, Any], rule: Rule) -> CheckpointsRule | None:
        wanted = "CheckpointConfig" in request and self._clients.has("s3")
        return rule.checkpoints if wanted else None

    def _log(self, record: Record, happening: Transitioned) -> None:
        for host in cluster_of(record.request).hosts:
            stream = f"{record.name}/{host}-{round(happening.at * 1000)}"
            self._logs.ship(stream, f"{record.name} on {host}: {SIMULATED}", happening.at)

    def _upload(self, record: Record) -> None:
        place = Location.parse(model_uri(record.request))
        try:
            self._clients.s3.put_object(Bucket=place.bucket, Key=place.key, Body=_model_of(record))
        except (BotoCoreError, ClientError) as error:
            self._apply(record.name, TrainingExited(f"ClientError: could not upload the model to {place}: {error}"))
            return
        self._apply(record.name, PhaseDone())

    def _write(self, record: Record, rule: CheckpointsRule, number: int) -> None:
        prefix = Location.parse(record.request["CheckpointConfig"]["S3Uri"])
        target = prefix.below(rule.name.replace("{number}", str(number)))
        body = json.dumps({"training_job": record.name, "checkpoint": number})
        try:
            self._clients.s3.put_object(Bucket=target.bucket, Key=target.key, Body=body.encode())
        except (BotoCoreError, ClientError) as error:
            logger.warning("could not write %s: %s", target, error)

    def _restore(self, record: Record, rule: CheckpointsRule) -> None:
        before, after = (re.escape(part) for part in rule.name.split("{number}"))
        pattern = re.compile(rf".*{before}(\d+){after}")
        prefix = Location.parse(record.request["CheckpointConfig"]["S3Uri"])
        try:
            matches = (pattern.fullmatch(key) for key in list_keys(self._clients.s3, prefix))
            newest = max((int(match[1]) for match in matches if match), default=0)
        except (BotoCoreError, ClientError) as error:
            reason = f"ClientError: could not restore the checkpoints at {prefix}: {error}"
            self._apply(record.name, TrainingExited(reason))
            return
        self._apply(record.name, PhaseDone(work=newest * rule.every_seconds))


def _model_of(record: Record) -> bytes:
    """Return the archive of a job's model: a single file that says that there is none."""
    text = json.dumps({"training_job": record.name, "model": SIMULATED}).encode()
    plain = BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        member = tarfile.TarInfo("simulated.json")
        member.size = len(text)
        archive.addfile(member, BytesIO(text))
    return gzip.compress(plain.getvalue(), mtime=0)
