"""The life of an endpoint as pure functions, like `simulator.life.lifecycle` for training jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.life.endpoint import (
    DeleteRequested,
    DeploymentFailed,
    DeploymentReady,
    Endpoint,
    EndpointChanged,
    EndpointStatus,
    ProcessesGone,
    UpdateRequested,
)
from simulator.life.values import replace

if TYPE_CHECKING:
    from simulator.life.endpoint import EndpointInput, EndpointScript

_LONGEST_REASON: Final = 1024
_DEPLOYING: Final = frozenset({EndpointStatus.CREATING, EndpointStatus.UPDATING})


def begin(name: str, script: EndpointScript, now: float) -> tuple[Endpoint, EndpointChanged]:
    """Create an endpoint at ``now``."""
    endpoint = Endpoint(
        name=name, script=script, created_at=now, status=EndpointStatus.CREATING, since=now, deploying=1
    )
    return endpoint, EndpointChanged(endpoint, now)


def next_due(endpoint: Endpoint) -> float | None:
    """Return when the next thing happens to ``endpoint`` by itself, or ``None`` if nothing will."""
    fails, ends = _fails_at(endpoint), _ends_at(endpoint)
    return min((moment for moment in (fails, ends) if moment is not None), default=None)


def advance(
    endpoint: Endpoint, now: float, happens: EndpointInput | None = None
) -> tuple[Endpoint, tuple[EndpointChanged, ...]]:
    """Let time pass until ``now``, then apply ``happens``; an input that does not fit changes nothing."""
    changes: list[EndpointChanged] = []
    while (due := next_due(endpoint)) is not None and due <= now:
        endpoint = _end_status(endpoint, due)
        changes.append(EndpointChanged(endpoint, due))
    if happens is None:
        return endpoint, tuple(changes)
    before = endpoint
    endpoint = _take(endpoint, happens, now)
    if endpoint is before:
        return endpoint, tuple(changes)
    if endpoint.status is not before.status:
        changes.append(EndpointChanged(endpoint, now))
    endpoint, later = advance(endpoint, now)
    return endpoint, (*changes, *later)


def _fails_at(endpoint: Endpoint) -> float | None:
    failure = endpoint.script.failure
    if failure is None or failure.status is not endpoint.status:
        return None
    return endpoint.since + failure.after_seconds


def _ends_at(endpoint: Endpoint) -> float | None:
    duration = endpoint.script.duration_of(endpoint.status)
    if duration is None:
        return None
    ends = endpoint.since + duration
    if endpoint.status not in endpoint.script.held:
        return ends
    return None if endpoint.released_at is None else max(ends, endpoint.released_at)


def _end_status(endpoint: Endpoint, at: float) -> Endpoint:
    """Return what becomes of the endpoint when its status ends; a failure at the same moment comes first."""
    if endpoint.script.failure is not None and _fails_at(endpoint) == at:
        return _fail(endpoint, endpoint.script.failure.reason, at)
    if endpoint.status is EndpointStatus.DELETING:
        return _enter(endpoint, EndpointStatus.DELETED, at)
    serving = endpoint.serving if endpoint.status is EndpointStatus.ROLLING_BACK else endpoint.deploying
    # After a rollback the service shows no FailureReason any more, only the earlier EndpointConfigName.
    endpoint = replace(endpoint, serving=serving, deploying=None, failure_reason=None)
    return _enter(endpoint, EndpointStatus.IN_SERVICE, at)


def _fail(endpoint: Endpoint, reason: str, at: float) -> Endpoint:
    endpoint = replace(endpoint, failure_reason=reason[:_LONGEST_REASON])
    creating = endpoint.status is EndpointStatus.CREATING
    return _enter(endpoint, EndpointStatus.FAILED if creating else EndpointStatus.ROLLING_BACK, at)


def _enter(endpoint: Endpoint, status: EndpointStatus, at: float) -> Endpoint:
    return replace(endpoint, status=status, since=at, released_at=None)


def _take(endpoint: Endpoint, happens: EndpointInput, now: float) -> Endpoint:
    """Return the endpoint after an input: the same object if it changes nothing."""
    match happens:
        case UpdateRequested(script=script) if endpoint.status is EndpointStatus.IN_SERVICE:
            number = endpoint.deployments + 1
            endpoint = replace(endpoint, script=script, deployments=number, deploying=number)
            return _enter(endpoint, EndpointStatus.UPDATING, now)
        case DeleteRequested() if endpoint.status in (EndpointStatus.IN_SERVICE, EndpointStatus.FAILED):
            return _enter(endpoint, EndpointStatus.DELETING, now)
        case DeploymentReady(number=number) if _awaits(endpoint, number):
            return replace(endpoint, released_at=now)
        case DeploymentFailed(number=number, reason=reason) if _awaits(endpoint, number):
            return _fail(endpoint, reason, now)
        case ProcessesGone() if endpoint.status is EndpointStatus.DELETING:
            return replace(endpoint, released_at=now)
        case _:
            return endpoint


def _awaits(endpoint: Endpoint, number: int) -> bool:
    return endpoint.status in _DEPLOYING and endpoint.deploying == number
