"""The scripted errors of a scenario, each returned as often as the scenario says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simulator.world.scenario import Fault


class Faulty(Protocol):
    """A rule of a scenario that has errors."""

    @property
    def errors(self) -> Sequence[Fault]:
        """The errors, in order."""


class FaultBook:
    """Counts how often each scripted error was used, until its ``times`` are up."""

    def __init__(self) -> None:
        # Two rules may be equal, but each has a count of its own, so the key is the rule's identity. The rule is kept
        # with its count because an identity is only unique while its object lives.
        self._used: dict[tuple[int, int], tuple[Faulty, int]] = {}

    def take(self, rule: Faulty, operation: str) -> Fault | None:
        """Return the next error that ``rule`` has for ``operation``, and count it; ``None`` if there is none left."""
        for place, error in enumerate(rule.errors):
            _, used = self._used.get((id(rule), place), (rule, 0))
            if error.operation == operation and (error.times is None or used < error.times):
                self._used[id(rule), place] = (rule, used + 1)
                return error
        return None
