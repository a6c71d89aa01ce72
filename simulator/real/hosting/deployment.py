"""One deployment of an endpoint on this machine: a real process for each of its variants."""

from __future__ import annotations

import logging
import shutil
import time
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from simulator.life.endpoint import DeploymentFailed, DeploymentReady
from simulator.real.hosting.container import ServingContainer

if TYPE_CHECKING:
    from simulator.api.hosting.endpoints import Deployment, EndpointRecord
    from simulator.api.hosting.models import Model
    from simulator.life.endpoint import EndpointInput
    from simulator.real.hosting.host import Host

_BETWEEN_PINGS: Final = 0.1
logger = logging.getLogger(__name__)


def has_process(model: Model, host: Host) -> bool:
    """Whether any container of a model is a real process."""
    return any(host.images.runs(each.image) for each in model.containers)


class DeploymentRun:
    """Works in a thread of its own: starts the containers, reports when they answer, and ends them."""

    def __init__(self, record: EndpointRecord, deployment: Deployment, host: Host) -> None:
        self._record = record
        self._deployment = deployment
        self._host = host
        # Another endpoint may have had this name.
        begun = round(record.created_at * 1000)
        self._home = host.workdir / "endpoints" / record.name / f"{begun}-{deployment.number}"
        self._changed = Event()
        self._grace: float | None = None
        self._containers: dict[str, ServingContainer] = {}
        self._thread = Thread(target=self._run, name=f"{record.name}/{deployment.number}", daemon=True)
        self._thread.start()

    def container(self, variant: str) -> ServingContainer | None:
        """Return the container of a variant, or ``None`` if it has no process."""
        return self._containers.get(variant)

    def end(self, grace: float) -> None:
        """Let the thread end all processes, and itself."""
        self._grace = grace
        self._changed.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait until everything has ended."""
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            failure = self._start()
        except (Boto3Error, BotoCoreError, ClientError, OSError, ValueError, LookupError, RuntimeError) as error:
            failure = str(error)
        except Exception:
            logger.exception("deployment %d of %s failed", self._deployment.number, self._record.name)
            failure = "InternalServerError: We encountered an internal error. Please try again."
        number = self._deployment.number
        if failure is not None:
            self._report(DeploymentFailed(number, failure))
        elif self._grace is None:
            self._report(DeploymentReady(number))
            self._wait_for_end()
        for container in self._containers.values():
            container.end(self._host.grace if self._grace is None else self._grace)

    def _start(self) -> str | None:
        """Start all containers; return why one of them does not answer, if so."""
        shutil.rmtree(self._home, ignore_errors=True)
        for variant, model in self._deployment.models.items():
            if not has_process(model, self._host):
                continue
            if len(model.containers) > 1:
                return f"The simulator runs models with one container only; {model.name} has {len(model.containers)}."
            container = ServingContainer(
                model.containers[0], self._record.name, variant, self._home / variant, self._host
            )
            self._containers[variant] = container
            container.prepare()
        for container in self._containers.values():
            container.start(self._changed.set)
        for variant, container in self._containers.items():
            if not self._becomes_healthy(container, self._seconds_to_answer(variant)):
                return container.failure()
        return None

    def _becomes_healthy(self, container: ServingContainer, seconds: float) -> bool:
        """Whether a container answers in time; also when the deployment is ended from outside meanwhile."""
        until = time.monotonic() + seconds
        while self._grace is None:
            if container.ended or time.monotonic() > until:
                return False
            if container.answers_ping():
                return True
            self._changed.wait(_BETWEEN_PINGS)
            self._changed.clear()
        return True

    def _seconds_to_answer(self, variant: str) -> float:
        (found,) = (each for each in self._deployment.config.variants if each["VariantName"] == variant)
        given: float | None = found.get("ContainerStartupHealthCheckTimeoutInSeconds")
        return self._record.rule.health_check_seconds if given is None else given

    def _wait_for_end(self) -> None:
        while self._grace is None:
            self._changed.wait()
            self._changed.clear()

    def _report(self, happens: EndpointInput) -> None:
        self._host.apply(self._record.name, happens)
