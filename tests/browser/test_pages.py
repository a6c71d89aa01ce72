"""The pages of typical runs as people see them: narrow and wide, light and dark, and with a screen reader."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import SCHEMES, WIDTHS
from tests.unit.pages.tales import KEPT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser.chromium import Browser

pytestmark = pytest.mark.browser
PAGES = sorted(KEPT.glob("*.html"))


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.stem)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_page_fits_its_window_reports_nothing_and_loads_nothing(browser: Browser, file: Path, scheme: str) -> None:
    for width in WIDTHS:
        window = browser.open(file.as_uri(), width, scheme)
        window.shoot(f"{file.stem}-{width}-{scheme}")
        assert window.messages == []
        assert window.requests == [file.as_uri()]
        assert not window.overflows(), width


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.stem)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_wrong_with_a_page(browser: Browser, file: Path, scheme: str) -> None:
    assert browser.open(file.as_uri(), scheme=scheme).find_violations() == []


def test_without_a_mouse_the_tables_behind_the_pictures_can_be_opened(browser: Browser) -> None:
    page = browser.open((KEPT / "interrupted.html").as_uri()).page
    summaries = page.locator("summary")
    assert summaries.count() >= 1
    for index in range(summaries.count()):
        summaries.nth(index).focus()
        page.keyboard.press("Enter")
        assert page.locator("details").nth(index).get_attribute("open") is not None
