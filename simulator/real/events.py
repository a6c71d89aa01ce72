"""Publishes state-change events: to EventBridge, to a function, or to both."""

from __future__ import annotations

import heapq
import json
import logging
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Condition
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from simulator.api.wire import Record, state_change
from simulator.life.job import Happening, Secondary, Transitioned
from simulator.world.deliveries import Deliveries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
    subject: Mapping[str, str] = field(compare=False)
    event: Mapping[str, Any] = field(compare=False)
    tries: int = field(default=0, compare=False)


class EventPublisher:
    """Publishes events in the order in which their copies are due, one for each transition of a job among them.

    ``on_event`` is called with each event in the form in which EventBridge delivers it to a target.
    """

    def __init__(
        self,
        clients: Clients,
        audit: AuditLog,
        now: Callable[[], float],
        on_event: Callable[[dict[str, Any]], object] | None = None,
    ) -> None:
        self.changed = Condition()
        self._clients = clients
        self._audit = audit
        self._now = now
        self._on_event = on_event
        self._letters: list[_Letter] = []
        self._count = 0
        self._deliveries = Deliveries()

    @property
    def publishes(self) -> bool:
        """Whether anybody receives events."""
        return self._on_event is not None or self._clients.has("events")

    def held_phases(self, request: Mapping[str, Any], rule: Rule, *, real: bool) -> frozenset[Secondary]:  # noqa: ARG002
        """Hold no phase: events follow the life of a job, they do not drive it."""
        return frozenset()

    def observe(self, record: Record, happening: Happening) -> None:
        """Schedule the event of a transition."""
        if not isinstance(happening, Transitioned) or not self.publishes:
            return
        secondary = record.life.secondary
        delays = self._deliveries.delays(record.name, secondary, record.rule.events)
        subject = {"job_name": record.name, "secondary_status": secondary.value}
        self.post(state_change(record, happening.at), delays, happening.at, subject)

    def post(self, event: Mapping[str, Any], delays: Sequence[float], at: float, subject: Mapping[str, str]) -> None:
        """Schedule the copies of an event of the moment ``at``; the log shows ``subject`` with each of them."""
        if not self.publishes:
            return
        with self.changed:
            if not delays:
                self._log(subject, "dropped")
            for delay in delays:
                self._count += 1
                heapq.heappush(self._letters, _Letter(at + delay, self._count, subject, event))
            self.changed.notify_all()

    def next_due(self) -> float | None:
        """Return when the next event is due."""
        with self.changed:
            return self._letters[0].due if self._letters else None

    def catch_up(self) -> None:
        """Publish the events that are due."""
        while letters := self._take_due():
            self._publish(letters)

    def _take_due(self) -> list[_Letter]:
        batch: list[_Letter] = []
        with self.changed:
            while self._letters and self._letters[0].due <= self._now() and len(batch) < _BATCH:
                batch.append(heapq.heappop(self._letters))
        return batch

    def _publish(self, letters: Sequence[_Letter]) -> None:
        errors = self._put([letter.event for letter in letters])
        for letter, error in zip(letters, errors, strict=True):
            if error is not None:
                self._try_again(letter, error)
                continue
            self._log(letter.subject, "put")
            if self._on_event is not None:
                self._on_event(dict(letter.event))

    def _put(self, events: Sequence[Mapping[str, Any]]) -> Sequence[str | None]:
        """Put events on EventBridge, if there is one; return the error of each, or ``None``."""
        if not self._clients.has("events"):
            return [None] * len(events)
        try:
            answer = self._clients.events.put_events(Entries=[_entry(event) for event in events])
        except (BotoCoreError, ClientError) as error:
            return [str(error)] * len(events)
        return [
            f"{result['ErrorCode']}: {result.get('ErrorMessage')}" if result.get("ErrorCode") else None
            for result in answer["Entries"]
        ]

    def _try_again(self, letter: _Letter, why: str) -> None:
        if letter.tries + 1 >= _TRIES:
            logger.error("gave up on the event %s: %s", dict(letter.subject), why)
            self._log(letter.subject, "failed", why)
            return
        logger.warning("could not put the event %s: %s", dict(letter.subject), why)
        pause = _FIRST_PAUSE * 2**letter.tries
        with self.changed:
            heapq.heappush(self._letters, replace(letter, due=self._now() + pause, tries=letter.tries + 1))

    def _log(self, subject: Mapping[str, str], outcome: str, message: str | None = None) -> None:
        self._audit.add("event", self._now(), outcome=outcome, message=message, **subject)


def _entry(event: Mapping[str, Any]) -> PutEventsRequestEntryTypeDef:
    return {
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
        "Resources": event["resources"],
        "Time": datetime.fromisoformat(event["time"]),
    }
