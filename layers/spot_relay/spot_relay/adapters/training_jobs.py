"""Create, describe and stop SageMaker's training jobs."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from spot_relay.domain.run.launch import Created
from spot_relay.domain.sagemaker.job import Absent, Job, Transition
from spot_relay.domain.sagemaker.refusal import NotCreated, Refusal, classify_invalid, classify_quota
from spot_relay.domain.sagemaker.request import max_pending_of, placement_of
from spot_relay.domain.values import dataclass
from spot_relay.ports import UnansweredError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mypy_boto3_sagemaker import SageMakerClient

    from spot_relay.domain.run.launch import Launch
    from spot_relay.domain.sagemaker.job import Placement

_THROTTLES = frozenset(
    {
        *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
        *("TooManyRequests", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown", "BandwidthLimitExceeded"),
    }
)
_QUOTAS = frozenset({"ResourceLimitExceeded", "LimitExceeded", "ServiceQuotaExceeded", "QuotaExceeded"})
_TIMED_OUT, _TOO_MANY_REQUESTS, _SERVER_ERRORS = 408, 429, 500
_FINAL = frozenset({"AccessDeniedException", "AccessDenied", "ResourceNotFound"})
# These say nothing about the request: the function's credentials or its clock need a moment, or an operator.
_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_NOT_FOUND = "Requested resource not found"
_ENDED_ALREADY = "The request was rejected because the training job is in status"


@dataclass(frozen=True)
class SageMakerTrainingJobs:
    """Training jobs of one account and region."""

    client: SageMakerClient

    def create(self, launch: Launch) -> Created | NotCreated:
        """Create a training job; one that exists already and has the launch's tags counts as created.

        An error of any kind is a refusal, so that the run shows it and can be stopped.
        """
        try:
            return self._create(launch)
        except UnansweredError as error:
            # An earlier launch may have created the job, and it cannot be looked at. The next try finds it.
            return NotCreated(str(error), error.refusal)
        except BotoCoreError as error:
            # The job may have been created all the same. The next try uses the same name, and finds it.
            return NotCreated(f"SageMaker did not answer: {error}", Refusal.UNAVAILABLE)

    def _create(self, launch: Launch) -> Created | NotCreated:
        try:
            return Created(self.client.create_training_job(**launch.request)["TrainingJobArn"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceInUse":
                return self._adopt(launch)
            return self._refuse(launch, _refuse_for(error, placement_of(launch.request)))
        except ParamValidationError as error:
            return self._refuse(launch, NotCreated(str(error), Refusal.INVALID))

    def describe(self, job_name: str) -> Job | Absent:
        """Describe a job, or return Absent if there is none of that name. Any other error is an UnansweredError."""
        with _unanswered():
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
        with _unanswered():
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
        with _unanswered():
            job = read_job(self.client.describe_training_job(TrainingJobName=launch.job_name))  # type: ignore[arg-type]
        if self._has_tags(job.arn, launch.tags):
            return Created(job.arn, job.placement)
        message = f"There is already a training job {job.arn}, and it does not belong to this run."
        return NotCreated(message, Refusal.NAME_TAKEN)

    def _has_tags(self, arn: str, tags: dict[str, str]) -> bool:
        with _unanswered():
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
        transitions=tuple(_read_transition(entry) for entry in answer.get("SecondaryStatusTransitions", [])),
        max_pending_seconds=max_pending_of(answer),
        model_artifacts=answer.get("ModelArtifacts", {}).get("S3ModelArtifacts"),
    )


def _read_transition(entry: dict[str, Any]) -> Transition:
    started_at, ended_at = entry["StartTime"].astimezone(UTC), _to_utc(entry.get("EndTime"))
    return Transition(entry["Status"], started_at, ended_at, entry.get("StatusMessage"))


def _to_utc(moment: datetime | None) -> datetime | None:
    return moment.astimezone(UTC) if moment else None


def _refuse_for(error: ClientError, placement: Placement) -> NotCreated:
    """Return the refusal that an error of CreateTrainingJob stands for."""
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    refusal = _classify(error, placement)
    # Some errors have no message.
    needs_code = refusal is Refusal.UNRECOGNIZED or not message
    return NotCreated(f"{code}: {message}" if needs_code else message, refusal)


def _classify(error: ClientError, placement: Placement) -> Refusal:
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    if code.removesuffix("Exception") in _QUOTAS:
        return classify_quota(message, placement)
    if code == "ValidationException":
        return classify_invalid(message, placement)
    return Refusal.INVALID if code in _FINAL else classify_unanswered(error)


def classify_unanswered(error: ClientError) -> Refusal:
    """Return what an error means that says nothing about the job."""
    code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    if code in _THROTTLES or status == _TOO_MANY_REQUESTS:
        return Refusal.THROTTLED
    passes = code in _CREDENTIALS or status >= _SERVER_ERRORS or status == _TIMED_OUT
    return Refusal.UNAVAILABLE if passes else Refusal.UNRECOGNIZED


@contextmanager
def _unanswered() -> Iterator[None]:
    """Raise UnansweredError instead of any error of AWS or of the way to it: none proves anything about a job."""
    try:
        yield
    except ClientError as error:
        raise UnansweredError(str(error), classify_unanswered(error)) from error
    except BotoCoreError as error:
        raise UnansweredError(f"SageMaker did not answer: {error}.", Refusal.UNAVAILABLE) from error


def _says(error: ClientError, text: str) -> bool:
    return error.response["Error"]["Message"].startswith(text)
