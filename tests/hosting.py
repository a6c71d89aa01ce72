"""A SageMaker in memory that keeps models, endpoint configurations, endpoints and model packages."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spot_relay.domain.run.hosting import Endpoint, HostingStep, Made, NoEndpoint, Part, Unmade
from spot_relay.domain.run.launch import RUN_ID_TAG

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

ARN = "arn:aws:sagemaker:us-east-1:111122223333"
_KINDS = {
    HostingStep.MODEL: ("model", "model"),
    HostingStep.ENDPOINT_CONFIG: ("endpoint-config", "endpoint configuration"),
    HostingStep.ENDPOINT: ("endpoint", "endpoint"),
}


@dataclass
class MemoryHosting:
    """What was created, as the test leaves it; ``refusals`` are given, in turn, before anything is done."""

    clock: Callable[[], datetime]
    groups: set[str] = field(default_factory=set)
    parts: dict[str, Part] = field(default_factory=dict)
    """The parts that were created, by their ARNs."""
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    """The ARN of each model package, by its client token."""
    refusals: list[Unmade] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    """The steps that were asked for, and `find NAME`."""

    def create(self, part: Part) -> Made | Unmade:
        self.calls.append(str(part.step))
        if self.refusals:
            return self.refusals.pop(0)
        if part.step is HostingStep.MODEL_PACKAGE:
            return self._register(part)
        if part.step is HostingStep.ENDPOINT_UPDATE:
            return self._update(part)
        kind, title = _KINDS[part.step]
        arn = f"{ARN}:{kind}/{part.name.lower()}"
        if (known := self.parts.get(arn)) is not None:
            if part.tags.items() <= known.tags.items():
                return Made(arn)
            return Unmade(f'There is already an {title} "{arn}" of others.', passes=False, is_taken=True)
        self.parts[arn] = part
        if part.step is HostingStep.ENDPOINT:
            config = str(part.request["EndpointConfigName"])
            ours = RUN_ID_TAG in part.tags
            self.endpoints[part.name] = Endpoint(arn, "Creating", config, self.clock(), is_ours=ours)
        return Made(arn)

    def find_endpoint(self, name: str) -> Endpoint | NoEndpoint | Unmade:
        self.calls.append(f"find {name}")
        return self.endpoints.get(name, NoEndpoint())

    def becomes(self, name: str, status: str, **changes: object) -> None:
        """Let an endpoint move on, at the clock's time."""
        moved = {"status": status, "modified_at": self.clock(), **changes}
        self.endpoints[name] = replace(self.endpoints[name], **moved)  # type: ignore[arg-type]

    def deploys(self, name: str) -> None:
        """Let what an endpoint is deploying come into service."""
        known = self.endpoints[name]
        config = known.pending_config_name or known.config_name
        self.becomes(name, "InService", config_name=config, pending_config_name=None)

    def rolls_back(self, name: str) -> None:
        """Let the update of an endpoint fail: only the name of its configuration shows that."""
        self.becomes(name, "InService", pending_config_name=None)

    def _register(self, part: Part) -> Made | Unmade:
        if part.name not in self.groups:
            return Unmade(f"ModelPackageGroup {ARN}:model-package-group/{part.name} does not exist.", passes=False)
        token = str(part.request["ClientToken"])
        if token not in self.packages:
            version = 1 + sum(f"/{part.name}/" in arn for arn in self.packages.values())
            self.packages[token] = f"{ARN}:model-package/{part.name}/{version}"
            self.parts[self.packages[token]] = part
        return Made(self.packages[token])

    def _update(self, part: Part) -> Made | Unmade:
        known = self.endpoints.get(part.name)
        if known is None:
            return Unmade(f'Could not find endpoint "{ARN}:endpoint/{part.name.lower()}".', passes=False)
        if known.status in {"Creating", "Updating", "RollingBack", "Deleting"}:
            return Unmade(f'Cannot update in-progress endpoint "{known.arn}".', passes=True)
        config = str(part.request["EndpointConfigName"])
        self.becomes(part.name, "Updating", pending_config_name=config)
        return Made(known.arn)
