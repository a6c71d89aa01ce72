"""Fixtures: the servers, once; a clean AWS and a stack in it, for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from moto import backends

from spot_relay import bootstrap
from tests.integration.servers import SERVICES, Servers
from tests.integration.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """Both servers; they end with the session."""
    with pytest.MonkeyPatch.context() as patch:
        # moto looks through its folders at each request, a fifth of the time that one takes.
        modules = tuple(backends.list_of_moto_modules())
        patch.setattr(backends, "list_of_moto_modules", lambda: modules)
        yield from _running()


def _running() -> Iterator[Servers]:
    with pytest.MonkeyPatch.context() as patch:
        running = Servers()
        for name, value in running.environment().items():
            patch.setenv(name, value)
        for service in SERVICES:
            running.client(service)
    yield running
    running.close()


@pytest.fixture
def aws(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Servers:
    """An AWS in which nothing exists yet, and an environment that leads to it."""
    for name, value in servers.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(bootstrap, "client", servers.client)
    servers.moto.forget()
    return servers


@pytest.fixture
def stack(aws: Servers, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """The stack, deployed in it, at the time at which the story of the event documents begins."""
    deployed = Stack(aws)
    for name, value in deployed.environment().items():
        monkeypatch.setenv(name, value)
    return deployed
