"""SageMaker's training jobs through boto3."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError, ParamValidationError
from botocore.exceptions import ConnectionError as UnreachableError

from spot_relay.domain.run.launch import canary_request, canary_tags, launch_request, launch_tags
from spot_relay.domain.run.observation import CanaryCreated, CanaryRefused, Launched, Refused
from spot_relay.domain.run.run import placement_of
from spot_relay.domain.sagemaker.job import Absent, Job, Transition
from spot_relay.domain.sagemaker.redaction import without_secrets
from spot_relay.domain.sagemaker.refusal import Refusal, quota_refusal

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_sagemaker import SageMakerClient

    from spot_relay.domain.run.run import Attempt, Canary, Run

_THROTTLES = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"})
_FINAL = frozenset({"ValidationException", "AccessDeniedException", "AccessDenied", "ResourceNotFound"})
_NOT_FOUND = "Requested resource not found"
_ENDED_ALREADY = "The request was rejected because the training job is in status"


@dataclass(frozen=True)
class SageMakerTrainingJobs:
    """Training jobs of one account and region; canaries sleep in ``canary_image`` or else in the job's own image."""

    client: SageMakerClient
    canary_image: str | None = None

    def create(self, run: Run, attempt: Attempt) -> Launched | Refused:
        """Create the attempt's job; one that exists already and carries the run's tags counts as launched.

        An error that says nothing about the request, such as expired credentials, is raised.
        """
        match self._created(launch_request(run, attempt), launch_tags(run, attempt)):
            case str() as arn:
                return Launched(attempt.number, arn)
            case Job() as job:
                return Launched(attempt.number, job.arn, job.placement)
            case refusal, message:
                return Refused(attempt.number, refusal, message)

    def create_canary(self, run: Run, canary: Canary) -> CanaryCreated | CanaryRefused:
        """Create a canary's job, idempotently as `create` does."""
        match self._created(canary_request(run, canary, self.canary_image), canary_tags(run, canary)):
            case str() as arn:
                return CanaryCreated(canary.number, arn)
            case Job() as job:
                return CanaryCreated(canary.number, job.arn)
            case refusal, message:
                return CanaryRefused(canary.number, refusal, message)

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
        return self._find(attempt.job_name, launch_tags(run, attempt))

    def find_canary(self, run: Run, canary: Canary) -> Job | Absent:
        """Describe the canary's own job, as `find` does an attempt's."""
        return self._find(canary.job_name, canary_tags(run, canary))

    def stop(self, job_name: str) -> None:
        """Ask SageMaker to stop a job; one that has ended or never was is left as it is."""
        try:
            self.client.stop_training_job(TrainingJobName=job_name)
        except ClientError as error:
            if not (_says(error, _ENDED_ALREADY) or _says(error, _NOT_FOUND)):
                raise

    def _created(self, request: dict[str, Any], tags: dict[str, str]) -> str | Job | tuple[Refusal, str]:
        """Create a job and give its ARN, or the job of that name and with the tags that is there, or say why not."""
        name: str = request["TrainingJobName"]
        try:
            return self.client.create_training_job(**request)["TrainingJobArn"]
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            if code == "ResourceInUse":
                return self._whose(name, tags)
            refusal = _refusal(error)
            if refusal is None:
                raise _without_secrets(error, request) from None
            return self._unless_created(name, tags, refusal, message)
        except ParamValidationError as error:
            return self._unless_created(name, tags, Refusal.INVALID, str(error))
        except (UnreachableError, HTTPClientError) as error:
            # The job may have been created all the same: the same name is tried again, and then found.
            return Refusal.UNAVAILABLE, f"SageMaker did not answer: {error}."

    def _unless_created(
        self, name: str, tags: dict[str, str], refusal: Refusal, message: str
    ) -> Job | tuple[Refusal, str]:
        """Refuse, unless an earlier launch of the job succeeded although its answer was lost."""
        job = Absent() if refusal.leaves_open else self._find(name, tags)
        return job if isinstance(job, Job) else (refusal, message)

    def _find(self, name: str, tags: dict[str, str]) -> Job | Absent:
        job = self.describe(name)
        return job if isinstance(job, Job) and self._has(job.arn, tags) else Absent()

    def _whose(self, name: str, tags: dict[str, str]) -> Job | tuple[Refusal, str]:
        """Tell whether the job that holds a name is the one that was to be created."""
        job = read_job(self.client.describe_training_job(TrainingJobName=name))  # type: ignore[arg-type]
        if self._has(job.arn, tags):
            return job
        return Refusal.NAME_TAKEN, f"there is a training job {job.arn} already, and it is not this run's."

    def _has(self, arn: str, tags: dict[str, str]) -> bool:
        pages = self.client.get_paginator("list_tags").paginate(ResourceArn=arn)
        found = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
        return tags.items() <= found.items()


def read_job(answer: dict[str, Any]) -> Job:
    """Read a DescribeTrainingJob answer."""
    return Job(
        name=answer["TrainingJobName"],
        arn=answer["TrainingJobArn"],
        status=answer["TrainingJobStatus"],
        secondary_status=answer["SecondaryStatus"],
        created_at=answer["CreationTime"].astimezone(UTC),
        modified_at=answer["LastModifiedTime"].astimezone(UTC),
        placement=placement_of(answer),
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


def _without_secrets(error: ClientError, request: dict[str, Any]) -> ClientError:
    """Give an error as it may be logged: its message may quote the request."""
    told = error.response["Error"]
    response: Any = {**error.response, "Error": {**told, "Message": without_secrets(told["Message"], request)}}
    return ClientError(response, error.operation_name)


def _says(error: ClientError, text: str) -> bool:
    return error.response["Error"]["Message"].startswith(text)
