"""State-change events, put on EventBridge as the scenario wants them: late, doubled, shuffled or lost."""

from __future__ import annotations

import heapq
import json
import logging
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from threading import Condition
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from simulator.api.wire import DETAIL_TYPE, SOURCE, Record, event_detail
from simulator.life.job import Happening, Secondary, Transitioned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

    from simulator.api.audit import AuditLog
    from simulator.real.clients import Clients
    from simulator.world.scenario import Rule

_BATCH = 10  # PutEvents takes at most ten entries
_TRIES = 6
_FIRST_PAUSE = 0.2
logger = logging.getLogger(__name__)


@dataclass(frozen=True, order=True)
class _Letter:
    due: float
    number: int
    job_name: str = field(compare=False)
    secondary: str = field(compare=False)
    entry: PutEventsRequestEntryTypeDef = field(compare=False)
    tries: int = field(default=0, compare=False)


class EventPublisher:
    """Sends each transition to EventBridge from a thread of its own, in the order in which it is due."""

    def __init__(self, clients: Clients, audit: AuditLog) -> None:
        self._clients = clients
        self._audit = audit
        self._letters: list[_Letter] = []
        self._count = 0
        self._randoms: dict[str, Random] = {}
        self._changed = Condition()
        self._closing = False

    def bound(self, request: Mapping[str, Any], rule: Rule) -> frozenset[Secondary]:  # noqa: ARG002
        """Hold no phase: events follow the life, they do not drive it."""
        return frozenset()

    def watch(self, record: Record, happening: Happening) -> None:
        """Post the event of a transition."""
        if not isinstance(happening, Transitioned) or not self._clients.has("events"):
            return
        rule, secondary = record.rule.events, record.life.secondary
        with self._changed:
            draw = self._randoms.setdefault(record.name, Random(f"{rule.seed}:{record.name}"))  # noqa: S311
            lost = draw.random() < rule.drop.fraction or secondary in rule.drop.statuses
            if lost:
                self._log(record.name, secondary.value, "dropped")
                return
            for _ in range(1 + rule.duplicates):
                late = rule.delay_seconds + draw.uniform(0.0, rule.shuffle_within_seconds)
                self._count += 1
                letter = _Letter(
                    due=happening.at + late,
                    number=self._count,
                    job_name=record.name,
                    secondary=secondary.value,
                    entry=_entry(record, happening.at),
                )
                heapq.heappush(self._letters, letter)
            self._changed.notify_all()

    def run(self) -> None:
        """Send what is due, until ``close`` is called."""
        while (letters := self._due()) is not None:
            self._send(letters)

    def close(self) -> None:
        """Let ``run`` return; what is not due yet is not sent."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def _due(self) -> list[_Letter] | None:
        with self._changed:
            while not self._closing:
                now = time.time()
                if self._letters and self._letters[0].due <= now:
                    batch: list[_Letter] = []
                    while self._letters and self._letters[0].due <= now and len(batch) < _BATCH:
                        batch.append(heapq.heappop(self._letters))
                    return batch
                self._changed.wait(self._letters[0].due - now if self._letters else None)
            return None

    def _send(self, letters: list[_Letter]) -> None:
        try:
            answer = self._clients.events.put_events(Entries=[letter.entry for letter in letters])
        except (BotoCoreError, ClientError) as error:
            for letter in letters:
                self._again(letter, str(error))
            return
        for letter, result in zip(letters, answer["Entries"], strict=True):
            if result.get("ErrorCode"):
                self._again(letter, f"{result['ErrorCode']}: {result.get('ErrorMessage')}")
            else:
                self._log(letter.job_name, letter.secondary, "put")

    def _again(self, letter: _Letter, why: str) -> None:
        if letter.tries + 1 >= _TRIES:
            logger.error("gave up the event %s of %s: %s", letter.secondary, letter.job_name, why)
            self._log(letter.job_name, letter.secondary, "failed", why)
            return
        logger.warning("could not put the event %s of %s: %s", letter.secondary, letter.job_name, why)
        pause = _FIRST_PAUSE * 2**letter.tries
        with self._changed:
            heapq.heappush(self._letters, replace(letter, due=time.time() + pause, tries=letter.tries + 1))

    def _log(self, job_name: str, secondary: str, outcome: str, message: str | None = None) -> None:
        self._audit.add(
            "event",
            time.time(),
            job_name=job_name,
            secondary_status=secondary,
            outcome=outcome,
            message=message,
        )


def _entry(record: Record, at: float) -> PutEventsRequestEntryTypeDef:
    return {
        "Source": SOURCE,
        "DetailType": DETAIL_TYPE,
        "Detail": json.dumps(event_detail(record)),
        "Resources": [record.arn],
        "Time": datetime.fromtimestamp(at, UTC),
    }
