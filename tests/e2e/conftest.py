"""One deployed stack for all end-to-end tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from embedded import deployment
from tests.e2e.relay import CHECKPOINTS, PRICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from embedded.stack import Stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The real template on MiniStack and the simulator; open runs are looked at again after seconds, not minutes."""
    parameters = {"CheckIntervalSeconds": "5", "PriceFile": f"s3://{CHECKPOINTS}/{PRICES}"}
    with deployment.running(parameters=parameters) as deployed:
        yield deployed
