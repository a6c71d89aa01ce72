"""A terminal that is drawn on again and again: only the lines that have changed are written, all in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.control import Control
from rich.segment import Segments

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console, ConsoleDimensions, RenderableType
    from rich.segment import Segment


class Canvas:
    """The other screen of a terminal, as long as the context lasts. What was drawn last stays on the usual one."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._size: ConsoleDimensions | None = None
        self._lines: list[list[Segment]] = []
        self._last: RenderableType | None = None

    def __enter__(self) -> Canvas:
        """Switch to the other screen."""
        self._console.set_alt_screen(True)
        self._console.show_cursor(False)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Switch back, and print what was drawn last."""
        self._console.show_cursor(True)
        self._console.set_alt_screen(False)
        if self._last is not None:
            self._console.print(self._last)

    def draw(self, drawing: RenderableType) -> None:
        """Show a drawing: as much of it as the terminal has lines for."""
        console, size = self._console, self._console.size
        lines = console.render_lines(drawing, console.options.update(width=size.width, height=size.height))
        with console:
            if size != self._size:
                console.control(Control.clear())
            for number, line in enumerate(lines):
                if size != self._size or line != self._lines[number]:
                    console.control(Control.move_to(0, number))
                    console.print(Segments(line), end="", crop=False)
        self._size, self._lines, self._last = size, lines, drawing
