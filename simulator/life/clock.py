"""Who makes time pass: the machine's clock in threads, or a test that advances a virtual clock."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from threading import Condition, RLock, Thread
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)

BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Part(Protocol):
    """A part of the simulator that has things to do at certain times."""

    @property
    def changed(self) -> Condition:
        """The condition to notify when `next_due` may have changed."""

    def next_due(self) -> float | None:
        """Return the time of the next thing to do (epoch seconds), or ``None`` if there is nothing to do."""

    def catch_up(self) -> None:
        """Do everything that is due by now."""


class VirtualClock:
    """A clock that stands still until it is advanced.

    Everything that comes due on the way happens before `advance` returns, in order and at its own time: jobs change
    their status, events arrive. After an API call, whatever is due at that moment has happened as well.
    """

    def __init__(self, beginning: datetime = BEGINNING) -> None:
        self._now = beginning.timestamp()
        self._parts: tuple[Part, ...] = ()
        self._advancing = RLock()

    def now(self) -> float:
        """Return the time in epoch seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Raises
        ------
        ValueError
            If ``seconds`` is negative.
        """
        if seconds < 0:
            raise ValueError(f"a clock cannot go back: advance({seconds:g})")
        with self._advancing:
            self._advance_to(self._now + seconds)

    def settle(self) -> None:
        """Do what is due at this moment, unless another thread is advancing the clock: then that thread does it."""
        if self._advancing.acquire(blocking=False):
            try:
                self._advance_to(self._now)
            finally:
                self._advancing.release()

    def drive(self, parts: Sequence[Part]) -> None:
        """Advance these parts from now on, and no others."""
        self._parts = tuple(parts)

    def _advance_to(self, target: float) -> None:
        while True:
            moments = [moment for part in self._parts if (moment := part.next_due()) is not None]
            due = min(moments, default=None)
            if due is None or due > target:
                break
            self._now = max(self._now, due)
            for part in self._parts:
                part.catch_up()
        self._now = max(self._now, target)


class RealTime:
    """Drives each part by the machine's clock, in a thread of its own."""

    def __init__(self, parts: Sequence[Part], failed: Callable[[Exception], None]) -> None:
        self._parts = tuple(parts)
        self._failed = failed
        self._stopping = False
        self._threads = [Thread(target=self._run, args=(part,), daemon=True) for part in self._parts]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let each part catch up once more, and end the threads."""
        self._stopping = True
        for part in self._parts:
            with part.changed:
                part.changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=5)

    def _run(self, part: Part) -> None:
        try:
            while True:
                self._wait(part)
                part.catch_up()
                if self._stopping:
                    return
        except Exception as error:
            # A simulator whose jobs stand still, or whose events are missing, would only look alive.
            logger.exception("%s failed", type(part).__name__)
            self._failed(error)

    def _wait(self, part: Part) -> None:
        with part.changed:
            while not self._stopping:
                due, now = part.next_due(), time.time()
                if due is not None and due <= now:
                    return
                part.changed.wait(None if due is None else due - now)
