"""Virtual time: what happens when, in an order that the seed alone decides."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Timeline:
    """Seconds since the beginning, and what is to happen; of two things at one moment the first planned comes first."""

    now: float = 0.0
    heap: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    order: count[int] = field(default_factory=count)

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Plan something; what is planned for the past happens next."""
        heapq.heappush(self.heap, (max(when, self.now), next(self.order), act))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Plan something for so many seconds from now."""
        self.at(self.now + seconds, act)

    @property
    def next_at(self) -> float | None:
        """When the next planned thing happens, or None."""
        return self.heap[0][0] if self.heap else None

    def step(self) -> None:
        """Let the next planned thing happen."""
        self.now, _, act = heapq.heappop(self.heap)
        act()

    def until(self, when: float) -> None:
        """Let happen what is planned up to a moment, and let that be now."""
        while self.heap and self.heap[0][0] <= when:
            self.step()
        self.now = when
