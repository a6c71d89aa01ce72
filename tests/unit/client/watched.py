"""What `spot-relay watch` draws of typical runs, at three widths, as text that is kept."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from spot_relay.pages.wording import Clock
from spot_relay_client.cli.live_view import LiveView
from spot_relay_client.logs import LogLine
from spot_relay_client.models import Run
from tests.unit.pages.tales import document_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from tests.unit.pages.tales import Tale

DRAWN = Path(__file__).parent / "kept"
WIDTHS = (60, 100, 160)


def draw_watched(tale: Callable[[], Tale]) -> str:
    """Return what is drawn at the end of a tale."""
    document, now = document_of(tale)
    run = Run.from_document(document)
    number = len(run.attempts)
    lines = [LogLine(now - timedelta(seconds=9 - n), number, "algo-1", f"epoch {n}") for n in range(10)]
    return "\n".join(f"{width} columns\n{draw(LiveView(run, lines, Clock(now)), width)}" for width in WIDTHS)


def draw(drawing: RenderableType, width: int) -> str:
    """Return what a terminal shows, without colours and without blanks at the ends of lines."""
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(drawing)
    shown: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "".join(f"{line.rstrip()}\n" for line in shown.splitlines())
