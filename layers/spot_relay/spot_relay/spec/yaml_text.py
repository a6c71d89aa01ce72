"""Parse YAML into the values that JSON has, from the parser's events.

No tag constructs an object. The size of each anchor (values, characters and levels) is known before an alias
to it is expanded, so a document that would explode is refused after an amount of work bounded by its text. Deep
documents need no recursion. PyYAML's own loader offers none of this: it recurses, it expands aliases without a limit,
and it silently lets the last of two equal keys win.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml
from yaml import events
from yaml.constructor import SafeConstructor
from yaml.nodes import ScalarNode
from yaml.resolver import Resolver

from spot_relay.request.problem import InvalidSpecError, format_key
from spot_relay.spec.raw_document import (
    MAX_BYTES,
    MAX_LEVELS,
    MAX_VALUES,
    InvalidValue,
    RawMapping,
    refuse,
    refuse_nesting,
    reject_long_number,
)

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE: Final = "tag:yaml.org,2002:"
_NO_KEY: Final = object()
_INVALID_KEY: Final = object()
_FOREIGN_TYPE: Final = InvalidValue(
    "JSON does not have this YAML type. Use strings, numbers, booleans, lists and mappings."
)

_CLOUDFORMATION_TAGS: Final = frozenset(
    {"!Ref", "!Sub", "!GetAtt", "!Join", "!If", "!FindInMap", "!ImportValue", "!Select", "!Split", "!Base64"}
)

# What other readers of YAML take for text or for another number: 050 is 40, and 2:30 is 150.
_OCTAL: Final = re.compile("[-+]?0[0-7_]+")
_BASE_60: Final = re.compile("[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+([.][0-9_]*)?")


def read_yaml(text: str) -> Any:
    """Parse one YAML document; raise ``InvalidSpecError`` if it is not YAML or would explode."""
    reader = _Reader()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            reader.handle(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        refuse(f"The spec is not valid YAML: {_extract_problem(error)}{place}.")
    except InvalidSpecError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML without libyaml does not catch the errors of chr().
        refuse(
            f"The spec is not valid YAML: it contains a character that YAML does not allow ({type(error).__name__})."
        )
    return reader.document


def _extract_problem(error: yaml.MarkedYAMLError) -> str:
    """Return only the fixed part of the parser's message.

    Its context, and the name of a tag handle, quote the document, which may contain secrets.
    """
    problem, handle, _ = (error.problem or "it cannot be parsed").partition("tag handle")
    return problem + handle


def _refuse_type(tag: str) -> InvalidValue:
    if tag in _CLOUDFORMATION_TAGS:
        return InvalidValue(f"{tag} has a meaning in CloudFormation only. Write the value that it stands for.")
    return _FOREIGN_TYPE


def _reject_number(text: str) -> InvalidValue | None:
    """Reject a number that is too long, or that is not what it looks like."""
    if too_long := reject_long_number(text):
        return too_long
    if _OCTAL.fullmatch(text):
        return InvalidValue(
            "YAML reads this as an octal number, because it begins with 0. Write it without the 0, or in quotes."
        )
    if _BASE_60.fullmatch(text):
        return InvalidValue(
            "YAML reads this as a number in base 60, because it has a colon. Write whole seconds, or put it in quotes."
        )
    return None


@dataclass(frozen=True)
class _Size:
    """What a node adds to the document once all its aliases are expanded."""

    values: int
    characters: int
    levels: int


@dataclass
class _OpenCollection:
    """A mapping or list whose end has not been reached."""

    value: RawMapping | list[Any]
    anchor: str | None
    invalid: InvalidValue | None
    values: int = 1
    characters: int = 0
    levels: int = 1
    key: Any = _NO_KEY

    def expects_key(self) -> bool:
        return isinstance(self.value, RawMapping) and self.key is _NO_KEY

    def size(self) -> _Size:
        return _Size(self.values, self.characters, self.levels)


@dataclass
class _Reader:
    """Builds one document from events."""

    document: Any = None
    _documents: int = 0
    _values: int = 0
    _characters: int = 0
    _open: list[_OpenCollection] = field(default_factory=list)
    _anchors: dict[str, tuple[Any, _Size]] = field(default_factory=dict)
    _resolver: Any = field(default_factory=Resolver)
    _constructor: SafeConstructor = field(default_factory=SafeConstructor)

    def handle(self, event: events.Event) -> None:
        """Add one event to the document."""
        match event:
            case events.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    refuse("The file contains more than one YAML document. Put each spec in its own file.")
            case events.ScalarEvent():
                size = _Size(1, len(event.value), 0)
                self._count(size)
                self._put(self._read_scalar(event), size, event.anchor)
            case events.AliasEvent():
                self._expand(event.anchor)
            case events.MappingStartEvent():
                self._begin(RawMapping(), event, "map")
            case events.SequenceStartEvent():
                self._begin([], event, "seq")
            case events.CollectionEndEvent():
                ended = self._open.pop()
                self._put(ended.invalid or ended.value, ended.size(), ended.anchor)

    def _begin(self, value: RawMapping | list[Any], event: Any, tag: str) -> None:
        self._count(_Size(1, 0, 1))
        # An alias cannot refer to this anchor until the collection ends, so forget an earlier one of that name.
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)
        is_core = event.tag in {None, "!", _CORE + tag}
        self._open.append(_OpenCollection(value, event.anchor, None if is_core else _refuse_type(event.tag)))

    def _count(self, size: _Size) -> None:
        if len(self._open) + size.levels > MAX_LEVELS:
            refuse_nesting()
        self._values += size.values
        self._characters += size.characters
        if self._values > MAX_VALUES or self._characters > MAX_BYTES:
            refuse(
                f"With its aliases expanded, the spec has more than {MAX_VALUES} keys and values, or more than "
                f"{MAX_BYTES} characters. Use fewer aliases, or shorten it."
            )

    def _expand(self, anchor: str | None) -> None:
        if any(collection.anchor == anchor for collection in self._open) and anchor not in self._anchors:
            refuse("A YAML anchor contains an alias to itself. Write the values out.")
        if anchor is None or anchor not in self._anchors:
            refuse("A YAML alias has no anchor before it. If it is text that begins with *, put it in quotes.")
        value, size = self._anchors[anchor]
        self._count(size)
        self._put(value, size, None)

    def _put(self, value: Any, size: _Size, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, size)
        if not self._open:
            self.document = value
            return
        parent = self._open[-1]
        parent.values += size.values
        parent.characters += size.characters
        parent.levels = max(parent.levels, size.levels + 1)
        if isinstance(parent.value, list):
            parent.value.append(value)
        elif parent.key is _NO_KEY:
            parent.key = self._read_key(parent.value, value)
        else:
            if parent.key is not _INVALID_KEY:
                parent.value.put(parent.key, value)
            parent.key = _NO_KEY

    def _read_key(self, mapping: RawMapping, value: Any) -> Any:
        if isinstance(value, str):
            return value
        message = value.message if isinstance(value, InvalidValue) else "A key must be a string. Put it in quotes."
        mapping.key_problems.append(("", message))
        return _INVALID_KEY

    def _read_scalar(self, event: events.ScalarEvent) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._resolver.resolve(ScalarNode, event.value, event.implicit)
        name = tag.removeprefix(_CORE)
        if self._open and self._open[-1].expects_key() and name not in {"str", "value", "merge"}:
            return InvalidValue(
                f'YAML does not read the key "{format_key(event.value)}" as a string. Put it in quotes.'
            )
        match name:
            case "str" | "value":
                return event.value
            case "null":
                return None
            case "bool" | "int" | "float":
                return _reject_number(event.value) or self._convert(name, tag, event.value)
            case "merge":
                return InvalidValue("YAML merge keys (<<) are not supported. Write the keys out.")
            case "timestamp":
                return InvalidValue("YAML reads this as a date, which JSON does not have. Put it in quotes.")
            case _:
                return _refuse_type(tag)

    def _convert(self, name: str, tag: str, text: str) -> Any:
        convert = getattr(self._constructor, f"construct_yaml_{name}")
        try:
            return convert(ScalarNode(tag, text))
        except (ValueError, LookupError, OverflowError):
            return InvalidValue(f"The value is tagged as a YAML {name}, but is not one. Put it in quotes.")
