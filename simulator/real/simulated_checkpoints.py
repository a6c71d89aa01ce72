"""Simulated checkpoints: small objects in S3, written and found again by jobs that run no process."""

from __future__ import annotations

import json
import logging
import re
from collections import deque
from threading import Condition
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from simulator.api.rules import is_local
from simulator.life.job import CheckpointWritten, Happening, PhaseDone, Secondary, TrainingExited
from simulator.real.s3 import Location, list_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.api.training_jobs import Apply
    from simulator.api.wire import Record
    from simulator.real.clients import Clients
    from simulator.world.scenario import CheckpointsRule, Rule

_AT_ONCE: Final = float("-inf")
logger = logging.getLogger(__name__)


class SimulatedCheckpoints:
    """One queue for all reads and writes, so that a job finds what an earlier one wrote."""

    def __init__(self, clients: Clients, apply: Apply) -> None:
        self.changed = Condition()
        self._clients = clients
        self._apply = apply
        self._work: deque[Callable[[], None]] = deque()

    def held_phases(self, request: Mapping[str, Any], rule: Rule) -> frozenset[Secondary]:
        """Hold Downloading until it is known which checkpoint the job continues from."""
        return frozenset({Secondary.DOWNLOADING}) if self._rule(request, rule) else frozenset()

    def observe(self, record: Record, happening: Happening) -> None:
        """Restore when the job downloads, write when a checkpoint is due."""
        rule = self._rule(record.request, record.rule)
        if rule is None:
            return
        if isinstance(happening, CheckpointWritten):
            number = happening.number
            self._queue(lambda: self._write(record, rule, number))
        elif record.life.secondary is Secondary.DOWNLOADING:
            self._queue(lambda: self._restore(record, rule))

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
        wanted = "CheckpointConfig" in request and not is_local(request) and self._clients.has("s3")
        return rule.checkpoints if wanted else None

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
