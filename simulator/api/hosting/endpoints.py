"""CreateEndpoint, UpdateEndpoint, DescribeEndpoint, DeleteEndpoint and ListEndpoints, and how endpoints change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from simulator.api import errors
from simulator.api.errors import invalid
from simulator.api.hosting.resources import Resource, Resources
from simulator.api.tags import add_tags
from simulator.life import hosting
from simulator.life.endpoint import DeleteRequested, EndpointStatus, UpdateRequested

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from simulator.api.account import Account
    from simulator.api.calls import Calls
    from simulator.api.hosting.configs import EndpointConfig, EndpointConfigs
    from simulator.api.hosting.models import Model, Models
    from simulator.life.endpoint import Endpoint, EndpointChanged, EndpointInput
    from simulator.world.scenario import EndpointRule


@dataclass(frozen=True)
class Deployment:
    """What an endpoint configuration consisted of when it was deployed: it may be deleted while it serves.

    ``models`` has the model of each variant.
    """

    number: int
    config: EndpointConfig
    models: Mapping[str, Model]

    def instances(self) -> dict[str, int]:
        """Return how many instances of each type it needs."""
        counts: dict[str, int] = {}
        for variant in self.config.variants:
            if "InstanceType" in variant:
                kind = variant["InstanceType"]
                counts[kind] = counts.get(kind, 0) + variant["InitialInstanceCount"]
        return counts


@dataclass(frozen=True, kw_only=True)
class EndpointRecord(Resource):
    """An endpoint with its rule and its deployments, by number."""

    life: Endpoint
    rule: EndpointRule
    deployments: Mapping[int, Deployment]

    @property
    def serving(self) -> Deployment | None:
        """The deployment that answers requests."""
        return None if self.life.serving is None else self.deployments[self.life.serving]

    @property
    def deploying(self) -> Deployment | None:
        """The deployment that is on its way, or that failed when the endpoint was created."""
        return None if self.life.deploying is None else self.deployments[self.life.deploying]

    @property
    def config_name(self) -> str:
        """The EndpointConfigName: while the endpoint is being updated, that of the deployment that serves."""
        shown = self.serving or self.deploying
        return shown.config.name if shown is not None else ""


class EndpointObserver(Protocol):
    """Acts on what happens to endpoints: publishes it, or runs their containers. It must not block."""

    def held_statuses(self, deployment: Deployment) -> frozenset[EndpointStatus]:
        """Return the statuses that last until this observer applies an input, from this deployment on."""

    def observe(self, record: EndpointRecord, at: float) -> None:
        """Act on a new status; called once for each, in order."""


class Endpoints:
    """All endpoints of an account, behind the lock of `Hosting`."""

    def __init__(self, account: Account, configs: EndpointConfigs, models: Models, calls: Calls) -> None:
        self._configs = configs
        self._models = models
        self._calls = calls
        self._observers: Sequence[EndpointObserver] = ()
        self.kept: Resources[EndpointRecord] = Resources(account, "endpoint", "endpoint")

    def add_observers(self, *observers: EndpointObserver) -> None:
        """Report what happens to the endpoints created from now on to ``observers``."""
        self._observers = (*self._observers, *observers)

    def create(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer CreateEndpoint."""
        name = request["EndpointName"]
        self.kept.check_free(name)
        deployment = self._deployment(request["EndpointConfigName"], 1)
        rule = self._calls.scenario.endpoint_rule_for(name)
        life, created = hosting.begin(name, rule.script(self._held(deployment)), self._calls.now())
        record = EndpointRecord(
            name=name,
            arn=self.kept.arn(name),
            created_at=life.created_at,
            tags=add_tags({}, request.get("Tags", [])),
            life=life,
            rule=rule,
            deployments={1: deployment},
        )
        self._keep(record, (created,))
        return {"EndpointArn": record.arn}

    def update(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer UpdateEndpoint. From now on, the rule applies that the scenario has by now.

        As seen in practice, an endpoint cannot be updated once its present configuration has been deleted.
        """
        record = self._changeable(request["EndpointName"])
        if record.life.status is EndpointStatus.FAILED:
            raise invalid(f'Cannot update failed endpoint "{record.arn}". Delete it and create it again.')
        self._configs.kept.existing(record.config_name)
        deployment = self._deployment(request["EndpointConfigName"], record.life.deployments + 1)
        rule = self._calls.scenario.endpoint_rule_for(record.name)
        deployments = {**record.deployments, deployment.number: deployment}
        record = replace(record, rule=rule, deployments=deployments)
        self._advance(record, UpdateRequested(rule.script(self._held(deployment))))
        return {"EndpointArn": record.arn}

    def delete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer DeleteEndpoint."""
        self._advance(self._changeable(request["EndpointName"]), DeleteRequested())
        return {}

    def apply(self, name: str, happens: EndpointInput) -> None:
        """Apply an input to an endpoint that exists."""
        self._advance(self.kept.existing(name), happens)

    def next_due(self) -> float | None:
        """Return when the next thing happens to any endpoint."""
        moments = (hosting.next_due(record.life) for record in self.kept)
        return min((moment for moment in moments if moment is not None), default=None)

    def catch_up(self) -> None:
        """Let everything happen that is due by now."""
        now = self._calls.now()
        for record in self.kept:
            due = hosting.next_due(record.life)
            if due is not None and due <= now:
                self._advance(record)

    def _changeable(self, name: str) -> EndpointRecord:
        record = self.kept.existing(name)
        if record.life.in_progress:
            raise invalid(f'Cannot update in-progress endpoint "{record.arn}".')
        return record

    def _deployment(self, config_name: str, number: int) -> Deployment:
        config = self._configs.kept.existing(config_name)
        models = {
            variant["VariantName"]: self._models.kept.existing(variant["ModelName"]) for variant in config.variants
        }
        deployment = Deployment(number, config, models)
        self._check_quotas(deployment)
        return deployment

    def _check_quotas(self, deployment: Deployment) -> None:
        # An update needs its new instances while the old ones still serve.
        for instance_type, delta in deployment.instances().items():
            for quota in self._calls.scenario.quotas:
                if (quota.instance_type, quota.market) != (instance_type, "endpoint"):
                    continue
                used = sum(each.instances().get(instance_type, 0) for each in self._alive())
                if used + delta > quota.limit:
                    raise errors.quota_exceeded(quota.title, quota.limit, used, delta)

    def _alive(self) -> Iterator[Deployment]:
        for record in self.kept:
            if record.life.status is not EndpointStatus.FAILED:
                yield from (each for each in (record.serving, record.deploying) if each is not None)

    def _held(self, deployment: Deployment) -> frozenset[EndpointStatus]:
        return frozenset().union(*(observer.held_statuses(deployment) for observer in self._observers))

    def _advance(self, record: EndpointRecord, happens: EndpointInput | None = None) -> None:
        life, changes = hosting.advance(record.life, self._calls.now(), happens)
        self._keep(replace(record, life=life), changes)

    def _keep(self, record: EndpointRecord, changes: Sequence[EndpointChanged]) -> None:
        self.kept.keep(record)
        if record.life.gone:
            self.kept.remove(record)
        for change in changes:
            self._announce(replace(record, life=change.endpoint), change.at)

    def _announce(self, record: EndpointRecord, at: float) -> None:
        life = record.life
        self._calls.audit.add(
            "endpoint",
            at,
            resource=f"endpoint/{record.name}",
            status=life.status.value,
            config=record.config_name,
            reason=life.failure_reason,
            live=not life.gone,
        )
        for observer in self._observers:
            observer.observe(record, at)
