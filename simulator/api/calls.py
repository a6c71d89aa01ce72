"""What every call of the API has in common: rates, scripted errors, and the audit log."""

from __future__ import annotations

import logging
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from simulator.api import errors
from simulator.api.errors import ServiceError
from simulator.world.faults import FaultBook
from simulator.world.rates import RateLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.api.audit import AuditLog
    from simulator.world.faults import Faulty
    from simulator.world.scenario import Scenario

Answer = TypeVar("Answer")
logger = logging.getLogger(__name__)


class Calls:
    """Performs calls under the scenario in force; safe to use from several threads. ``now`` returns epoch seconds."""

    def __init__(self, scenario: Scenario, audit: AuditLog, now: Callable[[], float]) -> None:
        self.audit = audit
        self.now = now
        self._lock = Lock()
        self._scenario = scenario
        self._faults = FaultBook()
        self._limits = RateLimits(scenario.rate_rules, now())

    @property
    def scenario(self) -> Scenario:
        """The scenario in force."""
        return self._scenario

    def play(self, scenario: Scenario) -> None:
        """Replace the scenario, for what is created and called from now on."""
        with self._lock:
            self._scenario = scenario
            self._faults = FaultBook()
            self._limits = RateLimits(scenario.rate_rules, self.now())

    def play_before(self, more: Scenario) -> None:
        """Put the rules of ``more`` before those in force, and set its quotas."""
        with self._lock:
            self._scenario = self._scenario.with_first(more)
            if more.rates is not None:
                self._limits = RateLimits(self._scenario.rate_rules, self.now())

    def perform(self, operation: str, rule: Faulty, perform: Callable[[], Answer], **subject: str | None) -> Answer:
        """Perform a call that ``rule`` applies to, and log it; ``subject`` names what it is about.

        Raises
        ------
        ServiceError
            If the call is refused, or its answer is lost.
        """
        try:
            answer = self._perform(operation, rule, perform)
        except ServiceError as error:
            self._log(operation, error.code, error.message, subject)
            raise
        self._log(operation, "ok", None, subject)
        return answer

    def _perform(self, operation: str, rule: Faulty, perform: Callable[[], Answer]) -> Answer:
        with self._lock:
            if not self._limits.allow(operation, self.now()):
                raise errors.throttled()
            fault = self._faults.take(rule, operation)
        lost = ServiceError(fault.code, fault.message, fault.http_status) if fault else None
        if lost and fault and not fault.takes_effect:
            raise lost
        answer = perform()
        if lost:
            raise lost
        return answer

    def _log(self, operation: str, outcome: str, message: str | None, subject: dict[str, str | None]) -> None:
        self.audit.add("call", self.now(), operation=operation, outcome=outcome, message=message, **subject)
        logger.debug("%s %s: %s", operation, subject, message or outcome)
