"""Frozen values: how they are changed, and how a function says no."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    # Type checkers see the standard function, so that they check the names and types of the fields.
    from dataclasses import replace
else:
    _Value = TypeVar("_Value")

    def replace(value: _Value, /, **changes: Any) -> _Value:
        """Return a copy of a frozen dataclass with some fields changed, as `dataclasses.replace` does.

        The standard function calls the constructor, which sets each field of a frozen dataclass through
        ``object.__setattr__``; a trace replay spent two fifths of its time there. The dataclasses here have no
        `__post_init__`, so copying the fields has the same result.
        """
        fields = value.__dict__
        # A decoded value may leave a default to its class; such a field can be set all the same.
        if not changes.keys() <= fields.keys() and (unknown := changes.keys() - value.__dataclass_fields__.keys()):
            message = f"{type(value).__name__} has no field {', '.join(sorted(unknown))}"
            raise TypeError(message)
        copy = object.__new__(type(value))
        copy.__dict__.update(fields, **changes)
        return copy


@dataclass(frozen=True)
class No:
    """No, because …: the result of a function that cannot provide what was asked for.

    ``because`` is one sentence or more, for the user: what is in the way and, where possible, what to do about it.
    """

    because: str


_ENDS_OF_SENTENCES = (".", "!", "?", "…", "。")


def as_sentence(text: str) -> str:
    """Return a text with a full stop at its end, unless it ends a sentence already; nothing remains of an empty one.

    Every text from outside that is followed by a sentence of ours goes through this.
    """
    text = text.rstrip().rstrip(":;,").rstrip()
    said = text.rstrip("\"')]}”»")
    return text if not text or said.endswith(_ENDS_OF_SENTENCES) else f"{text}."


__all__ = ["No", "as_sentence", "replace"]
