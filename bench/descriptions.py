"""Describes simulated jobs as values of Spot Relay's domain, as the adapter for SageMaker describes real ones."""

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

# The moment at which a replay or a simulation shows 0 seconds.
BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Describer:
    """Describes one job in a placement; keeps the transitions that it has converted, as a job is described often."""

    placement: Placement
    shown: tuple[Transition, ...] = ()

    def describe(self, job: JobLife, now: float) -> Job:
        """Return what DescribeTrainingJob would show at ``now``, in seconds since the beginning."""
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
            model_artifacts=model_of(job.name) if job.status == "Completed" else None,
        )

    def _transitions(self, job: JobLife) -> tuple[Transition, ...]:
        # All but the last one are final.
        known, entries = self.shown[:-1], job.transitions
        self.shown = (*known, *(_transition(entry) for entry in entries[len(known) :]))
        return self.shown


def model_of(job_name: str) -> str:
    """Return where the model of a job is that has completed."""
    return f"s3://models/output/{job_name}/output/model.tar.gz"


def moment(seconds: float) -> datetime:
    """Return the time ``seconds`` after the beginning."""
    return BEGINNING + timedelta(seconds=seconds)


def _transition(entry: LifeTransition) -> Transition:
    ended_at = None if entry.ended_at is None else moment(entry.ended_at)
    return Transition(entry.status, moment(entry.started_at), ended_at)
