"""One deployed stack for all end-to-end tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simulator import embedded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator.embedded import Stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The real template on MiniStack and the simulator; open runs are looked at again after seconds, not minutes."""
    with embedded.running(parameters={"CheckIntervalSeconds": "5"}) as deployed:
        yield deployed
