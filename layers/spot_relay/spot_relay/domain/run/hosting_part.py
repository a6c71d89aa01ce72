"""The parts of a registration or a deployment, named after the training job that made the model.

Each name is a function of the run, so nothing is created twice.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, assert_never

from spot_relay.domain.run.hosting import HostingStep, Part
from spot_relay.domain.run.launch import RUN_ID_TAG, SUBMISSION_TAG
from spot_relay.domain.sagemaker.request import tags_of

if TYPE_CHECKING:
    from spot_relay.domain.run.hosting import Deployment, Registration
    from spot_relay.domain.run.run import Run

VARIANT = "AllTraffic"
# A client token has at most 36 characters.
_TOKEN_LENGTH = 32


def part_of(run: Run, step: HostingStep) -> Part | None:
    """Return what a step creates or updates for a completed run.

    It is None if the step only looks, if nothing is wanted, or if the run has left no model.
    """
    wanted, name = run.on_success, run.model_name
    if name is None:
        return None
    if step is HostingStep.MODEL_PACKAGE:
        return None if wanted.register_model is None else _package(run, wanted.register_model, name)
    return None if wanted.deploy is None else _part_of_deployment(run, wanted.deploy, step, name)


def _part_of_deployment(run: Run, wanted: Deployment, step: HostingStep, name: str) -> Part | None:
    tags = {RUN_ID_TAG: run.id, SUBMISSION_TAG: run.submission_id}
    own_tags = [{"Key": key, "Value": value} for key, value in tags.items()]
    tag_list = [*tags_of(run.training_job), *own_tags]
    match step:
        case HostingStep.MODEL:
            request: dict[str, Any] = {"ModelName": name, "ExecutionRoleArn": wanted.role_arn, "Tags": tag_list}
            request["PrimaryContainer"] = _container(wanted.image, run, wanted.environment)
            return Part(step, name, request, tags)
        case HostingStep.ENDPOINT_CONFIG:
            request = {"EndpointConfigName": name, "ProductionVariants": [_variant(wanted, name)], "Tags": tag_list}
            return Part(step, name, request, tags)
        case HostingStep.ENDPOINT:
            request = {"EndpointName": wanted.endpoint, "EndpointConfigName": name, "Tags": tag_list}
            return Part(step, wanted.endpoint, request, tags)
        case HostingStep.ENDPOINT_UPDATE:
            request = {"EndpointName": wanted.endpoint, "EndpointConfigName": name}
            return Part(step, wanted.endpoint, request, {})
        case HostingStep.LOOK | HostingStep.FOLLOW | HostingStep.MODEL_PACKAGE:
            return None
        case _:
            assert_never(step)


def _package(run: Run, wanted: Registration, name: str) -> Part:
    specification: dict[str, Any] = {"Containers": [_container(wanted.image, run, wanted.environment)]}
    if wanted.content_types:
        specification["SupportedContentTypes"] = list(wanted.content_types)
    if wanted.response_types:
        specification["SupportedResponseMIMETypes"] = list(wanted.response_types)
    token = hashlib.sha256(f"{run.id}/{run.submission_id}".encode()).hexdigest()[:_TOKEN_LENGTH]
    request: dict[str, Any] = {
        "ModelPackageGroupName": wanted.group,
        "ModelPackageDescription": wanted.description or f"The model of the run {run.id}, trained by {name}.",
        "InferenceSpecification": specification,
        "ModelApprovalStatus": wanted.approval_status,
        "ClientToken": token,
    }
    return Part(HostingStep.MODEL_PACKAGE, wanted.group, request, {})


def _container(image: str, run: Run, environment: dict[str, str]) -> dict[str, Any]:
    container: dict[str, Any] = {"Image": image, "ModelDataUrl": run.model_artifacts}
    return container | ({"Environment": environment} if environment else {})


def _variant(wanted: Deployment, model_name: str) -> dict[str, Any]:
    variant: dict[str, Any] = {"VariantName": VARIANT, "ModelName": model_name}
    if wanted.serverless is not None:
        limits = wanted.serverless
        serverless = {"MemorySizeInMB": limits.memory_size_in_mb, "MaxConcurrency": limits.max_concurrency}
        return variant | {"ServerlessConfig": serverless}
    return variant | {"InstanceType": wanted.instance_type, "InitialInstanceCount": wanted.instance_count}
