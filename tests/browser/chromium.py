"""Pages in Chromium: what they report, load and look like."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
WIDTHS: Final = (400, 900, 1600)
SCHEMES: Final = ("light", "dark")


def find_chromium() -> str | None:
    """Return the path of the browser, or None if there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass
class Window:
    """A page in a window of its own, and what the browser has reported of it."""

    page: Any
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @classmethod
    def watch(cls, page: Any) -> Window:
        """Return a window that notes what its page reports and loads from now on."""
        window = cls(page)
        page.on("console", lambda message: window.messages.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: window.messages.append(str(error)))
        page.on("request", lambda request: window.requests.append(request.url))
        return window

    def overflows(self) -> bool:
        """Whether the page is wider than its window."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))

    def find_violations(self) -> list[str]:
        """Return what axe-core finds wrong with the page, one line for each rule and element."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]]

    def shoot(self, name: str) -> None:
        """Save a picture of the whole page, if the variable SHOTS names a folder for them."""
        folder = os.environ.get("SHOTS")
        if folder:
            safe = re.sub(r"[^\w.-]+", "-", name)
            self.page.screenshot(path=str(Path(folder) / f"{safe}.png"), full_page=True)


@dataclass(frozen=True)
class Browser:
    """Opens windows."""

    chromium: Any

    def open(self, address: str, width: int = 900, scheme: str = "light", *, scripts: bool = True) -> Window:
        """Open an address in a window of a width, for a reader with a colour scheme, with or without JavaScript."""
        context = self.chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
        )
        window = Window.watch(context.new_page())
        window.page.goto(address)
        return window

    def close_windows(self) -> None:
        """Close all windows."""
        for context in self.chromium.contexts:
            context.close()


def begin_browser() -> Iterator[Browser]:
    """Start the browser, and end it afterwards."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # A container's root user has no sandbox; the pages are our own.
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        yield Browser(chromium)
        chromium.close()
