"""pytest fixtures: ``sagemaker``, and ``sagemaker_clock``, the virtual clock that it runs on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulator import SageMaker, VirtualClock


@pytest.fixture
def sagemaker_clock() -> VirtualClock:
    """The clock of the fixture `sagemaker`; override this fixture to begin at another time."""
    from simulator import VirtualClock  # at first use: a session that needs no SageMaker does not load one

    return VirtualClock()


@pytest.fixture
def sagemaker(sagemaker_clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMaker]:
    """A SageMaker of the test's own; boto3's clients for SageMaker find it by environment variables."""
    from simulator import SageMaker

    with SageMaker(clock=sagemaker_clock) as sagemaker:
        for name, value in sagemaker.environment.items():
            monkeypatch.setenv(name, value)
        yield sagemaker
