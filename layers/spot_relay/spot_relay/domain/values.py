"""Frozen values: how they are made and changed, and how a function says no."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    # Type checkers see the standard functions, so that they check the names and types of the fields.
    from dataclasses import dataclass, replace
else:
    _Value = TypeVar("_Value")
    _GENERATED = ("__init__", "__repr__", "__eq__", "__hash__")

    def dataclass(*, frozen):  # noqa: ARG001 - type checkers read it
        """Return a decorator for frozen values, which generates their methods when they are first used.

        `dataclasses.dataclass` compiles six methods for each class from text. That took half a millisecond, and a sixth
        of a cold start: a function imports more than a hundred of these classes, and most events use few of them.
        """
        return _declare

    def _declare(cls):
        """Make a class a dataclass whose methods are generated later."""
        if own := vars(cls).keys() & {"__post_init__", *_GENERATED}:
            message = f"{cls.__name__} has a {', '.join(sorted(own))} of its own: use dataclasses.dataclass"
            raise TypeError(message)
        cls = dataclasses.dataclass(init=False, repr=False, eq=False)(cls)
        for name in _GENERATED:
            setattr(cls, name, _Deferred(cls, name))
        cls.__setattr__ = cls.__delattr__ = _refuse_change
        return cls

    class _Deferred:
        """Takes the place of a class's method until something looks it up."""

        def __init__(self, cls, name):
            self.cls, self.name = cls, name

        def __get__(self, value, cls):
            _generate_methods(self.cls)
            return getattr(cls if value is None else value, self.name)

    def _generate_methods(cls):
        """Generate the methods of a class, as the standard decorator does for the same fields."""
        fields = {field.name: field for field in dataclasses.fields(cls)}
        body = {"__annotations__": {name: field.type for name, field in fields.items()}, **fields}
        body |= {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
        standard = dataclasses.dataclass(frozen=True)(type(cls.__name__, (), body))
        for name in _GENERATED:
            setattr(cls, name, vars(standard)[name])

    def _refuse_change(value, name, *_):
        raise dataclasses.FrozenInstanceError(f"{type(value).__name__} is frozen: {name} can't be changed")

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


def list_members(value: Any) -> dict[str, Any]:
    """Return the members of a frozen value by their names, as `dataclasses.asdict` does, for one that holds no others.

    That function copies each member deeply, and a status document has hundreds of them.
    """
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


_ENDS_OF_SENTENCES = (".", "!", "?", "…", "。")


def as_sentence(text: str) -> str:
    """Return a text with a full stop at its end, unless it ends a sentence already; nothing remains of an empty one.

    Every text from outside that is followed by a sentence of ours goes through this.
    """
    text = text.rstrip().rstrip(":;,").rstrip()
    said = text.rstrip("\"')]}”»")
    return text if not text or said.endswith(_ENDS_OF_SENTENCES) else f"{text}."


__all__ = ["No", "as_sentence", "dataclass", "list_members", "replace"]
