"""Keeps Ctrl-C from getting lost.

Python ignores an exception in a function that C code calls back. One such function completes each signature, where
awscrt is installed and botocore signs with it: a Ctrl-C at that moment would be lost, and the command, which waits for
that signature, would never end.
"""

from __future__ import annotations

import signal
import sys
from threading import Timer, main_thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

# By then, whatever ignored the interruption has returned; if not, it is interrupted once more.
_AGAIN_AFTER_SECONDS: Final = 0.05


def repeat_lost_interrupts() -> None:
    """From now on, interrupt the main thread once more whenever Python has to ignore a KeyboardInterrupt."""
    sys.unraisablehook = _repeat


def _repeat(ignored: UnraisableHookArgs) -> None:
    if issubclass(ignored.exc_type, KeyboardInterrupt):
        again = Timer(_AGAIN_AFTER_SECONDS, signal.pthread_kill, (main_thread().ident, signal.SIGINT))
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(ignored)
