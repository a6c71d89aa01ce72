"""Programs that hear signals as they do in a terminal, and that are not left behind."""

from __future__ import annotations

import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@contextmanager
def begun(command: Sequence[str], **settings: Any) -> Iterator[subprocess.Popen[str]]:
    """Start a program, and end it with the block."""
    with subprocess.Popen(command, text=True, preexec_fn=_hear, **settings) as program:
        try:
            yield program
        finally:
            if program.poll() is None:
                program.kill()


def _hear() -> None:
    """Undo what a shell does to what runs in its background, where these signals are ignored."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
