"""The simulator of the tests of endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from simulator import SageMaker, VirtualClock
from tests.simulator.api.host import SLOW, Host

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A simulator of the test's own, on a virtual clock."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    events: list[dict[str, Any]] = []
    scenario = {"endpoints": [{"phases": SLOW}]}
    with SageMaker(scenario, VirtualClock(), on_event=events.append) as sagemaker:
        yield Host(sagemaker, events)
