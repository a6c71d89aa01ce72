"""Write docs/command.md and the recordings in docs/images: ``python -m manual``."""

from __future__ import annotations

from pathlib import Path

from manual.page import build_page
from manual.recordings import record_all

ROOT = Path(__file__).parents[1]

if __name__ == "__main__":
    (ROOT / "docs" / "command.md").write_text(build_page(), "utf-8")
    for name, image in record_all().items():
        (ROOT / "docs" / "images" / f"{name}.svg").write_text(image, "utf-8")
