"""CreateEndpointConfig, DescribeEndpointConfig and DeleteEndpointConfig."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.api.errors import invalid
from simulator.api.hosting.resources import Resource, Resources
from simulator.api.tags import add_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from simulator.api.account import Account
    from simulator.api.hosting.models import Models


@dataclass(frozen=True, kw_only=True)
class EndpointConfig(Resource):
    """An endpoint configuration, with the request that created it."""

    request: Mapping[str, Any]

    @property
    def variants(self) -> list[dict[str, Any]]:
        """The production variants, with their default weight."""
        return [{"InitialVariantWeight": 1.0, **variant} for variant in self.request["ProductionVariants"]]


class EndpointConfigs:
    """All endpoint configurations of an account."""

    def __init__(self, account: Account, models: Models, now: Callable[[], float]) -> None:
        self._models = models
        self._now = now
        self.kept: Resources[EndpointConfig] = Resources(account, "endpoint-config", "endpoint configuration")

    def create(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer CreateEndpointConfig."""
        name = request["EndpointConfigName"]
        self.kept.check_free(name)
        if "ShadowProductionVariants" in request or "AsyncInferenceConfig" in request:
            raise invalid("The simulator has neither shadow variants nor asynchronous inference")
        _check_variants(request["ProductionVariants"])
        for variant in request["ProductionVariants"]:
            self._models.kept.existing(variant["ModelName"])
        tags = add_tags({}, request.get("Tags", []))
        arn = self.kept.arn(name)
        self.kept.keep(EndpointConfig(name=name, arn=arn, created_at=self._now(), tags=tags, request=request))
        return {"EndpointConfigArn": arn}

    def describe(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer DescribeEndpointConfig."""
        config = self.kept.existing(request["EndpointConfigName"])
        answer = {key: value for key, value in config.request.items() if key != "Tags"}
        answer |= {"ProductionVariants": config.variants, "EndpointConfigArn": config.arn}
        return {"EnableNetworkIsolation": False, **answer, "CreationTime": config.created_at}

    def delete(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Answer DeleteEndpointConfig; endpoints that use the configuration go on."""
        self.kept.remove(self.kept.existing(request["EndpointConfigName"]))
        return {}


def _check_variants(variants: Sequence[Mapping[str, Any]]) -> None:
    names = [variant["VariantName"] for variant in variants]
    if len(names) != len(set(names)):
        raise invalid("Variant names must be unique within an endpoint configuration")
    for variant in variants:
        name = variant["VariantName"]
        if "ModelName" not in variant:
            raise invalid(f"The simulator has no inference components: ModelName is missing in variant {name}")
        instances = [member for member in ("InstanceType", "InitialInstanceCount") if member in variant]
        if "ServerlessConfig" in variant and instances:
            raise invalid(f"{instances[0]} cannot be given together with ServerlessConfig in variant {name}")
        if "ServerlessConfig" not in variant and len(instances) < 2:
            raise invalid(
                f"InstanceType and InitialInstanceCount are required in variant {name} without ServerlessConfig"
            )
    if sum(variant.get("InitialVariantWeight", 1.0) for variant in variants) <= 0:
        raise invalid("At least one variant must have an InitialVariantWeight above 0")
