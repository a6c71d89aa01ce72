"""Create, describe and stop SageMaker's training jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, HTTPClientError, ParamValidationError
from botocore.exceptions import ConnectionError as UnreachableError

from spot_relay.domain.run.launch import Created
from spot_relay.domain.sagemaker.job import Absent, Job, Transition
from spot_relay.domain.sagemaker.redaction import hide_secrets
from spot_relay.domain.sagemaker.refusal import NotCreated, Refusal, classify_quota
from spot_relay.domain.sagemaker.request import placement_of
from spot_relay.domain.values import as_sentence

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_sagemaker import SageMakerClient

    from spot_relay.domain.run.launch import Launch

_THROTTLES = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"})
_FINAL = frozenset({"ValidationException", "AccessDeniedException", "AccessDenied", "ResourceNotFound"})
_NOT_FOUND = "Requested resource not found"
_ENDED_ALREADY = "The request was rejected because the training job is in status"


@dataclass(frozen=True)
class SageMakerTrainingJobs:
    """Training jobs of one account and region."""

    client: SageMakerClient

    def create(self, launch: Launch) -> Created | NotCreated:
        """Create a training job; one that exists already and has the launch's tags counts as created.

        An error that says nothing about the request, such as expired credentials, is raised.
        """
        try:
            return Created(self.client.create_training_job(**launch.request)["TrainingJobArn"])
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            if code == "ResourceInUse":
                return self._adopt(launch)
            refusal = _classify(error)
            if refusal is None:
                raise _hide_secrets(error, launch.request) from None
            return self._refuse(launch, NotCreated(message, refusal))
        except ParamValidationError as error:
            return self._refuse(launch, NotCreated(str(error), Refusal.INVALID))
        except (UnreachableError, HTTPClientError) as error:
            # The job may have been created all the same. The next try uses the same name, and finds it.
            return NotCreated(as_sentence(f"SageMaker did not answer: {error}"), Refusal.UNAVAILABLE)

    def describe(self, job_name: str) -> Job | Absent:
        """Describe a job, or return Absent if there is none of that name. Any other error is raised."""
        try:
            answer = self.client.describe_training_job(TrainingJobName=job_name)
        except ClientError as error:
            if _says(error, _NOT_FOUND):
                return Absent()
            raise
        return read_job(answer)  # type: ignore[arg-type]

    def find(self, launch: Launch) -> Job | Absent:
        """Describe the job of a launch, recognised by its tags; another job of the same name counts as absent."""
        job = self.describe(launch.job_name)
        return job if isinstance(job, Job) and self._has_tags(job.arn, launch.tags) else Absent()

    def stop(self, job_name: str) -> None:
        """Ask SageMaker to stop a job; one that has ended or never existed is left as it is."""
        try:
            self.client.stop_training_job(TrainingJobName=job_name)
        except ClientError as error:
            if not (_says(error, _ENDED_ALREADY) or _says(error, _NOT_FOUND)):
                raise

    def _refuse(self, launch: Launch, no: NotCreated) -> Created | NotCreated:
        """Refuse, unless an earlier launch of the job succeeded although its answer was lost."""
        job = Absent() if no.refusal.leaves_open else self.find(launch)
        return Created(job.arn, job.placement) if isinstance(job, Job) else no

    def _adopt(self, launch: Launch) -> Created | NotCreated:
        """Return the job that has the launch's name as created, provided that it also has the launch's tags."""
        job = read_job(self.client.describe_training_job(TrainingJobName=launch.job_name))  # type: ignore[arg-type]
        if self._has_tags(job.arn, launch.tags):
            return Created(job.arn, job.placement)
        message = f"There is already a training job {job.arn}, and it does not belong to this run."
        return NotCreated(message, Refusal.NAME_TAKEN)

    def _has_tags(self, arn: str, tags: dict[str, str]) -> bool:
        pages = self.client.get_paginator("list_tags").paginate(ResourceArn=arn)
        found = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
        return tags.items() <= found.items()


def read_job(answer: dict[str, Any]) -> Job:
    """Return the job in an answer of DescribeTrainingJob."""
    return Job(
        name=answer["TrainingJobName"],
        arn=answer["TrainingJobArn"],
        status=answer["TrainingJobStatus"],
        secondary_status=answer["SecondaryStatus"],
        created_at=answer["CreationTime"].astimezone(UTC),
        modified_at=answer["LastModifiedTime"].astimezone(UTC),
        placement=placement_of(answer),
        failure_reason=answer.get("FailureReason"),
        training_started_at=_to_utc(answer.get("TrainingStartTime")),
        ended_at=_to_utc(answer.get("TrainingEndTime")),
        training_seconds=answer.get("TrainingTimeInSeconds"),
        billable_seconds=answer.get("BillableTimeInSeconds"),
        transitions=tuple(
            Transition(entry["Status"], entry["StartTime"].astimezone(UTC), _to_utc(entry.get("EndTime")))
            for entry in answer.get("SecondaryStatusTransitions", [])
        ),
    )


def _to_utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment else None


def _classify(error: ClientError) -> Refusal | None:
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    if code in _THROTTLES:
        return Refusal.THROTTLED
    if code == "ResourceLimitExceeded":
        return classify_quota(message)
    if code in _FINAL:
        return Refusal.INVALID
    if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
        return Refusal.UNAVAILABLE
    return None


def _hide_secrets(error: ClientError, request: dict[str, Any]) -> ClientError:
    """Return an error that may be logged, because its message may quote the request."""
    details = error.response["Error"]
    response: Any = {**error.response, "Error": {**details, "Message": hide_secrets(details["Message"], request)}}
    return ClientError(response, error.operation_name)


def _says(error: ClientError, text: str) -> bool:
    return error.response["Error"]["Message"].startswith(text)
