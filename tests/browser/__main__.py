"""Write the pictures of the typical runs' pages into docs/images: ``make page-pictures``."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from tests.browser.chromium import begin_browser
from tests.unit.pages.tales import KEPT

FOLDER = Path(__file__).parents[2] / "docs" / "images" / "pages"
# The upper part of one of them is the README's first picture.
FIRST, FIRST_FILE, LAST_PART = "interrupted", FOLDER.parent / "run.png", "section[aria-labelledby=deadline]"
WIDTH = 900
# The widget has no scroll bar of its own here; its upper part shows its buttons.
WIDGET, WIDGET_FILE = "run.html", FOLDER.parent / "widget.png"
WIDGET_PART = {"x": 0, "y": 0, "width": WIDTH, "height": 860}
# Enough for flat colours and the edges of letters; the files are a third as large.
COLOURS = 64


def main() -> None:
    """Write a picture of each page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for browser in begin_browser():
        for file in sorted(KEPT.glob("*.html")):
            page = browser.open(file.as_uri(), WIDTH).page
            picture = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB").quantize(COLOURS)
            picture.save(FOLDER / f"{file.stem}.png", optimize=True)
            if file.stem == FIRST:
                part = page.locator(LAST_PART).bounding_box()
                picture.crop((0, 0, WIDTH, round(part["y"] + part["height"]) + 16)).save(FIRST_FILE, optimize=True)
            browser.close_windows()
        page = browser.open((KEPT / "widget" / WIDGET).as_uri(), WIDTH).page
        picture = Image.open(io.BytesIO(page.screenshot(clip=WIDGET_PART))).convert("RGB").quantize(COLOURS)
        picture.save(WIDGET_FILE, optimize=True)


if __name__ == "__main__":
    main()
