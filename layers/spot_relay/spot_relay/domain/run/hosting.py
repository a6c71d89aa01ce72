"""What happens to the model of a run that has completed: it is registered, deployed, or both.

The first part is what the user asked for, the second what SageMaker says, and the third what has been done so far.
"""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any

from spot_relay.domain.values import dataclass


@dataclass(frozen=True)
class Registration:
    """A version of the model to create in a model package group."""

    group: str
    """The group's name. The group has to exist."""
    image: str
    """The inference image."""
    environment: dict[str, str] = field(default_factory=dict)
    content_types: tuple[str, ...] = ()
    """The content types that the model takes; none is stated if it is empty."""
    response_types: tuple[str, ...] = ()
    approval_status: str = "PendingManualApproval"
    description: str | None = None


@dataclass(frozen=True)
class Serverless:
    """What a serverless endpoint may use."""

    memory_size_in_mb: int
    max_concurrency: int


@dataclass(frozen=True)
class Deployment:
    """An endpoint to create, or to update to this model. It is serverless or has instances."""

    endpoint: str
    image: str
    role_arn: str
    environment: dict[str, str] = field(default_factory=dict)
    instance_type: str | None = None
    instance_count: int = 1
    serverless: Serverless | None = None


@dataclass(frozen=True)
class OnSuccess:
    """What to do with the model once the run has completed. By default nothing."""

    register_model: Registration | None = None
    deploy: Deployment | None = None

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return self.register_model is not None or self.deploy is not None


class HostingKind(StrEnum):
    """The things that can be done with a model, by their keys in a spec."""

    REGISTER_MODEL = "register_model"
    DEPLOY = "deploy"


class HostingStep(StrEnum):
    """The next call to SageMaker: one that creates something, or a look at the endpoint."""

    MODEL_PACKAGE = "ModelPackage"
    MODEL = "Model"
    ENDPOINT_CONFIG = "EndpointConfig"
    LOOK = "Look"
    """At the endpoint, to see whether it has to be created or updated."""
    ENDPOINT = "Endpoint"
    ENDPOINT_UPDATE = "EndpointUpdate"
    FOLLOW = "Follow"
    """Look at the endpoint until the deployment is over."""


@dataclass(frozen=True)
class Part:
    """Something to create, or the endpoint to update: the request, and the tags that prove that it is ours.

    A model package has no tags, because it belongs to a group; its client token makes it the same one each time.
    """

    step: HostingStep
    name: str
    request: dict[str, Any]
    tags: dict[str, str]


@dataclass(frozen=True)
class Made:
    """A part exists: it was created now or before. An endpoint is being updated."""

    arn: str


@dataclass(frozen=True)
class Unmade:
    """SageMaker created or updated nothing, or did not say what was asked of it."""

    because: str
    passes: bool
    """Whether the same call may succeed later; it may also have taken effect, with its answer lost."""
    is_taken: bool = False
    """Whether something else has the name."""


@dataclass(frozen=True)
class Endpoint:
    """An endpoint, as DescribeEndpoint and ListTags show it."""

    arn: str
    status: str
    config_name: str
    """The configuration that serves; while the endpoint is being created, the one that will."""
    modified_at: datetime
    pending_config_name: str | None = None
    """The configuration that an update is deploying."""
    failure_reason: str | None = None
    is_ours: bool = False
    """Whether Spot Relay has created it, for any run: only such endpoints are updated."""


@dataclass(frozen=True)
class NoEndpoint:
    """There is no endpoint of that name."""


class HostingStatus(StrEnum):
    """How far a task is."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True)
class HostingTask:
    """One of the things to do with a run's model: how far it is, and why."""

    kind: HostingKind
    step: HostingStep
    status: HostingStatus
    reason: str
    began_at: datetime
    since: datetime
    """When the current step began."""
    check_at: datetime | None
    """When the tick looks at it again; None once it is settled."""
    tries: int = 0
    """How many calls in it SageMaker has refused for now."""
    arn: str | None = None
    """The ARN of the model package, or of the endpoint."""
    replaces: str | None = None
    """The configuration that the endpoint had before it was updated."""
    replaces_since: datetime | None = None
    """When the endpoint was last modified before it was updated."""
    settled_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is still something to do."""
        return self.status is HostingStatus.IN_PROGRESS
