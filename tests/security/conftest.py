"""Fixtures: a stack whose functions have their roles' rights, for each test, or for a whole file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spot_relay import bootstrap
from tests.security.watched import WatchedStack

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.fake_aws import FakeAWS


@pytest.fixture(scope="module")
def stack(fake_aws: FakeAWS) -> Iterator[WatchedStack]:
    """The stack, deployed; who uses it begins anew."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in fake_aws.environment().items():
            patch.setenv(name, value)
        patch.setattr(bootstrap, "create_client", fake_aws.client)
        deployed = WatchedStack(fake_aws)
        for name, value in deployed.environment().items():
            patch.setenv(name, value)
        yield deployed
