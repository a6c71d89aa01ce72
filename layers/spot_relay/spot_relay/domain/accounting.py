"""What a run cost and saved, from what DescribeTrainingJob said of its attempts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spot_relay.domain.run import Run


@dataclass(frozen=True)
class Account:
    """Sums over all attempts of a run; seconds are of the job, not multiplied by its instance count.

    ``compared_seconds`` are the training seconds of the attempts whose billable seconds are known, too.
    """

    training_seconds: int
    billable_seconds: int
    waited_seconds: int
    interruptions: int
    compared_seconds: int

    @property
    def savings_percent(self) -> float | None:
        """Give (1 - billable / training) * 100, SageMaker's own formula, or None if nothing trained."""
        if not self.compared_seconds:
            return None
        return round((1 - self.billable_seconds / self.compared_seconds) * 100, 1)


def account_of(run: Run) -> Account:
    """Add up a run's attempts; a field that the service left out counts as 0."""
    return Account(
        training_seconds=sum(a.training_seconds or 0 for a in run.attempts),
        billable_seconds=sum(a.billable_seconds or 0 for a in run.attempts),
        waited_seconds=sum(a.waited_seconds or 0 for a in run.attempts),
        interruptions=sum(a.interruptions for a in run.attempts),
        compared_seconds=sum(a.training_seconds or 0 for a in run.attempts if a.billable_seconds is not None),
    )
