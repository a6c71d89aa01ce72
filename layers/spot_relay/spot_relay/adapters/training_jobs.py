"""SageMaker's training jobs through boto3."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError, ParamValidationError
from botocore.exceptions import ConnectionError as UnreachableError

from spot_relay.domain.job import Absent, Job, Transition
from spot_relay.domain.launch import launch_request, launch_tags
from spot_relay.domain.observation import Launched, Refused
from spot_relay.domain.refusal import Refusal, quota_refusal

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_sagemaker import SageMakerClient

    from spot_relay.domain.run import Attempt, Run

_THROTTLES = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"})
_FINAL = frozenset({"ValidationException", "AccessDeniedException", "AccessDenied", "ResourceNotFound"})
_NOT_FOUND = "Requested resource not found"
_ENDED_ALREADY = "The request was rejected because the training job is in status"


@dataclass(frozen=True)
class SageMakerTrainingJobs:
    """Training jobs of one account and region."""

    client: SageMakerClient

    def create(self, run: Run, attempt: Attempt) -> Launched | Refused:
        """Create the attempt's job; one that exists already and carries the run's tags counts as launched.

        An error that says nothing about the request, such as expired credentials, is raised.
        """
        try:
            answer = self.client.create_training_job(**launch_request(run, attempt))
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceInUse":
                return self._whose(run, attempt)
            refusal = _refusal(error)
            if refusal is None:
                raise
            return self._unless_created(run, attempt, refusal, error.response["Error"]["Message"])
        except ParamValidationError as error:
            return self._unless_created(run, attempt, Refusal.INVALID, str(error))
        except (UnreachableError, HTTPClientError) as error:
            # The job may have been created all the same: the same name is tried again, and then found.
            return Refused(attempt.number, Refusal.UNAVAILABLE, f"SageMaker did not answer: {error}.")
        return Launched(attempt.number, answer["TrainingJobArn"])

    def describe(self, job_name: str) -> Job | Absent:
        """Describe a job, or say that there is none of that name. Whatever else goes wrong is raised."""
        try:
            answer = self.client.describe_training_job(TrainingJobName=job_name)
        except ClientError as error:
            if _says(error, _NOT_FOUND):
                return Absent()
            raise
        return read_job(answer)  # type: ignore[arg-type]

    def find(self, run: Run, attempt: Attempt) -> Job | Absent:
        """Describe the attempt's own job, known by its tags; another's job of the same name counts as absent."""
        job = self.describe(attempt.job_name)
        return job if isinstance(job, Job) and self._is_ours(run, attempt, job.arn) else Absent()

    def stop(self, job_name: str) -> None:
        """Ask SageMaker to stop a job; one that has ended or never was is left as it is."""
        try:
            self.client.stop_training_job(TrainingJobName=job_name)
        except ClientError as error:
            if not (_says(error, _ENDED_ALREADY) or _says(error, _NOT_FOUND)):
                raise

    def _unless_created(self, run: Run, attempt: Attempt, refusal: Refusal, message: str) -> Launched | Refused:
        """Refuse, unless an earlier launch of the attempt succeeded although its answer was lost."""
        job = Absent() if refusal.passes else self.find(run, attempt)
        if isinstance(job, Job):
            return Launched(attempt.number, job.arn)
        return Refused(attempt.number, refusal, message)

    def _whose(self, run: Run, attempt: Attempt) -> Launched | Refused:
        """Tell whether the job that holds the attempt's name is the attempt's own."""
        arn = self.client.describe_training_job(TrainingJobName=attempt.job_name)["TrainingJobArn"]
        if self._is_ours(run, attempt, arn):
            return Launched(attempt.number, arn)
        message = f"there is a training job {arn} already, and it is not this run's."
        return Refused(attempt.number, Refusal.NAME_TAKEN, message)

    def _is_ours(self, run: Run, attempt: Attempt, arn: str) -> bool:
        pages = self.client.get_paginator("list_tags").paginate(ResourceArn=arn)
        tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
        return launch_tags(run, attempt).items() <= tags.items()


def read_job(answer: dict[str, Any]) -> Job:
    """Read a DescribeTrainingJob answer."""
    return Job(
        name=answer["TrainingJobName"],
        arn=answer["TrainingJobArn"],
        status=answer["TrainingJobStatus"],
        secondary_status=answer["SecondaryStatus"],
        created_at=answer["CreationTime"].astimezone(UTC),
        modified_at=answer["LastModifiedTime"].astimezone(UTC),
        failure_reason=answer.get("FailureReason"),
        training_started_at=_utc(answer.get("TrainingStartTime")),
        ended_at=_utc(answer.get("TrainingEndTime")),
        training_seconds=answer.get("TrainingTimeInSeconds"),
        billable_seconds=answer.get("BillableTimeInSeconds"),
        transitions=tuple(
            Transition(entry["Status"], entry["StartTime"].astimezone(UTC), _utc(entry.get("EndTime")))
            for entry in answer.get("SecondaryStatusTransitions", [])
        ),
    )


def _utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment else None


def _refusal(error: ClientError) -> Refusal | None:
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    if code in _THROTTLES:
        return Refusal.THROTTLED
    if code == "ResourceLimitExceeded":
        return quota_refusal(message)
    if code in _FINAL:
        return Refusal.INVALID
    if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
        return Refusal.UNAVAILABLE
    return None


def _says(error: ClientError, text: str) -> bool:
    return error.response["Error"]["Message"].startswith(text)
