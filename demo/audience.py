"""Show the demo's progress: on a terminal that is redrawn, as plain lines of text, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, Self

from rich.live import Live

from demo import screen

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from demo.watcher import View


class Audience(Protocol):
    """Receives the progress of the demo."""

    def note(self, text: str) -> None:
        """Show what is being done."""

    def show(self, view: View) -> None:
        """Show the current state of the run."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Silent:
    """Shows nothing, for programs that need only the result."""

    def note(self, text: str) -> None:
        """Do nothing."""

    def show(self, view: View) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class Terminal:
    """Prints notes as lines, and below them a picture of the run that is redrawn in place."""

    def __init__(self, console: Console, rounds: int, started_at: datetime) -> None:
        self._console = console
        self._rounds = rounds
        self._started_at = started_at
        self._live = Live(console=console, auto_refresh=False)

    def note(self, text: str) -> None:
        """Print the note above the picture."""
        elapsed = (datetime.now(UTC) - self._started_at).total_seconds()
        self._console.print(f"[dim]+{elapsed:5.1f} s[/dim]  {text}", highlight=False, soft_wrap=True)

    def show(self, view: View) -> None:
        """Redraw the picture; the first view starts it."""
        self._live.start()
        self._live.update(screen.draw_run(view, self._rounds, self._started_at, datetime.now(UTC)), refresh=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()


class PlainText:
    """Prints each note and each step of a training job once, as a line, for a file or a pipe."""

    def __init__(self, console: Console, started_at: datetime) -> None:
        self._console = console
        self._started_at = started_at
        self._printed: set[tuple[str, str, datetime]] = set()

    def note(self, text: str) -> None:
        """Print the note."""
        elapsed = (datetime.now(UTC) - self._started_at).total_seconds()
        self._console.print(f"+{elapsed:5.1f} s  {text}", highlight=False, soft_wrap=True)

    def show(self, view: View) -> None:
        """Print the steps that are new since the previous view."""
        for step in view.steps:
            key = (step.job_name, step.status, step.at)
            if key not in self._printed:
                self._printed.add(key)
                self._console.print(screen.format_step(step, self._started_at), soft_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass
