"""An endpoint as a value: its statuses, its script, and everything that can happen to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class EndpointStatus(StrEnum):
    """The values of EndpointStatus that a simulated endpoint can have; the last one only events and the log show."""

    CREATING = "Creating"
    UPDATING = "Updating"
    ROLLING_BACK = "RollingBack"
    IN_SERVICE = "InService"
    FAILED = "Failed"
    DELETING = "Deleting"
    DELETED = "Deleted"


IN_PROGRESS: Final = frozenset(
    {EndpointStatus.CREATING, EndpointStatus.UPDATING, EndpointStatus.ROLLING_BACK, EndpointStatus.DELETING}
)


@dataclass(frozen=True)
class DeploymentFailure:
    """A planned failure, ``after_seconds`` into Creating or Updating."""

    reason: str
    status: EndpointStatus = EndpointStatus.CREATING
    after_seconds: float = 0.0


@dataclass(frozen=True)
class EndpointScript:
    """What happens to the endpoint: how long it stays in each status, in seconds, and a failure.

    A status in ``held`` lasts until an input says that it is over, and at least for its duration; this is how an
    endpoint follows its real processes.
    """

    creating: float = 0.2
    updating: float = 0.2
    rolling_back: float = 0.2
    deleting: float = 0.2
    failure: DeploymentFailure | None = None
    held: frozenset[EndpointStatus] = frozenset()

    def duration_of(self, status: EndpointStatus) -> float | None:
        """Return how long a status lasts that ends by itself; ``None`` for the others."""
        durations = {
            EndpointStatus.CREATING: self.creating,
            EndpointStatus.UPDATING: self.updating,
            EndpointStatus.ROLLING_BACK: self.rolling_back,
            EndpointStatus.DELETING: self.deleting,
        }
        return durations.get(status)


@dataclass(frozen=True)
class Endpoint:
    """An endpoint at one moment.

    Its deployments are numbered from 1: CreateEndpoint begins the first one, each UpdateEndpoint the next.
    """

    name: str
    script: EndpointScript
    created_at: float
    status: EndpointStatus
    since: float
    deployments: int = 1
    """How many deployments there have been."""
    serving: int | None = None
    """The deployment that answers requests."""
    deploying: int | None = None
    """The deployment that is on its way, or that failed when the endpoint was created."""
    released_at: float | None = None
    failure_reason: str | None = None

    @property
    def gone(self) -> bool:
        """Whether the endpoint has been deleted."""
        return self.status is EndpointStatus.DELETED

    @property
    def in_progress(self) -> bool:
        """Whether the endpoint is changing, so that it can be neither updated nor deleted."""
        return self.status in IN_PROGRESS


@dataclass(frozen=True)
class EndpointChanged:
    """The endpoint entered a new status; ``endpoint`` is the endpoint right after that."""

    endpoint: Endpoint
    at: float


@dataclass(frozen=True)
class UpdateRequested:
    """UpdateEndpoint was called; ``script`` applies from now on."""

    script: EndpointScript


@dataclass(frozen=True)
class DeleteRequested:
    """DeleteEndpoint was called."""


@dataclass(frozen=True)
class DeploymentReady:
    """The real processes of a deployment answer."""

    number: int


@dataclass(frozen=True)
class DeploymentFailed:
    """The real processes of a deployment cannot start."""

    number: int
    reason: str


@dataclass(frozen=True)
class ProcessesGone:
    """The real processes of an endpoint that is being deleted have ended."""


EndpointInput = UpdateRequested | DeleteRequested | DeploymentReady | DeploymentFailed | ProcessesGone
