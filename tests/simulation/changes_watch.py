"""The checks of what users change about open runs: a move and a deadline hold until somebody changes them again."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from bench.descriptions import moment
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.sagemaker.job import Market
from tests.simulation.functions import SKEW
from tests.simulation.violation import ViolationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from spot_relay.domain.run.run import Run
    from tests.simulation.timeline import Timeline


@dataclass
class ChangesWatch:
    """Watches the changes of one play; ``asking`` counts the users that ask for one of a run right now."""

    timeline: Timeline
    asking: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def asks(self, run_id: str) -> Iterator[None]:
        """Let a user ask for a change."""
        self.asking[run_id] += 1
        try:
            yield
        finally:
            self.asking[run_id] -= 1

    def saved(self, before: Run, after: Run) -> None:
        """Check a write to the store."""
        changed = (before.deadline_at, before.policy) != (after.deadline_at, after.policy)
        if not self.asking[after.id]:
            if changed:
                raise ViolationError(11, f"the deadline or the policy of {after.id} has changed, and nobody had asked")
            self._check_move(before, after)
        elif changed and not before.has_ended:
            self._check_deadline(after)

    def _check_move(self, before: Run, after: Run) -> None:
        attempt, known = after.current, before.attempt(after.current.number)
        if after.moved_to is not before.moved_to and not (before.moved_to is Market.SPOT and after.moved_to is None):
            raise ViolationError(11, f"{after.id} has forgotten that its user has moved it to {before.moved_to}")
        # What SageMaker refuses for good or no money pays for may lead elsewhere.
        is_bound = not after.closed and after.policy.budgets.money_usd is None and before.moved_to is not None
        is_new = attempt.status is AttemptStatus.PLANNED and (known is None or known.placement != attempt.placement)
        if not (is_bound and is_new) or attempt.placement.market is before.moved_to:
            return
        if before.moved_to is Market.SPOT and attempt.cause is Cause.SAFETY_NET:
            return
        raise ViolationError(11, f"{attempt.job_name} is planned {attempt.placement}, moved to {before.moved_to}")

    def _check_deadline(self, after: Run) -> None:
        """Hold a deadline that was accepted to the time that the rest of the training takes on-demand."""
        deadline = after.policy.deadline
        if deadline is None or after.deadline_at is None:
            return
        left = max(0.0, deadline.expected_runtime_seconds - after.progress_seconds) + deadline.changeover_seconds
        if after.deadline_at < moment(self.timeline.now - SKEW) + timedelta(seconds=left - 1):
            raise ViolationError(11, f"{after.id} has the deadline {after.deadline_at}, and needs {left:.0f} s more")
