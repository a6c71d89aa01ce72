"""What holds for all tests of the helper for training code."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _no_other_handler() -> Iterator[None]:
    """Put aside the handler of SIGTERM that a deployed stack has set: the helper would pass the signal on to it."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)
