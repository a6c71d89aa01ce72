"""What the parsers of JSON and YAML return, and the limits they keep, before the document is checked."""

from __future__ import annotations

from typing import Any, NoReturn

from spot_relay.domain.values import dataclass
from spot_relay.request.problem import InvalidSpecError, Problem

MAX_BYTES = 256 * 1024
MAX_LEVELS = 32
MAX_VALUES = 20_000
_MAX_NUMBER_CHARACTERS = 64


@dataclass(frozen=True)
class InvalidValue:
    """Stands in for a value that a spec cannot contain; ``message`` says why."""

    message: str


class RawMapping(dict[str, Any]):
    """A mapping as it was parsed.

    ``key_problems`` holds a pair of key and message for each problem with its keys; the key is empty if it is not
    a string.
    """

    def __init__(self) -> None:
        super().__init__()
        self.key_problems: list[tuple[str, str]] = []

    def put(self, key: str, value: Any) -> None:
        """Add a key, or record that it appears twice."""
        if key in self:
            self.key_problems.append((key, "This key appears twice in the same mapping. Remove one."))
        else:
            self[key] = value


def refuse(message: str) -> NoReturn:
    """Refuse the whole document for one reason."""
    raise InvalidSpecError((Problem("", message),))


def refuse_nesting() -> NoReturn:
    """Refuse a document that is nested too deeply."""
    refuse(f"The spec is nested more than {MAX_LEVELS} levels deep. Flatten it.")


def reject_long_number(text: str) -> InvalidValue | None:
    """Reject a number that is too long to convert: the time that takes grows faster than the length."""
    if len(text) <= _MAX_NUMBER_CHARACTERS:
        return None
    return InvalidValue(
        f"The number has {len(text)} characters, but at most {_MAX_NUMBER_CHARACTERS} are allowed. "
        "If it is text, put it in quotes."
    )
