"""Hyperparameters, which SageMaker passes as strings, read with clear errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Value = TypeVar("Value", int, float)


class HyperparameterError(ValueError):
    """A hyperparameter is missing, unknown or out of bounds; the message says which, and what is possible."""


@dataclass(frozen=True)
class Hyperparameters:
    """The hyperparameters of a job. Without a default, a hyperparameter is required."""

    given: Mapping[str, str]
    _asked: set[str] = field(default_factory=set)

    def integer(self, name: str, default: int | None = None, *, at_least: int = 0) -> int:
        """Return a whole number."""
        return self._number(name, default, int, "a whole number", at_least)

    def number(self, name: str, default: float | None = None, *, at_least: float = 0.0) -> float:
        """Return a number."""
        return self._number(name, default, float, "a number", at_least)

    def choice(self, name: str, default: str | None, choices: Sequence[str]) -> str:
        """Return one of several words."""
        value = self._take(name, default)
        if value not in choices:
            raise HyperparameterError(f"{name} is {value}, but must be one of {', '.join(choices)}")
        return value

    def integers(self, name: str, default: str | None = None) -> tuple[int, ...]:
        """Return whole numbers that commas separate."""
        value = self._take(name, default)
        try:
            return tuple(int(part) for part in value.split(",") if part.strip())
        except ValueError:
            raise HyperparameterError(f"{name} is {value}, but must be whole numbers separated by commas") from None

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text."""
        return self._take(name, default)

    def refuse_others(self, *ignored: str) -> None:
        """Raise HyperparameterError for a hyperparameter that nobody asked for and that is not among ``ignored``."""
        unknown = sorted(set(self.given) - self._asked - set(ignored))
        if unknown:
            known = ", ".join(sorted(self._asked | set(ignored)))
            raise HyperparameterError(f"{unknown[0]} is not a hyperparameter of this algorithm. It has {known}")

    def _take(self, name: str, default: str | None) -> str:
        self._asked.add(name)
        value = self.given.get(name, default)
        if value is None:
            raise HyperparameterError(f"{name} is required")
        return str(value)

    def _number(
        self, name: str, default: Value | None, read: Callable[[str], Value], expected: str, at_least: Value
    ) -> Value:
        text = self._take(name, None if default is None else str(default))
        try:
            value = read(text)
        except ValueError:
            raise HyperparameterError(f"{name} is {text}, but must be {expected}") from None
        if not value >= at_least:
            raise HyperparameterError(f"{name} is {text}, but must be at least {at_least}")
        return value
