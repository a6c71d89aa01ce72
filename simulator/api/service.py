"""All of SageMaker's API: training jobs and hosting, under one scenario and one log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from simulator.api import errors
from simulator.api.calls import Calls
from simulator.api.hosting.hosting import Hosting
from simulator.api.hosting.materials import Anything
from simulator.api.training_jobs import TrainingJobs
from simulator.world.images import is_local

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.api.account import Account
    from simulator.api.audit import AuditLog
    from simulator.api.hosting.hosting import Invocation, Prediction
    from simulator.api.hosting.materials import Materials
    from simulator.api.wire import Record
    from simulator.world.scenario import Scenario


class Service:
    """Everything that an account has.

    ``now`` returns epoch seconds. ``settle`` is called after each call of the API. ``materials`` knows which images and
    model data exist; without it, all do. ``runs`` says of an image whether it is a real process.
    """

    def __init__(
        self,
        account: Account,
        scenario: Scenario,
        audit: AuditLog,
        now: Callable[[], float] = time.time,
        settle: Callable[[], None] = lambda: None,
        materials: Materials | None = None,
        runs: Callable[[str], bool] = is_local,
    ) -> None:
        self.audit = audit
        self._calls = Calls(scenario, audit, now)
        self.jobs = TrainingJobs(account, self._calls, settle, runs)
        self.hosting = Hosting(account, self._calls, settle, materials or Anything())

    @property
    def scenario(self) -> Scenario:
        """The scenario in force."""
        return self._calls.scenario

    def play(self, scenario: Scenario) -> None:
        """Replace the scenario, for what is created and called from now on."""
        self._calls.play(scenario)

    def play_before(self, more: Scenario) -> None:
        """Put the rules of ``more`` before those in force, and set its quotas."""
        self._calls.play_before(more)

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Perform an operation of the API, and log it.

        Raises
        ------
        ServiceError
            If the operation is refused.
        """
        if self.hosting.has(operation, request):
            return self.hosting.call(operation, request)
        if operation in self.jobs.operations:
            return self.jobs.call(operation, request)
        known = [*self.jobs.operations, *self.hosting.operations, "InvokeEndpoint"]
        raise errors.unknown_operation(operation, known)

    def invoke(self, name: str, invocation: Invocation) -> Prediction:
        """Perform InvokeEndpoint, and log it; a ServiceError if it is refused or fails."""
        return self.hosting.invoke(name, invocation)

    def record(self, name: str) -> Record | None:
        """Return a training job, or ``None`` if there is none of this name."""
        return self.jobs.record(name)
