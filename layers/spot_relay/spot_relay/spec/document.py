"""Read the bytes of a spec: JSON or YAML, within the limits, and only values that JSON has."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

from spot_relay.request.problem import Problems, describe, join_path
from spot_relay.spec.json_text import read_json
from spot_relay.spec.raw_document import MAX_BYTES, MAX_LEVELS, MAX_VALUES, InvalidValue, RawMapping, refuse

_MAX_INTEGER = 2**63 - 1


class Format(StrEnum):
    """How a spec is written."""

    JSON = "json"
    YAML = "yaml"

    @classmethod
    def of(cls, key: str) -> Format:
        """Return the format of a file or an S3 object, judged by its suffix.

        Raises
        ------
        InvalidSpecError
            If the suffix is not .json, .yaml or .yml.
        """
        name = key.lower()
        if name.endswith(".json"):
            return cls.JSON
        if not name.endswith((".yaml", ".yml")):
            refuse("The name of a spec must end in .json, .yaml or .yml. Rename it.")
        return cls.YAML


def read_document(data: bytes, as_format: Format) -> dict[str, Any]:
    """Read a spec into plain values, as `parse_document` and `copy_plain` do, with their errors."""
    return copy_plain(parse_document(data, as_format))


def parse_document(data: bytes, as_format: Format) -> RawMapping:
    """Parse a spec.

    Raises
    ------
    InvalidSpecError
        If it is too large or nested too deeply, is not UTF-8, JSON or YAML, or is not a mapping.
    """
    if len(data) > MAX_BYTES:
        refuse(f"The spec has {len(data)} bytes, but at most {MAX_BYTES} are allowed. Shorten it.")
    try:
        # Some editors write a byte order mark; it is not part of the document.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        refuse(f"The spec is not valid UTF-8 (byte {error.start}). Save it as UTF-8.")
    if as_format is Format.YAML:
        # Imported here to keep cold starts short: the API reads only JSON.
        from spot_relay.spec.yaml_text import read_yaml

        value = read_yaml(text)
    else:
        value = read_json(text)
    if not isinstance(value, RawMapping):
        refuse(f"The spec must be a mapping of keys to values at the top level, but it is {_describe_top(value)}.")
    return value


def _describe_top(value: Any) -> str:
    match value:
        case None:
            return "empty"
        case InvalidValue():
            return "a single value"
        case _:
            return describe(value, secret=True)


def copy_plain(parsed: RawMapping) -> dict[str, Any]:
    """Return what was parsed as plain values.

    Raises
    ------
    InvalidSpecError
        If it contains a value that JSON cannot represent exactly.
    """
    problems = Problems()
    document: dict[str, Any] = _PlainCopy(problems).copy(parsed, "", 1)
    problems.raise_if_any()
    return document


class _PlainCopy:
    """Copies a raw document into plain values, and reports what it must not contain."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._values = 0

    def copy(self, value: Any, path: str, level: int) -> Any:
        self._count(1)
        match value:
            case InvalidValue(message):
                self._problems.add(path, message)
            case RawMapping() | list() if level > MAX_LEVELS:
                self._problems.add(path, f"The spec is nested more than {MAX_LEVELS} levels deep here. Flatten it.")
            case RawMapping():
                return self._copy_mapping(value, path, level)
            case list():
                return [self.copy(item, f"{path}[{index}]", level + 1) for index, item in enumerate(value)]
            case str():
                self._check_text(value, path)
            case int() | float():
                self._check_number(value, path)
        return value

    def _count(self, values: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            refuse(f"The spec has more than {MAX_VALUES} keys and values. Shorten it.")

    def _copy_mapping(self, mapping: RawMapping, path: str, level: int) -> dict[str, Any]:
        self._count(len(mapping))
        for key, message in mapping.key_problems:
            self._problems.add(join_path(path, key) if key else path, message)
        copied = {}
        for key, item in mapping.items():
            self._check_text(key, join_path(path, key))
            copied[key] = self.copy(item, join_path(path, key), level + 1)
        return copied

    def _check_text(self, text: str, path: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError:
            self._problems.add(path, "The text contains half of a surrogate pair. Write the whole character.")

    def _check_number(self, number: float, path: str) -> None:
        if isinstance(number, float) and not math.isfinite(number):
            self._problems.add(path, "The number is not finite. Use a finite number.")
        elif isinstance(number, int) and abs(number) > _MAX_INTEGER:
            self._problems.add(path, "The integer does not fit into 64 bits. If it is text, put it in quotes.")
