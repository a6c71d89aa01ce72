"""Frozen values, changed by copying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    # To a type checker it is the standard one, so that it checks the names and types of the fields.
    from dataclasses import replace
else:
    _Value = TypeVar("_Value")

    def replace(value: _Value, /, **changes: Any) -> _Value:
        """Give a copy of a frozen dataclass with some fields changed, as `dataclasses.replace` does.

        That one calls the constructor, which sets each field of a frozen dataclass through a slow door; a trace
        replay spent two fifths of its time there. The dataclasses here have no `__post_init__`, so copying the
        fields comes to the same.
        """
        fields = value.__dict__
        # A value that was decoded may leave a default to its class; to have it set is still no mistake.
        if not changes.keys() <= fields.keys() and (unknown := changes.keys() - value.__dataclass_fields__.keys()):
            message = f"{type(value).__name__} has no field {', '.join(sorted(unknown))}"
            raise TypeError(message)
        copy = object.__new__(type(value))
        copy.__dict__.update(fields, **changes)
        return copy


__all__ = ["replace"]
