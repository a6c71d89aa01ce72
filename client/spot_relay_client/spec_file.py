"""Reads specs from files, as JSON or YAML, and changes single values of them.

The API takes JSON only. YAML is read as the stack reads an uploaded file: what JSON cannot hold is an error.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

from spot_relay_client.errors import SpotRelayError

if TYPE_CHECKING:
    from collections.abc import Iterable

# Sections of the training job that map strings to strings: there, 100 means "100".
_OF_STRINGS = ("HyperParameters", "Environment")


class SpecFileError(SpotRelayError):
    """The file does not hold a spec, or cannot be changed as asked."""


def read_spec(text: str, source: str) -> dict[str, Any]:
    """Return the spec in a text; ``source`` names it in errors."""
    try:
        document = _parse(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise SpecFileError(f"{source} is neither JSON nor YAML: {error.problem}{place}.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise SpecFileError(f"{source} is neither JSON nor YAML: {error}.") from None
    if not isinstance(document, dict):
        raise SpecFileError(f"{source} holds no spec: expected a mapping, but found {_describe(document)}.")
    return document


def _parse(text: str) -> Any:
    """Parse JSON or else YAML, which reads some JSON differently, such as 1e5."""
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text, object_pairs_hook=_unique)
        except json.JSONDecodeError:
            pass
    return yaml.load(text, Loader=_SpecLoader)  # noqa: S506 (it is a SafeLoader)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice} occurs twice. Remove one of them")
    return mapping


def set_values(spec: dict[str, Any], assignments: Iterable[str]) -> dict[str, Any]:
    """Return the spec with values changed by assignments such as ``policy.deadline=P2D``.

    A value is read as YAML, except in HyperParameters and Environment, whose values are strings.
    """
    changed: dict[str, Any] = json.loads(json.dumps(spec))
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals or not all(path.split(".")):
            raise SpecFileError(f"--set {assignment}: expected key=value, such as policy.deadline=P2D.")
        _set(changed, path.split("."), text, assignment)
    return changed


def _set(spec: dict[str, Any], keys: list[str], text: str, assignment: str) -> None:
    parent: Any = spec
    for key in keys[:-1]:
        parent = parent[_index(parent, key, assignment)] if isinstance(parent, list) else parent.setdefault(key, {})
        if not isinstance(parent, (dict, list)):
            raise SpecFileError(f"--set {assignment}: {key} is {_describe(parent)}, which has no keys.")
    value = text if any(key in _OF_STRINGS for key in keys[:-1]) else _read_value(text, assignment)
    parent[_index(parent, keys[-1], assignment) if isinstance(parent, list) else keys[-1]] = value


def _read_value(text: str, assignment: str) -> Any:
    try:
        return yaml.load(text, Loader=_SpecLoader)  # noqa: S506 (it is a SafeLoader)
    except yaml.YAMLError:
        raise SpecFileError(f"--set {assignment}: the value is not valid YAML. Put it in quotes.") from None


def _index(items: list[Any], key: str, assignment: str) -> int:
    if not key.isdigit() or int(key) >= len(items):
        raise SpecFileError(f"--set {assignment}: expected a number from 0 to {len(items) - 1}, but found {key}.")
    return int(key)


def _describe(value: Any) -> str:
    kinds = {dict: "a mapping", list: "a list", str: "text", type(None): "nothing"}
    return kinds.get(type(value), f"the value {value}")


class _SpecLoader(yaml.SafeLoader):
    """Reads the values that JSON has, and refuses others and repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                self._refuse(key_node, "YAML merge keys (<<) are not supported. Write the keys out")
            key = self.construct_object(key_node, deep=deep)
            if not isinstance(key, str):
                self._refuse(key_node, f"the key {key_node.value} is not a string. Put it in quotes")
            if key in mapping:
                self._refuse(key_node, f"the key {key} occurs twice. Remove one of them")
            mapping[key] = self.construct_object(value_node, deep=True)
        return mapping

    def refuse_type(self, node: yaml.Node) -> Any:
        self._refuse(node, "JSON does not have this YAML type, such as a date. Put the value in quotes")

    def _refuse(self, node: yaml.Node, problem: str) -> None:
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


for _kind in ("timestamp", "binary", "omap", "pairs", "set"):
    _SpecLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", _SpecLoader.refuse_type)
