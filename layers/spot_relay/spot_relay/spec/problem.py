"""What is wrong with a spec: each problem with its path, collected before any is raised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spot_relay.domain.errors import SpecError

MAX_PROBLEMS = 100
_SHOWN_CHARACTERS = 80
_SHOWN_KEY_CHARACTERS = 64


@dataclass(frozen=True)
class Problem:
    """One thing to change in a spec.

    ``path`` leads from the top of the document (``policy.budgets.expired_waits``, ``InputDataConfig[0]``) and
    is empty where the whole document is meant. ``message`` says what was found and what to do.
    """

    path: str
    message: str

    def __str__(self) -> str:
        """Give the problem as one line."""
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidSpecError(SpecError):
    """The document is not valid; `problems` holds all of its problems, in the document's order."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(
            "\n".join(str(problem) for problem in problems),
            ((problem.path, problem.message) for problem in problems),
        )
        self.problems = problems


class Problems:
    """Collects problems, and raises by itself when there are too many for a report to be of use.

    The limit also bounds the work that a hostile document can cause: a suggestion is costly.
    """

    def __init__(self) -> None:
        self._found: list[Problem] = []
        self._meant: set[str] = set()

    def add(self, path: str, message: str) -> None:
        """Note a problem.

        Raises
        ------
        InvalidSpecError
            If it is one too many.
        """
        if len(self._found) >= MAX_PROBLEMS:
            rest = Problem("", f"There are more than {MAX_PROBLEMS} problems: the others are not listed.")
            raise InvalidSpecError((*self._found, rest))
        self._found.append(Problem(path, message))

    def meant(self, path: str) -> None:
        """Note that an unknown key was most likely meant to stand at ``path``."""
        self._meant.add(path)

    def missing(self, path: str, message: str) -> None:
        """Note that something is missing, unless an unknown key was already said to be meant for it."""
        if not any(meant == path or meant.startswith(path + ".") for meant in self._meant):
            self.add(path, message)

    def raise_if_any(self) -> None:
        """Raise ``InvalidSpecError`` with every problem noted so far, if there is one."""
        if self._found:
            raise InvalidSpecError(tuple(self._found))


def child(path: str, key: str) -> str:
    """Give the path of ``key`` in the mapping at ``path``."""
    return f"{path}.{shown_key(key)}" if path else shown_key(key)


def shown_key(key: str) -> str:
    """Give a key as it may stand in a path or a message: short, and with no character that cannot be printed."""
    return _printable(key, _SHOWN_KEY_CHARACTERS)


def shown(value: Any, *, secret: bool = False) -> str:
    """Say what a value is, shortened; of a secret one, only its type."""
    match value:
        case None:
            return "null (nothing)"
        case bool():
            return "a boolean" if secret else f"{str(value).lower()} (a boolean)"
        case int():
            return "an integer" if secret else f"{value} (an integer)"
        case float():
            return "a number" if secret else f"{value} (a number)"
        case str():
            return "a string" if secret else f'"{_printable(value, _SHOWN_CHARACTERS)}"'
        case list():
            return f"a list of {len(value)}"
        case _:
            return "a mapping"


def _printable(text: str, limit: int) -> str:
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in cut)
