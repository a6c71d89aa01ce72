"""What training code uses: the checkpoints of one training, when to save one, and the end after a SIGTERM."""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .folder import Checkpoint, CheckpointFolder
from .history import History
from .sigterm import Sigterm

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

STOPPED = 128 + signal.SIGTERM
"""The exit code of a process that ends because of a SIGTERM."""

logger = logging.getLogger(__name__)


class Checkpoints:
    """The checkpoints of one training. Use it in a ``with`` statement around the training.

    Parameters
    ----------
    folder
        Where they are. Default: ``SM_CHECKPOINT_DIR``, or else SageMaker's ``/opt/ml/checkpoints``.
    name
        What a checkpoint is called, with ``{step}`` for its number of steps, such as ``step-{step}.keras``.
    keep
        How many to keep. Older ones are deleted, here and so in S3. None keeps all.
    every
        The seconds between two saves. Default: what ``History.interval`` recommends.
    writes
        Whether this process writes. Of several processes that train together, let only one, such as rank 0.
    handle_sigterm
        Whether to note a SIGTERM, so that ``due`` asks for a last save. It needs the main thread.
    clock
        Returns the time in seconds.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        name: str = "checkpoint-step-{step}",
        keep: int | None = 3,
        every: float | None = None,
        writes: bool = True,
        handle_sigterm: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if keep is not None and keep < 1:
            raise ValueError(f"keep is {keep}, which would leave no checkpoint. Keep at least 1, or None for all.")
        if every is not None and every < 0:
            raise ValueError(f"every is {every}. It is the number of seconds between two saves.")
        path = Path(folder or os.environ.get("SM_CHECKPOINT_DIR") or "/opt/ml/checkpoints")
        self._folder = CheckpointFolder(path.absolute(), name)
        self._keep = keep
        self._every = every
        self._writes = writes
        self._handles_sigterm = handle_sigterm
        self._clock = clock
        self._sigterm = Sigterm()
        self._history = History()
        self._started: float | None = None
        self._saved_at = 0.0
        self._due_since: float | None = None
        self._saved_after_sigterm = False

    def __enter__(self) -> Self:
        self._history = self._read_history().start()
        self._started = self._saved_at = self._clock()
        if self._handles_sigterm:
            self._sigterm.listen()
        try:
            self._write_history()
        except BaseException:
            self._sigterm.forget()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._sigterm.forget()
        if error is None and not self.stopping:
            self._history = self._history.finish()
        self._write_history()

    def newest(self) -> Checkpoint | None:
        """Return the complete checkpoint with the most steps, or None."""
        return next(iter(self.complete()), None)

    def complete(self) -> list[Checkpoint]:
        """Return all complete checkpoints, that with the most steps first."""
        return self._folder.list_complete()

    @property
    def interval(self) -> float:
        """The seconds between two saves: ``every``, or what is recommended at this moment."""
        return self._history_now().interval if self._every is None else self._every

    @property
    def stopping(self) -> bool:
        """Whether there was a SIGTERM. SageMaker kills the process 120 seconds after it sends one."""
        return self._sigterm.noted

    def due(self) -> bool:
        """Whether to save now: ``interval`` has passed since the last save, or a SIGTERM asks for a last one."""
        self._check_started()
        now = self._clock()
        is_due = not self._saved_after_sigterm if self.stopping else now - self._saved_at >= self.interval
        if is_due and self._due_since is None:
            self._due_since = now
        return is_due

    def save(self, step: int, write: Callable[[Path], object]) -> None:
        """Save a checkpoint after ``step`` steps, and delete old ones. Do nothing in a process that does not write.

        ``write`` is called with a path where nothing is yet, and makes a file or a folder there. Once it returns, that
        is moved to its place in one step.

        Raises
        ------
        ValueError
            If ``write`` has left nothing at the path, or an empty file or folder.
        """
        self._check_started()
        if self._writes:
            began = self._clock()
            self._folder.put(step, write)
            self._note_save(step, began)
        self._saved_after_sigterm = self.stopping

    def seal(self, step: int) -> None:
        """Complete a folder that a framework has written to its place in the checkpoint folder by itself.

        Call it right after that. What the save has cost is counted from when ``due`` asked for it.

        Raises
        ------
        ValueError
            If there is no folder with files in the place of that step.
        """
        self._check_started()
        if self._writes:
            self._folder.seal(step)
            self._note_save(step, self._due_since)
        self._saved_after_sigterm = self.stopping

    def exit_if_stopping(self) -> None:
        """End the process with the exit code 143 if there was a SIGTERM, and a save after it.

        So after a signal that comes between ``due`` and this call, one more step is trained, and then saved.
        """
        if self._saved_after_sigterm:
            raise SystemExit(STOPPED)

    def _note_save(self, step: int, began: float | None) -> None:
        now = self._clock()
        if began is not None:
            self._history = self._history.save(now - began)
        self._saved_at = now
        self._due_since = None
        self._folder.delete_old(step, self._keep)
        self._write_history()

    def _check_started(self) -> None:
        if self._started is None:
            raise RuntimeError("Use Checkpoints in a with statement around the training.")

    def _history_now(self) -> History:
        return self._history if self._started is None else self._history.train(self._clock() - self._started)

    def _read_history(self) -> History:
        stored = self._folder.read_history()
        try:
            return History() if stored is None else History.from_json(stored)
        except ValueError as error:
            logger.warning("The history of saves and interruptions begins anew, because it can't be read: %s", error)
            return History()

    def _write_history(self) -> None:
        if self._writes:
            self._folder.write_history(self._history_now().to_json())
