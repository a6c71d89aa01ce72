"""Collect every problem of a spec, each with its path, before refusing the spec."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

from spot_relay.domain.errors import SpecError
from spot_relay.domain.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_PROBLEMS = 100
_MAX_TEXT_CHARACTERS = 80
_MAX_KEY_CHARACTERS = 64


@dataclass(frozen=True)
class Problem:
    """One thing to change in a spec.

    ``path`` leads from the top of the document (``policy.budgets.expired_waits``, ``InputDataConfig[0]``) and
    is empty if the problem concerns the whole document. ``message`` says what was found and what to do.
    """

    path: str
    message: str

    def __str__(self) -> str:
        """Return the problem as one line."""
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidSpecError(SpecError):
    """The document is not valid; `problems` lists everything that was found, in the order of the document."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(
            "\n".join(str(problem) for problem in problems),
            ((problem.path, problem.message) for problem in problems),
        )
        self.problems = problems


class Problems:
    """Collects problems, and raises once there are too many to be useful in a report.

    The limit also bounds the work that a hostile document can cause, because suggesting a key is expensive.
    """

    def __init__(self) -> None:
        self._collected: list[Problem] = []
        self._intended: set[str] = set()
        self._origins: Mapping[str, str] = {}

    def trace(self, origins: Mapping[str, str]) -> None:
        """Report later problems with these paths, or below them, at the paths in the document that they come from."""
        self._origins = origins

    def add(self, path: str, message: str) -> None:
        """Add a problem.

        Raises
        ------
        InvalidSpecError
            If the limit is exceeded.
        """
        if len(self._collected) >= MAX_PROBLEMS:
            rest = Problem("", f"The spec has more than {MAX_PROBLEMS} problems. Only the first are listed.")
            raise InvalidSpecError((*self._collected, rest))
        self._collected.append(Problem(self.find_origin(path), message))

    @property
    def collected(self) -> tuple[Problem, ...]:
        """Every problem added so far."""
        return tuple(self._collected)

    def add_all(self, problems: Iterable[Problem]) -> None:
        """Add problems that were found elsewhere, as `add` does."""
        for problem in problems:
            self.add(problem.path, problem.message)

    def note_intended(self, path: str) -> None:
        """Remember that an unknown key was probably intended for ``path``."""
        self._intended.add(path)

    def add_missing(self, path: str, message: str) -> None:
        """Report a missing key, unless an unknown key that was probably intended for it is reported already."""
        if not any(intended == path or intended.startswith(path + ".") for intended in self._intended):
            self.add(path, message)

    def find_origin(self, path: str) -> str:
        """Return where a path comes from: the nearest one above it that is traced decides."""
        end = len(path)
        while end > 0:
            origin = self._origins.get(path[:end])
            if origin is not None:
                return origin + path[end:]
            end = max(path.rfind(".", 0, end), path.rfind("[", 0, end))
        return path

    def raise_if_any(self) -> None:
        """Raise ``InvalidSpecError`` with every problem added so far, if there are any."""
        if self._collected:
            raise self.error

    @property
    def error(self) -> InvalidSpecError:
        """The error with every problem added so far."""
        return InvalidSpecError(tuple(self._collected))


def join_path(path: str, key: str) -> str:
    """Return the path of ``key`` in the mapping at ``path``."""
    return f"{path}.{format_key(key)}" if path else format_key(key)


def format_key(key: str) -> str:
    """Return a key for a path or a message: shortened, with unprintable characters escaped."""
    return _shorten(key, _MAX_KEY_CHARACTERS)


def describe(value: Any, *, secret: bool = False) -> str:
    """Return a value as a message shows it: shortened, or only its type if it is secret."""
    match value:
        case None:
            return "null (no value)"
        case bool():
            return "a boolean" if secret else str(value).lower()
        case int():
            return "an integer" if secret else str(value)
        case float():
            return "a number" if secret else str(value)
        case str():
            return "a string" if secret else f'"{_shorten(value, _MAX_TEXT_CHARACTERS)}"'
        case list():
            return f"a list of length {len(value)}"
        case _:
            return "a mapping"


def describe_character(character: str) -> str:
    """Return a character as a message shows it: a visible one as it is, any other by its code point."""
    is_visible = character.isprintable() and not character.isspace() and not unicodedata.combining(character)
    return character if is_visible else f"U+{ord(character):04X}"


def _shorten(text: str, limit: int) -> str:
    shortened = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in shortened)
