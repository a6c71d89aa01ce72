"""Fixtures: the servers, once; a stack whose functions have their roles' rights, for each test, or for a whole file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spot_relay import bootstrap
from tests.integration.servers import running
from tests.security.watched import WatchedStack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.servers import Servers


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Both servers; they end with the session."""
    with running() as servers:
        yield servers


@pytest.fixture(scope="module")
def stack(servers: Servers) -> Iterator[WatchedStack]:
    """The stack, deployed; who uses it begins anew."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in servers.environment().items():
            patch.setenv(name, value)
        patch.setattr(bootstrap, "client", servers.client)
        deployed = WatchedStack(servers)
        for name, value in deployed.environment().items():
            patch.setenv(name, value)
        yield deployed
