"""The errors that a scenario still has to give."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.world.scenario import ErrorRule, Rule


class FaultBook:
    """Counts how often each scripted error was given, until its ``times`` are used up."""

    def __init__(self) -> None:
        # Rules are values and two may be equal; each has its own count, so identity is what counts. The rules
        # are kept with the counts: an identity is only good while its object lives.
        self._given: dict[tuple[int, int], tuple[Rule, int]] = {}

    def take(self, rule: Rule, operation: str) -> ErrorRule | None:
        """Take the next error that ``rule`` has for ``operation``, or ``None``."""
        for place, error in enumerate(rule.errors):
            _, given = self._given.get((id(rule), place), (rule, 0))
            if error.operation == operation and (error.times is None or given < error.times):
                self._given[id(rule), place] = (rule, given + 1)
                return error
        return None
