"""SageMaker's models and endpoints in an exploration: a deployment is over when its time is, whoever looks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from spot_relay.domain.run.hosting import Endpoint, NoEndpoint
from tests.simulation import hosting as simulated

if TYPE_CHECKING:
    from spot_relay.domain.run.hosting import Unmade

DEPLOYS_FOR = timedelta(seconds=20)
_DEPLOYING = frozenset({"Creating", "Updating"})


@dataclass
class Hosting(simulated.Hosting):
    """The account's endpoints. What is deploying is kept as it began, and shown as it is now."""

    def find_endpoint(self, name: str) -> Endpoint | NoEndpoint | Unmade:
        """Describe an endpoint."""
        known = self.endpoints.get(name)
        if known is None or known.status not in _DEPLOYING or self.clock() < known.modified_at + DEPLOYS_FOR:
            return known or NoEndpoint()
        config = known.pending_config_name or known.config_name
        at = known.modified_at + DEPLOYS_FOR
        return replace(known, status="InService", config_name=config, pending_config_name=None, modified_at=at)

    def serves(self, name: str, config: str | None) -> bool:
        """Whether a configuration is in service now."""
        seen = self.find_endpoint(name)
        return isinstance(seen, Endpoint) and (seen.status, seen.config_name) == ("InService", config)

    def _deploy(self, name: str, config: str, earlier: Endpoint | NoEndpoint) -> None:
        """Leave it to time."""

    def fork_of(self, other: Hosting) -> None:
        """Become what the other one is."""
        self.parts, self.endpoints = dict(other.parts), dict(other.endpoints)
        self.packages = dict(other.packages)

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells one state of it from others."""
        endpoints = (
            (name, one.status, one.config_name, one.pending_config_name, one.modified_at.isoformat())
            for name, one in sorted(self.endpoints.items())
        )
        return (*sorted(self.parts), *endpoints, *sorted(self.packages))
