"""Who looks on: a terminal that can be redrawn, a file that takes lines, or a program that wants the result only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, Self

from rich.live import Live

from demo import screen

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from demo.watching import View


class Audience(Protocol):
    """What the demo tells while it goes on."""

    def note(self, text: str) -> None:
        """Tell what is being done."""

    def show(self, view: View) -> None:
        """Show the run as it is now."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Nobody:
    """An audience that is told nothing."""

    def note(self, text: str) -> None:
        """Pass over."""

    def show(self, view: View) -> None:
        """Pass over."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class Terminal:
    """A terminal: notes as lines, then one picture of the run that is redrawn in place."""

    def __init__(self, console: Console, rounds: int, began: datetime) -> None:
        self._console = console
        self._rounds = rounds
        self._began = began
        self._live = Live(console=console, auto_refresh=False)

    def note(self, text: str) -> None:
        """Print the note above the picture."""
        elapsed = (datetime.now(UTC) - self._began).total_seconds()
        self._console.print(f"[dim]+{elapsed:5.1f} s[/dim]  {text}", highlight=False)

    def show(self, view: View) -> None:
        """Redraw the picture; it begins with the first view."""
        self._live.start()
        self._live.update(screen.live(view, self._rounds, self._began, datetime.now(UTC)), refresh=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


class Lines:
    """A file or a pipe: each note and each step of a training job once, as a line."""

    def __init__(self, console: Console, began: datetime) -> None:
        self._console = console
        self._began = began
        self._told: set[tuple[str, str, datetime]] = set()

    def note(self, text: str) -> None:
        """Print the note."""
        elapsed = (datetime.now(UTC) - self._began).total_seconds()
        self._console.print(f"+{elapsed:5.1f} s  {text}", highlight=False, soft_wrap=True)

    def show(self, view: View) -> None:
        """Print the steps that are new since the last view."""
        for step in view.steps:
            key = (step.job_name, step.status, step.at)
            if key not in self._told:
                self._told.add(key)
                self._console.print(screen.line(step, self._began), soft_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass
