"""SageMaker's models, endpoints and model packages on virtual time: deployments take a while, and some fail."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING

from spot_relay.domain.run.hosting import Endpoint, HostingStep, NoEndpoint, Unmade
from tests.hosting import ARN, MemoryHosting

if TYPE_CHECKING:
    from collections.abc import Callable

    from spot_relay.domain.run.hosting import Made, Part
    from tests.simulation.timeline import Timeline

# The endpoint that somebody else has, and the model package group that there is.
OTHERS, GROUP = "others", "models"
# As long a description may be out of date.
_STALE = 60.0


@dataclass
class Hosting(MemoryHosting):
    """The account's endpoints. ``created`` hears of what is about to be created, ``tells`` of an endpoint's changes.

    ``served`` has the endpoints with the configurations that have been in service there.
    """

    seed: int = 0
    timeline: Timeline = field(kw_only=True)
    created: Callable[[Part], None] = lambda _: None
    tells: Callable[[Endpoint], None] = lambda _: None
    is_stale: Callable[[], bool] = lambda: False
    served: set[tuple[str, str]] = field(default_factory=set)
    before: dict[str, tuple[float, Endpoint | NoEndpoint]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.groups.add(GROUP)
        arn = f"{ARN}:endpoint/{OTHERS}"
        self.endpoints[OTHERS] = Endpoint(arn, "InService", "theirs", self.clock())

    def create(self, part: Part) -> Made | Unmade:
        if not self._exists(part):
            self.created(part)
        earlier = self.endpoints.get(part.name, NoEndpoint())
        answer = super().create(part)
        is_deployment = part.step in {HostingStep.ENDPOINT, HostingStep.ENDPOINT_UPDATE}
        if is_deployment and self.endpoints.get(part.name, NoEndpoint()) != earlier:
            self._deploy(part.name, str(part.request["EndpointConfigName"]), earlier)
        return answer

    def find_endpoint(self, name: str) -> Endpoint | NoEndpoint | Unmade:
        at, earlier = self.before.get(name, (-_STALE, NoEndpoint()))
        if self.timeline.now - at < _STALE and self.is_stale():
            return earlier
        return super().find_endpoint(name)

    def serves(self, name: str, config: str | None) -> bool:
        """Whether a configuration has been in service."""
        return (name, config) in self.served

    def _exists(self, part: Part) -> bool:
        if part.step is HostingStep.MODEL_PACKAGE:
            return part.request["ClientToken"] in self.packages
        return part.step is HostingStep.ENDPOINT_UPDATE or any(
            known.step is part.step and known.name == part.name for known in self.parts.values()
        )

    def _deploy(self, name: str, config: str, earlier: Endpoint | NoEndpoint) -> None:
        """Let a deployment that has begun take its time, and succeed or fail: by what is deployed alone."""
        rng = Random(f"{self.seed}/{config}/deployment")
        seconds, fails = rng.choice((20.0, 300.0, 3000.0)), rng.random() < 0.2
        self._changed(name, earlier)

        def ends() -> None:
            now = self.endpoints[name]
            if not fails:
                self.deploys(name)
                self.served.add((name, config))
            elif isinstance(earlier, Endpoint):
                self.rolls_back(name)
            else:
                self.becomes(name, "Failed", failure_reason="The container did not answer.")
            self._changed(name, now)

        self.timeline.after(seconds, ends)

    def _changed(self, name: str, earlier: Endpoint | NoEndpoint) -> None:
        self.before[name] = (self.timeline.now, replace(earlier))
        self.tells(self.endpoints[name])
