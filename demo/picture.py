"""The image of a run in the README: what a terminal shows at the end of the demo, as an SVG."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Final

from rich.console import Console

from demo import screen

if TYPE_CHECKING:
    from pathlib import Path

    from demo.outcome import Outcome

_COLUMNS: Final = 112
_FONT_FROM_THE_NETWORK: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def save_picture(outcome: Outcome, rounds: int, path: Path) -> None:
    """Save the last view of a completed run and its summary to ``path``; seconds count from the first launch."""
    steps = outcome.view.steps
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), highlight=False)
    console.print(screen.draw_run(outcome.view, rounds, steps[0].at, steps[-1].at, shown_steps=len(steps)))
    console.print(screen.draw_summary(outcome))
    path.parent.mkdir(parents=True, exist_ok=True)
    image = console.export_svg(title="make demo", unique_id="run")
    path.write_text(_FONT_FROM_THE_NETWORK.sub("", image), encoding="utf-8")
