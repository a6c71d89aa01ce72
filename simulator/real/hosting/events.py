"""Publishes the state-change events of endpoints and model packages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.api.hosting.wire import capitals, endpoint_event, package_event
from simulator.world.deliveries import Deliveries

if TYPE_CHECKING:
    from simulator.api.hosting.endpoints import Deployment, EndpointRecord
    from simulator.api.hosting.packages import Package
    from simulator.api.service import Service
    from simulator.life.endpoint import EndpointStatus
    from simulator.real.events import EventPublisher

_REGISTERED = "Completed"


class HostingEvents:
    """Publishes an event for each status of an endpoint, and for each new model package."""

    def __init__(self, publisher: EventPublisher, service: Service) -> None:
        self._publisher = publisher
        self._service = service
        self._deliveries = Deliveries()

    def held_statuses(self, deployment: Deployment) -> frozenset[EndpointStatus]:  # noqa: ARG002
        """Hold no status: events follow the life of an endpoint, they do not drive it."""
        return frozenset()

    def observe(self, record: EndpointRecord, at: float) -> None:
        """Schedule the event of a status."""
        status = record.life.status
        resource = f"endpoint/{record.name}"
        delays = self._deliveries.delays(resource, status, record.rule.events)
        subject = {"resource": resource, "status": capitals(status)}
        self._publisher.post(endpoint_event(record, at), delays, at, subject)

    def announce(self, package: Package) -> None:
        """Schedule the event of a new model package."""
        resource = f"model-package/{package.name}/{package.version}"
        rule = self._service.scenario.endpoint_rule_for(package.name)
        delays = self._deliveries.delays(resource, _REGISTERED, rule.events)
        subject = {"resource": resource, "status": _REGISTERED}
        self._publisher.post(package_event(package), delays, package.created_at, subject)
