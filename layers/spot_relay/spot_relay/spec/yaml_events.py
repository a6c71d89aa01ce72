"""YAML to the values JSON has, from the parser's events.

Nothing is built by tag, and an alias is weighed before it is followed: what it would add, in values,
characters and levels, is known from its anchor. So a document that would explode is refused after work
that its text bounds, and a deep one without recursion.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml import events
from yaml.constructor import SafeConstructor
from yaml.nodes import ScalarNode
from yaml.resolver import Resolver

from spot_relay.spec.document import MAX_BYTES, MAX_LEVELS, MAX_VALUES, Object, Refused, number_is_too_long, refuse
from spot_relay.spec.problem import InvalidSpecError, shown_key

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE: Final = "tag:yaml.org,2002:"
_NO_KEY: Final = object()
_BAD_KEY: Final = object()


def read_yaml(text: str) -> Any:
    """Read one YAML document; raise ``InvalidSpecError`` where it is none or would explode."""
    reader = _Reader()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            reader.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        refuse(f"The spec is not YAML: {_problem(error)}{place}.")
    except InvalidSpecError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML without libyaml lets the errors of chr() through.
        refuse(f"The spec is not YAML: it holds a character that YAML does not allow ({type(error).__name__}).")
    return reader.document


def _problem(error: yaml.MarkedYAMLError) -> str:
    """Give the fixed part of the parser's message: its context, and the name of a tag handle, quote the document."""
    found, handle, _ = (error.problem or "it cannot be parsed").partition("tag handle")
    return found + handle


@dataclass(frozen=True)
class _Weight:
    """What a node adds to the document once every alias in it is followed."""

    values: int
    characters: int
    levels: int


@dataclass
class _Frame:
    """A mapping or list whose end has not come."""

    value: Object | list[Any]
    anchor: str | None
    refused: Refused | None
    values: int = 1
    characters: int = 0
    levels: int = 1
    key: Any = _NO_KEY

    def wants_key(self) -> bool:
        return isinstance(self.value, Object) and self.key is _NO_KEY

    def weight(self) -> _Weight:
        return _Weight(self.values, self.characters, self.levels)


@dataclass
class _Reader:
    """Folds events into one document."""

    document: Any = None
    _documents: int = 0
    _values: int = 0
    _characters: int = 0
    _open: list[_Frame] = field(default_factory=list)
    _anchors: dict[str, tuple[Any, _Weight]] = field(default_factory=dict)
    _resolver: Any = field(default_factory=Resolver)
    _constructor: SafeConstructor = field(default_factory=SafeConstructor)

    def take(self, event: events.Event) -> None:
        """Fold one event in."""
        match event:
            case events.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    refuse("The file holds more than one YAML document: put each spec in a file of its own.")
            case events.ScalarEvent():
                self._spend(_Weight(1, len(event.value), 0))
                self._put(self._scalar(event), _Weight(1, len(event.value), 0), event.anchor)
            case events.AliasEvent():
                self._follow(event.anchor)
            case events.MappingStartEvent():
                self._begin(Object(), event, "map")
            case events.SequenceStartEvent():
                self._begin([], event, "seq")
            case events.CollectionEndEvent():
                frame = self._open.pop()
                self._put(frame.refused or frame.value, frame.weight(), frame.anchor)

    def _begin(self, value: Object | list[Any], event: Any, tag: str) -> None:
        self._spend(_Weight(1, 0, 1))
        # Until its end has come an anchor of this name cannot be followed: forget an earlier one.
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)
        plain = event.tag in {None, "!", _CORE + tag}
        self._open.append(_Frame(value, event.anchor, None if plain else _TAGGED))

    def _spend(self, weight: _Weight) -> None:
        if len(self._open) + weight.levels > MAX_LEVELS:
            refuse(f"The spec is nested deeper than {MAX_LEVELS} levels: flatten it.")
        self._values += weight.values
        self._characters += weight.characters
        if self._values > MAX_VALUES or self._characters > MAX_BYTES:
            refuse(
                f"The spec holds more than {MAX_VALUES} keys and values, or {MAX_BYTES} characters, once its "
                "aliases are followed: use fewer aliases, or shorten it."
            )

    def _follow(self, anchor: str | None) -> None:
        if any(frame.anchor == anchor for frame in self._open) and anchor not in self._anchors:
            refuse("A YAML anchor holds an alias of itself: write the values out.")
        if anchor is None or anchor not in self._anchors:
            refuse("A YAML alias has no anchor before it: put text that begins with * in quotes.")
        value, weight = self._anchors[anchor]
        self._spend(weight)
        self._put(value, weight, None)

    def _put(self, value: Any, weight: _Weight, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, weight)
        if not self._open:
            self.document = value
            return
        frame = self._open[-1]
        frame.values += weight.values
        frame.characters += weight.characters
        frame.levels = max(frame.levels, weight.levels + 1)
        if isinstance(frame.value, list):
            frame.value.append(value)
        elif frame.key is _NO_KEY:
            frame.key = self._key(frame.value, value)
        else:
            if frame.key is not _BAD_KEY:
                frame.value.put(frame.key, value)
            frame.key = _NO_KEY

    def _key(self, mapping: Object, value: Any) -> Any:
        if isinstance(value, str):
            return value
        why = value.why if isinstance(value, Refused) else "A key must be a string: put it in quotes."
        mapping.faults.append(("", why))
        return _BAD_KEY

    def _scalar(self, event: events.ScalarEvent) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._resolver.resolve(ScalarNode, event.value, event.implicit)
        name = tag.removeprefix(_CORE)
        if self._open and self._open[-1].wants_key() and name not in {"str", "value", "merge"}:
            return Refused(f'The key "{shown_key(event.value)}" is no string in YAML: put it in quotes.')
        match name:
            case "str" | "value":
                return event.value
            case "null":
                return None
            case "bool" | "int" | "float":
                return self._converted(name, tag, event.value)
            case "merge":
                return Refused("YAML merge keys (<<) are not supported: write the keys out.")
            case "timestamp":
                return Refused("The text is a date in YAML, which JSON lacks: put it in quotes.")
            case _:
                return _TAGGED

    def _converted(self, name: str, tag: str, text: str) -> Any:
        why = number_is_too_long(text)
        if why:
            return Refused(why)
        convert = getattr(self._constructor, f"construct_yaml_{name}")
        try:
            return convert(ScalarNode(tag, text))
        except (ValueError, LookupError, OverflowError):
            return Refused(f"The text is tagged as YAML's {name} and is none: put it in quotes.")


_TAGGED: Final = Refused("The value has a YAML type that JSON lacks: use strings, numbers, lists and mappings.")
