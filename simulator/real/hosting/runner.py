"""Runs the endpoints whose models have an image ``local/*`` as real processes."""

from __future__ import annotations

from threading import Lock, Thread
from typing import TYPE_CHECKING, Final

from simulator.api.hosting.hosting import invoke_nothing
from simulator.life.endpoint import EndpointStatus, ProcessesGone
from simulator.real.hosting.deployment import DeploymentRun, has_process

if TYPE_CHECKING:
    from simulator.api.hosting.endpoints import Deployment, EndpointRecord
    from simulator.api.hosting.hosting import Invocation, Prediction
    from simulator.real.hosting.host import Host

_CLOSING_GRACE: Final = 2.0
_DEPLOYING: Final = (EndpointStatus.CREATING, EndpointStatus.UPDATING)


class EndpointRunner:
    """Starts and ends the deployments of endpoints as their statuses change, and passes invocations on to them."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._lock = Lock()
        self._runs: dict[str, dict[int, DeploymentRun]] = {}  # by the endpoint's ARN, then by number

    def held_statuses(self, deployment: Deployment) -> frozenset[EndpointStatus]:
        """Hold the statuses that last as long as the real processes need."""
        if self._host.images.folder is None:
            return frozenset()
        held = _DEPLOYING if self._runs_here(deployment) else ()
        return frozenset({EndpointStatus.DELETING, *held})

    def observe(self, record: EndpointRecord, at: float) -> None:  # noqa: ARG002 (the protocol's)
        """Start or end deployments as the new status requires."""
        if self._host.images.folder is None:
            return
        status = record.life.status
        with self._lock:
            runs = self._runs.setdefault(record.arn, {})
            if status is EndpointStatus.DELETED:
                del self._runs[record.arn]
            elif status is EndpointStatus.DELETING:
                Thread(target=self._end_all, args=(record.name, list(runs.values())), daemon=True).start()
            elif status in _DEPLOYING:
                if record.deploying is not None and self._runs_here(record.deploying):
                    runs[record.deploying.number] = DeploymentRun(record, record.deploying, self._host)
            else:
                for number, run in runs.items():
                    if number != record.life.serving:
                        run.end(self._host.grace)

    def invoke(self, record: EndpointRecord, variant: str, invocation: Invocation) -> Prediction:
        """Pass an invocation on to the process of a variant; a ModelError if there is none, or if it fails."""
        with self._lock:
            run = self._runs.get(record.arn, {}).get(record.life.serving or 0)
        container = None if run is None else run.container(variant)
        if container is None:
            return invoke_nothing(record, variant, invocation)
        return container.invoke(invocation)

    def close(self) -> None:
        """End all processes, and wait for them."""
        with self._lock:
            runs = [run for runs in self._runs.values() for run in runs.values()]
        for run in runs:
            run.end(min(_CLOSING_GRACE, self._host.grace))
        for run in runs:
            run.join(timeout=10)

    def _runs_here(self, deployment: Deployment) -> bool:
        return any(has_process(model, self._host) for model in deployment.models.values())

    def _end_all(self, name: str, runs: list[DeploymentRun]) -> None:
        for run in runs:
            run.end(self._host.grace)
        for run in runs:
            run.join()
        self._host.apply(name, ProcessesGone())
