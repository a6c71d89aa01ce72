"""One browser for all tests, which are skipped where there is none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import Browser, begin_browser, find_chromium

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser."""
    if find_chromium() is None:
        assert not os.environ.get("SPOT_RELAY_REQUIRE_BROWSER"), "there is no Chromium"
        pytest.skip("there is no Chromium: apt-get install chromium")
    yield from begin_browser()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """The browser, whose windows are closed after each test."""
    yield chromium
    chromium.close_windows()
