"""A launch: the training job to create for an attempt, or for the canary beside one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spot_relay.domain.sagemaker.request import has_instance_groups, place_job, sleep_in_place, training_image_of
from spot_relay.domain.values import No, dataclass

if TYPE_CHECKING:
    from spot_relay.domain.run.attempt import Attempt, Canary
    from spot_relay.domain.run.run import Run
    from spot_relay.domain.sagemaker.job import Placement

RUN_ID_TAG = "spot-relay:run-id"
ATTEMPT_TAG = "spot-relay:attempt"
SUBMISSION_TAG = "spot-relay:submission"
CANARY_TAG = "spot-relay:canary"


@dataclass(frozen=True)
class Launch:
    """A training job to create: its CreateTrainingJob request, and the tags in it that prove that it is ours."""

    request: dict[str, Any]
    tags: dict[str, str]

    @property
    def job_name(self) -> str:
        """The name of the training job."""
        name: str = self.request["TrainingJobName"]
        return name


@dataclass(frozen=True)
class Created:
    """The training job of a launch exists: it was created now or before."""

    arn: str
    placement: Placement | None = None
    """Where it runs, if it existed before."""


def launch_of_attempt(run: Run, attempt: Attempt) -> Launch:
    """Return the launch of an attempt: the user's job, in the attempt's placement."""
    tags = {RUN_ID_TAG: run.id, ATTEMPT_TAG: str(attempt.number), SUBMISSION_TAG: run.submission_id}
    request = place_job(run.training_job, attempt.job_name, attempt.placement, attempt.max_wait_seconds, tags)
    return Launch(request, tags)


def launch_of_canary(run: Run, canary: Canary, image: str | None = None) -> Launch:
    """Return the launch of a canary, which sleeps in ``image`` or else in the run's training image."""
    tags = {RUN_ID_TAG: run.id, CANARY_TAG: str(canary.number), SUBMISSION_TAG: run.submission_id}
    request = sleep_in_place(run.training_job, canary.job_name, canary.placement, canary.max_wait_seconds, tags, image)
    return Launch(request, tags)


def check_canary(training_job: dict[str, Any]) -> No | None:
    """Return why a run of this job can have no canary, or None if it can."""
    if training_image_of(training_job) is None:
        return No("A canary needs a TrainingImage, and the job has an AlgorithmName.")
    if has_instance_groups(training_job):
        return No("A canary has one instance type, and the job has InstanceGroups.")
    return None
