"""The hosting of an account: its operations, and InvokeEndpoint."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from threading import Condition
from typing import TYPE_CHECKING, Any, Final, Protocol

from simulator.api.errors import ServiceError, not_found
from simulator.api.hosting.configs import EndpointConfigs
from simulator.api.hosting.endpoints import Endpoints
from simulator.api.hosting.models import Models
from simulator.api.hosting.packages import Packages
from simulator.api.hosting.wire import ENDPOINTS, describe_endpoint
from simulator.api.tags import add_tags, tag_list
from simulator.api.validation import validate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulator.api.account import Account
    from simulator.api.calls import Calls
    from simulator.api.hosting.endpoints import EndpointObserver, EndpointRecord
    from simulator.api.hosting.materials import Materials
    from simulator.api.hosting.packages import Package
    from simulator.api.hosting.resources import Resources
    from simulator.life.endpoint import EndpointInput
    from simulator.world.scenario import EndpointRule

# The member that names what an operation is about, and the kind of it in ARNs; the first that a request has.
_NAMES: Final = {
    "EndpointName": "endpoint",
    "EndpointConfigName": "endpoint-config",
    "ModelName": "model",
    "ModelPackageGroupName": "model-package-group",
    "ModelPackageName": "model-package",
}
LARGEST_BODY: Final = 6_291_456


@dataclass(frozen=True)
class Invocation:
    """A request to an endpoint; ``variant`` is its TargetVariant."""

    body: bytes
    headers: Mapping[str, str]
    variant: str | None = None


@dataclass(frozen=True)
class Prediction:
    """The answer of a variant to an invocation."""

    body: bytes
    headers: Mapping[str, str]
    variant: str


class Invoke(Protocol):
    """Passes an invocation on to the container of a variant, and may take long.

    It raises a ServiceError if the container does not answer, or answers with an error.
    """

    def __call__(self, record: EndpointRecord, variant: str, invocation: Invocation) -> Prediction:
        """Return the answer of the container."""


def invoke_nothing(record: EndpointRecord, variant: str, invocation: Invocation) -> Prediction:  # noqa: ARG001
    """Refuse to answer for an endpoint that has no container."""
    deployment = record.serving
    images = [each.image for each in deployment.models[variant].containers] if deployment is not None else []
    message = (
        f"The simulator runs no container for endpoint {record.name}: its image {', '.join(images)} has no folder on "
        "this machine, so that nothing is served."
    )
    raise ServiceError("ModelError", message, 424, {"OriginalStatusCode": 501, "OriginalMessage": message})


class Hosting:
    """All endpoints, endpoint configurations, models and model packages of an account, behind one lock.

    ``settle`` is called after each call of the API, outside the lock.
    """

    def __init__(self, account: Account, calls: Calls, settle: Callable[[], None], materials: Materials) -> None:
        self._account = account
        self._calls = calls
        self._settle = settle
        self._invoke: Invoke = invoke_nothing
        self.changed = Condition()  # its lock, a reentrant one, guards everything
        self._packages = Packages(account, calls.now)
        self._models = Models(account, self._packages, materials, calls.now)
        self._configs = EndpointConfigs(account, self._models, calls.now)
        self._endpoints = Endpoints(account, self._configs, self._models, calls)
        self.operations: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "CreateModel": self._models.create,
            "DescribeModel": self._models.describe,
            "DeleteModel": self._models.delete,
            "CreateEndpointConfig": self._configs.create,
            "DescribeEndpointConfig": self._configs.describe,
            "DeleteEndpointConfig": self._configs.delete,
            "CreateEndpoint": self._endpoints.create,
            "UpdateEndpoint": self._endpoints.update,
            "DescribeEndpoint": self._describe_endpoint,
            "DeleteEndpoint": self._endpoints.delete,
            "ListEndpoints": self._list_endpoints,
            "CreateModelPackageGroup": self._packages.create_group,
            "DescribeModelPackageGroup": self._packages.describe_group,
            "CreateModelPackage": self._packages.create,
            "DescribeModelPackage": self._packages.describe,
            "ListModelPackages": self._packages.list_,
        }
        self._tag_operations = {"AddTags": self._add_tags, "ListTags": self._list_tags}

    def observe(
        self, *observers: EndpointObserver, packages: Callable[[Package], None], invoke: Invoke = invoke_nothing
    ) -> None:
        """Report what happens to endpoints to ``observers``, and new model packages to ``packages``."""
        self._endpoints.add_observers(*observers)
        self._packages.announce = packages
        self._invoke = invoke

    def has(self, operation: str, request: Mapping[str, Any]) -> bool:
        """Whether a call is about something here: tags are only if their resource is no training job."""
        if operation in self._tag_operations:
            return ":training-job/" not in str(request.get("ResourceArn", ":training-job/"))
        return operation in self.operations

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Perform an operation of the API that it has, and log it.

        Raises
        ------
        ServiceError
            If the operation is refused.
        """
        name, resource = _subject(request)
        try:
            with self.changed:
                rule = self._calls.scenario.endpoint_rule_for(name)
                perform = self.operations.get(operation) or self._tag_operations[operation]
                return self._calls.perform(
                    operation, rule, lambda: self._perform(operation, request, perform), resource=resource
                )
        finally:
            self._settle()

    def invoke(self, name: str, invocation: Invocation) -> Prediction:
        """Perform InvokeEndpoint, and log it; the lock is free while the container works.

        Raises
        ------
        ServiceError
            If there is no such endpoint in service, or if its container returns an error.
        """
        rule: EndpointRule = self._calls.scenario.endpoint_rule_for(name)
        try:
            return self._calls.perform(
                "InvokeEndpoint", rule, lambda: self._invoke_variant(name, invocation), resource=f"endpoint/{name}"
            )
        finally:
            self._settle()

    def apply(self, name: str, happens: EndpointInput) -> None:
        """Apply an input to an endpoint."""
        with self.changed:
            self._endpoints.apply(name, happens)
            self.changed.notify_all()

    def next_due(self) -> float | None:
        """Return when the next thing happens to any endpoint."""
        with self.changed:
            return self._endpoints.next_due()

    def catch_up(self) -> None:
        """Let everything happen that is due by now."""
        with self.changed:
            self._endpoints.catch_up()

    def _perform(
        self, operation: str, request: Mapping[str, Any], perform: Callable[[Mapping[str, Any]], dict[str, Any]]
    ) -> dict[str, Any]:
        validate(operation, request)
        self._endpoints.catch_up()
        answer = perform(request)
        self.changed.notify_all()
        return answer

    def _invoke_variant(self, name: str, invocation: Invocation) -> Prediction:
        if len(invocation.body) > LARGEST_BODY:
            raise ServiceError(
                "ValidationError",
                "1 validation error detected: Value at 'body' failed to satisfy constraint: "
                f"Member must have length less than or equal to {LARGEST_BODY}",
            )
        with self.changed:
            self._endpoints.catch_up()
            record, variant = self._route(name, invocation.variant)
        return self._invoke(record, variant, invocation)

    def _route(self, name: str, wanted: str | None) -> tuple[EndpointRecord, str]:
        record = self._endpoints.kept.by_arn(self._endpoints.kept.arn(name))
        if record is None or record.serving is None:
            raise ServiceError("ValidationError", f"Endpoint {name} of account {self._account.number} not found.")
        weights = {each["VariantName"]: each["InitialVariantWeight"] for each in record.serving.config.variants}
        if wanted is None:
            return record, random.choices(list(weights), list(weights.values()))[0]  # noqa: S311 (no secret)
        if wanted not in weights:
            raise ServiceError("ValidationError", f"Variant {wanted} not found for Endpoint {name}")
        return record, wanted

    def _describe_endpoint(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return describe_endpoint(self._endpoints.kept.existing(request["EndpointName"]))

    def _list_endpoints(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return ENDPOINTS.answer(self._endpoints.kept, request)

    def _add_tags(self, request: Mapping[str, Any]) -> dict[str, Any]:
        for kept in self._tagged():
            resource = kept.by_arn(request["ResourceArn"])
            if resource is not None:
                tags = add_tags(resource.tags, request["Tags"])
                kept.keep(replace(resource, tags=tags))
                return {"Tags": tag_list(tags)}
        raise not_found()

    def _list_tags(self, request: Mapping[str, Any]) -> dict[str, Any]:
        found = [kept.by_arn(request["ResourceArn"]) for kept in self._tagged()]
        for resource in found:
            if resource is not None:
                return {"Tags": tag_list(resource.tags)}
        raise not_found()

    def _tagged(self) -> tuple[Resources[Any], ...]:
        return self._endpoints.kept, self._configs.kept, self._models.kept, self._packages.groups


def _subject(request: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the name that a request is about, and the resource as the log has it."""
    for member, kind in _NAMES.items():
        name = request.get(member)
        if isinstance(name, str):
            name = name.rpartition(f":{kind}/")[2]  # some members may have an ARN
            return name, f"{kind}/{name}"
    arn = request.get("ResourceArn")
    if isinstance(arn, str):
        resource = arn.rpartition(":")[2]
        return resource.partition("/")[2], resource
    return "", None
