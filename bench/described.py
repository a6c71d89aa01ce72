"""What DescribeTrainingJob says of a job on a virtual clock, in the words of Spot Relay's domain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from simulator import life
from spot_relay.domain.sagemaker.job import Job, Transition

if TYPE_CHECKING:
    from simulator.life.job import Job as JobLife
    from simulator.life.job import Transition as LifeTransition
    from spot_relay.domain.sagemaker.job import Placement

# When a virtual clock shows 0.
BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Describer:
    """Describes one job, which runs in a placement, again and again; what was shown of its transitions is kept."""

    placement: Placement
    shown: tuple[Transition, ...] = ()

    def describe(self, job: JobLife, now: float) -> Job:
        """Say what DescribeTrainingJob would at ``now``, in seconds since the beginning."""
        modified_at = moment(job.last_modified_at)
        return Job(
            name=job.name,
            arn=f"arn:aws:sagemaker:us-east-1:111122223333:training-job/{job.name}",
            status=job.status,
            secondary_status=job.secondary,
            created_at=moment(job.created_at),
            modified_at=modified_at,
            placement=self.placement,
            failure_reason=job.failure_reason,
            training_started_at=None if job.training_started_at is None else moment(job.training_started_at),
            ended_at=modified_at if job.ended else None,
            training_seconds=life.training_seconds(job, now) if job.ended else None,
            billable_seconds=life.billable_seconds(job, now) if job.ended else None,
            transitions=self._transitions(job),
        )

    def _transitions(self, job: JobLife) -> tuple[Transition, ...]:
        # All but the last one stay as they are.
        known, entries = self.shown[:-1], job.transitions
        self.shown = (*known, *(_transition(entry) for entry in entries[len(known) :]))
        return self.shown


def moment(seconds: float) -> datetime:
    """Give the time that a virtual clock shows."""
    return BEGINNING + timedelta(seconds=seconds)


def _transition(entry: LifeTransition) -> Transition:
    ended_at = None if entry.ended_at is None else moment(entry.ended_at)
    return Transition(entry.status, moment(entry.started_at), ended_at)
