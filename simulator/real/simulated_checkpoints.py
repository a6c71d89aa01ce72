"""Simulated checkpoints: small objects in S3, written and found again by jobs that run no process."""

from __future__ import annotations

import json
import logging
import re
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from simulator.api.rules import is_local
from simulator.life.job import CheckpointWritten, Happening, PhaseDone, Secondary, TrainingExited
from simulator.real.s3 import Place, keys_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.api.wire import Record
    from simulator.real.clients import Clients
    from simulator.real.stretch import Tell
    from simulator.world.scenario import Rule

logger = logging.getLogger(__name__)


class SimulatedCheckpoints:
    """One queue for all reads and writes, so that a job finds what an earlier one wrote."""

    def __init__(self, clients: Clients, tell: Tell) -> None:
        self._clients = clients
        self._tell = tell
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def bound(self, request: Mapping[str, Any], rule: Rule) -> frozenset[Secondary]:
        """Hold Downloading until it is known which checkpoint the job goes on from."""
        return frozenset({Secondary.DOWNLOADING}) if self._checkpoints(request, rule) else frozenset()

    def watch(self, record: Record, happening: Happening) -> None:
        """Restore when the job downloads, write when a checkpoint is due."""
        if not self._checkpoints(record.request, record.rule):
            return
        if isinstance(happening, CheckpointWritten):
            number = happening.number
            self._work.put(lambda: self._write(record, number))
        elif record.life.secondary is Secondary.DOWNLOADING:
            self._work.put(lambda: self._restore(record))

    def run(self) -> None:
        """Read and write until ``close`` is called, and what came before."""
        while (work := self._work.get()) is not None:
            work()

    def close(self) -> None:
        """Let ``run`` return."""
        self._work.put(None)

    def _checkpoints(self, request: Mapping[str, Any], rule: Rule) -> bool:
        wanted = rule.checkpoints is not None and "CheckpointConfig" in request
        return wanted and not is_local(request) and self._clients.has("s3")

    def _write(self, record: Record, number: int) -> None:
        rule = record.rule.checkpoints
        if rule is None:
            return
        prefix = Place.parse(record.request["CheckpointConfig"]["S3Uri"])
        place = prefix.below(rule.name.replace("{number}", str(number)))
        body = json.dumps({"training_job": record.name, "checkpoint": number})
        try:
            self._clients.s3.put_object(Bucket=place.bucket, Key=place.key, Body=body.encode())
        except (BotoCoreError, ClientError) as error:
            logger.warning("could not write %s: %s", place, error)

    def _restore(self, record: Record) -> None:
        rule = record.rule.checkpoints
        if rule is None:
            return
        opening, ending = (re.escape(part) for part in rule.name.split("{number}"))
        pattern = re.compile(rf".*{opening}(\d+){ending}")
        place = Place.parse(record.request["CheckpointConfig"]["S3Uri"])
        try:
            matches = (pattern.fullmatch(key) for key in keys_at(self._clients.s3, place))
            newest = max((int(match[1]) for match in matches if match), default=0)
        except (BotoCoreError, ClientError) as error:
            reason = f"ClientError: could not restore the checkpoints at {place}: {error}"
            self._tell(record.name, TrainingExited(reason))
            return
        self._tell(record.name, PhaseDone(work=newest * rule.every_seconds))
