"""Create SageMaker's models, endpoint configurations, endpoints and model packages, and describe endpoints."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from spot_relay.adapters.training_jobs import classify_unanswered
from spot_relay.domain.run.hosting import Endpoint, HostingStep, Made, NoEndpoint, Unmade
from spot_relay.domain.run.launch import RUN_ID_TAG
from spot_relay.domain.sagemaker.quota import parse_quota
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_sagemaker import SageMakerClient

    from spot_relay.domain.run.hosting import Part

_ABSENT = 'Could not find endpoint "'
_TAKEN = "Cannot create already existing"
_BUSY = "Cannot update in-progress endpoint"
_FINAL = frozenset({"AccessDenied", "AccessDeniedException", "ResourceNotFound", "ValidationException"})
_TAGGED = frozenset({HostingStep.MODEL, HostingStep.ENDPOINT_CONFIG, HostingStep.ENDPOINT})


@dataclass(frozen=True)
class SageMakerHosting:
    """The models and endpoints of one account and region."""

    client: SageMakerClient

    def create(self, part: Part) -> Made | Unmade:
        """Create a part, or update the endpoint; what exists already and has the part's tags counts as made."""
        made: Made | Unmade = _answer(lambda: self._create(part))
        return made

    def _create(self, part: Part) -> Made | Unmade:
        try:
            return Made(self._call(part))
        except ClientError as error:
            if part.step in _TAGGED and _says(error, _TAKEN):
                return self._adopt(part, error.response["Error"]["Message"])
            raise

    def _call(self, part: Part) -> str:
        client: Any = self.client
        match part.step:
            case HostingStep.MODEL_PACKAGE:
                answer = client.create_model_package(**part.request)
            case HostingStep.MODEL:
                answer = client.create_model(**part.request)
            case HostingStep.ENDPOINT_CONFIG:
                answer = client.create_endpoint_config(**part.request)
            case HostingStep.ENDPOINT:
                answer = client.create_endpoint(**part.request)
            case _:
                answer = client.update_endpoint(**part.request)
        arn: str = next(value for key, value in answer.items() if key.endswith("Arn"))
        return arn

    def _adopt(self, part: Part, message: str) -> Made | Unmade:
        """Return what has the part's name already as made, provided that it also has the part's tags."""
        arn = _read_arn(message)
        if arn is None:
            return Unmade(message, passes=False, is_taken=True)
        if part.tags.items() <= self._read_tags(arn).items():
            return Made(arn)
        said = f"There is already a resource {arn}, and it does not belong to this run."
        return Unmade(said, passes=False, is_taken=True)

    def find_endpoint(self, name: str) -> Endpoint | NoEndpoint | Unmade:
        """Describe an endpoint, with whether its tags say that Spot Relay has created it.

        What can't be read proves nothing, whatever the error: it is read again.
        """
        answer: Endpoint | NoEndpoint | Unmade = _answer(lambda: self._find(name))
        return replace(answer, passes=True) if isinstance(answer, Unmade) else answer

    def _find(self, name: str) -> Endpoint | NoEndpoint:
        try:
            answer = self.client.describe_endpoint(EndpointName=name)
        except ClientError as error:
            if _says(error, _ABSENT):
                return NoEndpoint()
            raise
        arn = answer["EndpointArn"]
        return Endpoint(
            arn=arn,
            status=answer["EndpointStatus"],
            config_name=answer.get("EndpointConfigName", ""),
            modified_at=answer["LastModifiedTime"].astimezone(UTC),
            pending_config_name=answer.get("PendingDeploymentSummary", {}).get("EndpointConfigName"),
            failure_reason=answer.get("FailureReason"),
            is_ours=RUN_ID_TAG in self._read_tags(arn),
        )

    def _read_tags(self, arn: str) -> dict[str, str]:
        pages = self.client.get_paginator("list_tags").paginate(ResourceArn=arn)
        return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}


def _answer(call: Callable[[], Any]) -> Any:
    """Return what a call returns, or why it was refused. Whether that passes, its error says."""
    try:
        return call()
    except ClientError as error:
        return _refuse(error)
    except ParamValidationError as error:
        return Unmade(str(error), passes=False)
    except BotoCoreError as error:
        # It may have taken effect all the same. The next try uses the same name.
        return Unmade(f"SageMaker did not answer: {error}", passes=True)


def _refuse(error: ClientError) -> Unmade:
    """Return the refusal that an error stands for: a full quota may have room later, and an invalid request never."""
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    said = message or code
    if _says(error, _BUSY) or classify_unanswered(error) is not Refusal.UNRECOGNIZED:
        return Unmade(said, passes=True)
    if code.removesuffix("Exception") == "ResourceLimitExceeded":
        quota = parse_quota(message)
        return Unmade(said, passes=quota is None or quota.can_ever_fit)
    return Unmade(said if code == "ValidationException" else f"{code}: {message}", passes=code not in _FINAL)


def _read_arn(message: str) -> str | None:
    """Return the ARN in the message that a name is taken, where it is quoted."""
    arn = message.partition('"')[2].partition('"')[0]
    return arn if arn.startswith("arn:") else None


def _says(error: ClientError, text: str) -> bool:
    return error.response["Error"]["Message"].startswith(text)
