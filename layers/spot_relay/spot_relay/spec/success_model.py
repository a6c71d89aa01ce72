"""The ``on_success`` of a spec: what to do with the model, and the domain's values built from it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StringConstraints

from spot_relay.domain.run.hosting import Deployment, OnSuccess, Registration, Serverless
from spot_relay.domain.sagemaker.request import role_arn_of, training_image_of
from spot_relay.request.problem import describe, join_path
from spot_relay.spec.job_rules import advise, check_image, get_mapping
from spot_relay.spec.strict_model import Strict, validate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay.request.problem import Problems
    from spot_relay.spec.job_rules import Allowlist

ON_SUCCESS = "on_success"
# SageMaker's own patterns and limits, of CreateEndpoint, CreateEndpointConfig, CreateModel and CreateModelPackage.
_NAME = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
_INSTANCE_TYPE = r"ml\.[a-z0-9-]+\.[a-z0-9-]+"
_VARIABLE = r"[a-zA-Z_][a-zA-Z0-9_]*"
_MOST_VARIABLES, _LONGEST_VARIABLE = 100, 1024
_MEMORY_STEP_MB, _LEAST_MEMORY_MB, _MOST_MEMORY_MB = 1024, 1024, 6144
_MOST_CONCURRENCY = 200
_MOST_TYPES, _LONGEST_TYPE = 20, 256
# An operator who must not pay for more can restrict it by a quota.
_MOST_INSTANCES = 100

Environment = Annotated[dict[str, str], Field(max_length=_MOST_VARIABLES)]
Types = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=_LONGEST_TYPE)]],
    Field(min_length=1, max_length=_MOST_TYPES),
]


class RegisterModel(Strict):
    """A version to create in a model package group."""

    group: str
    image: str | None = None
    environment: Environment = Field(default_factory=dict)
    content_types: Types | None = None
    response_types: Types | None = None
    approval_status: Literal["PendingManualApproval", "Approved", "Rejected"] = "PendingManualApproval"
    description: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None

    def build(self, training_job: Mapping[str, Any]) -> Registration:
        """Return the domain's registration for a valid job."""
        return Registration(
            group=self.group,
            image=self.image or training_image_of(training_job) or "",
            environment=dict(self.environment),
            content_types=tuple(self.content_types or ()),
            response_types=tuple(self.response_types or ()),
            approval_status=self.approval_status,
            description=self.description,
        )


class ServerlessModel(Strict):
    """The limits of a serverless endpoint."""

    memory_size_in_mb: Annotated[int, Field(ge=_LEAST_MEMORY_MB, le=_MOST_MEMORY_MB, multiple_of=_MEMORY_STEP_MB)]
    max_concurrency: Annotated[int, Field(ge=1, le=_MOST_CONCURRENCY)]


class DeployModel(Strict):
    """An endpoint to create or to update."""

    endpoint: str
    image: str | None = None
    role_arn: str | None = None
    environment: Environment = Field(default_factory=dict)
    instance_type: str | None = None
    instance_count: Annotated[int, Field(ge=1, le=_MOST_INSTANCES)] | None = None
    serverless: ServerlessModel | None = None

    def build(self, training_job: Mapping[str, Any]) -> Deployment:
        """Return the domain's deployment for a valid job."""
        return Deployment(
            endpoint=self.endpoint,
            image=self.image or training_image_of(training_job) or "",
            role_arn=self.role_arn or role_arn_of(training_job),
            environment=dict(self.environment),
            instance_type=self.instance_type,
            instance_count=self.instance_count or Deployment.instance_count,
            serverless=Serverless(**self.serverless.model_dump()) if self.serverless else None,
        )


class SuccessModel(Strict):
    """What to do with the model of a run that has completed."""

    register_model: RegisterModel | None = None
    deploy: DeployModel | None = None

    def build(self, training_job: Mapping[str, Any]) -> OnSuccess:
        """Return the domain's value for a valid job."""
        return OnSuccess(
            register_model=self.register_model.build(training_job) if self.register_model else None,
            deploy=self.deploy.build(training_job) if self.deploy else None,
        )


_KNOWN = {
    (): tuple(SuccessModel.model_fields),
    ("register_model",): tuple(RegisterModel.model_fields),
    ("deploy",): tuple(DeployModel.model_fields),
    ("deploy", "serverless"): tuple(ServerlessModel.model_fields),
}


def check_success(value: Any, job: Mapping[str, Any], allowlist: Allowlist, problems: Problems) -> SuccessModel | None:
    """Return what a spec wants done with its model, or None after adding every problem with it."""
    if not allowlist.allow_hosting:
        message = (
            "This stack may neither register nor deploy models. Ask its operator to set the parameter AllowHosting to "
            "true, or remove on_success."
        )
        problems.add(ON_SUCCESS, message)
    model = validate(SuccessModel, value, ON_SUCCESS, _KNOWN, problems)
    if model is None:
        return None
    if not value:
        problems.add(ON_SUCCESS, "The mapping is empty. Write register_model or deploy, or remove the key.")
    if (registration := model.register_model) is not None:
        path = join_path(ON_SUCCESS, "register_model")
        _check_name(registration.group, join_path(path, "group"), problems)
        _check_container(registration, path, job, allowlist, problems)
    if (deployment := model.deploy) is not None:
        path = join_path(ON_SUCCESS, "deploy")
        _check_name(deployment.endpoint, join_path(path, "endpoint"), problems)
        _check_container(deployment, path, job, allowlist, problems)
        _check_deployment(deployment, path, allowlist, problems)
    return model


def _check_name(name: str, path: str, problems: Problems) -> None:
    if not re.fullmatch(_NAME, name, re.ASCII):
        problems.add(
            path,
            f"Found {describe(name)}. Use letters, digits and hyphens, at most 63, and begin and end with a letter or "
            "a digit.",
        )


def _check_container(
    model: RegisterModel | DeployModel, path: str, job: Mapping[str, Any], allowlist: Allowlist, problems: Problems
) -> None:
    if model.image is not None:
        check_image(model.image, join_path(path, "image"), allowlist, problems)
    elif job and "TrainingImage" not in get_mapping(job, "AlgorithmSpecification"):
        problems.add_missing(
            join_path(path, "image"),
            "This key is required, because the training job has no TrainingImage that could be used instead. Add it.",
        )
    # A value may be a secret, so no message shows one.
    for name, value in model.environment.items():
        at = join_path(join_path(path, "environment"), name)
        if not re.fullmatch(_VARIABLE, name, re.ASCII) or len(name) > _LONGEST_VARIABLE:
            problems.add(at, "Use letters, digits and underscores for the name of a variable, and begin with no digit.")
        if len(value) > _LONGEST_VARIABLE:
            problems.add(at, f"The value has {len(value)} characters, but at most {_LONGEST_VARIABLE} are allowed.")


def _check_deployment(model: DeployModel, path: str, allowlist: Allowlist, problems: Problems) -> None:
    if model.role_arn is not None and model.role_arn not in allowlist.allowed_role_arns:
        found = describe(model.role_arn)
        advice = advise(allowlist.allowed_role_arns)
        problems.add(
            join_path(path, "role_arn"), f"Found {found}, which this stack may not pass to SageMaker. {advice}"
        )
    if model.serverless is None and model.instance_type is None:
        problems.add_missing(join_path(path, "instance_type"), "This key is required. Add it, or use serverless.")
    if model.instance_type is not None and not re.fullmatch(_INSTANCE_TYPE, model.instance_type, re.ASCII):
        message = f"Found {describe(model.instance_type)}. Use an instance type such as ml.m5.large."
        problems.add(join_path(path, "instance_type"), message)
    for key in ("instance_type", "instance_count"):
        if model.serverless is not None and getattr(model, key) is not None:
            problems.add(
                join_path(path, key), "A serverless endpoint has no instances. Remove this key, or serverless."
            )
