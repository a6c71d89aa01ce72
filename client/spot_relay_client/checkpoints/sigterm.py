"""Notes a SIGTERM instead of ending the process, so that training can save first."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType


class Sigterm:
    """Whether there was a SIGTERM since ``listen``."""

    def __init__(self) -> None:
        self.noted = False
        self._pid = os.getpid()
        self._earlier: signal._HANDLER = signal.SIG_DFL

    def listen(self) -> None:
        """Remember from now on that a SIGTERM came, and pass each one on to the handler that was there before.

        Raises
        ------
        RuntimeError
            In any thread but the main one: Python sets signal handlers only there.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError(
                "Only the main thread can handle SIGTERM. Enter Checkpoints there, or pass handle_sigterm=False."
            )
        self._pid = os.getpid()
        earlier = signal.signal(signal.SIGTERM, self._note)
        self._earlier = signal.SIG_DFL if earlier is None else earlier

    def forget(self) -> None:
        """Bring back the handler that was there before, unless another one was set in the meantime."""
        if signal.getsignal(signal.SIGTERM) == self._note:
            signal.signal(signal.SIGTERM, self._earlier)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._pid:
            # A forked process, such as a data loader's, has to end as it would have without this.
            signal.signal(number, self._earlier)
            os.kill(os.getpid(), number)
            return
        self.noted = True
        if callable(self._earlier):
            self._earlier(number, frame)
