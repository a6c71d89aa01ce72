"""Bytes to a plain document: JSON or YAML, within the limits, with nothing that JSON lacks."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn

from spot_relay.spec.problem import InvalidSpecError, Problem, Problems, child

MAX_BYTES = 256 * 1024
MAX_LEVELS = 32
MAX_VALUES = 20_000
_LONGEST_NUMBER = 64
_LARGEST_INTEGER = 2**63 - 1


class Format(StrEnum):
    """How a spec is written."""

    JSON = "json"
    YAML = "yaml"

    @classmethod
    def of(cls, key: str) -> Format:
        """Tell the format of an S3 object, or of a file, by its suffix.

        Raises
        ------
        InvalidSpecError
            If the suffix is none of .json, .yaml and .yml.
        """
        name = key.lower()
        if name.endswith(".json"):
            return cls.JSON
        if not name.endswith((".yaml", ".yml")):
            refuse("A spec's name must end in .json, .yaml or .yml: rename it.")
        return cls.YAML


@dataclass(frozen=True)
class Refused:
    """Stands where the text holds a value that a spec may not hold."""

    why: str


class Object(dict[str, Any]):
    """A mapping as read, with what is wrong with its keys: ``faults`` holds pairs of key (or "") and message."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[tuple[str, str]] = []

    def put(self, key: str, value: Any) -> None:
        """Add a key, or note that it stands there twice."""
        if key in self:
            self.faults.append((key, "The key stands twice in its mapping: remove one."))
        else:
            self[key] = value


def read_document(data: bytes, as_format: Format) -> dict[str, Any]:
    """Read the text of a spec.

    Raises
    ------
    InvalidSpecError
        If it is too large, not UTF-8, not JSON or YAML, not a mapping, too deep, or holds what JSON cannot
        hold exactly.
    """
    if len(data) > MAX_BYTES:
        refuse(f"The spec has {len(data)} bytes, and at most {MAX_BYTES} are allowed: shorten it.")
    try:
        # A byte order mark, which some editors write, is no part of the document.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        refuse(f"The spec is not UTF-8 (byte {error.start}): save it as UTF-8.")
    if as_format is Format.YAML:
        # Imported here because only YAML needs it: the API reads JSON alone, and a cold start counts.
        from spot_relay.spec.yaml_events import read_yaml

        value = read_yaml(text)
    else:
        value = _read_json(text)
    if not isinstance(value, Object):
        refuse("The top of a spec must be a mapping (key: value), and this one is not.")
    problems = Problems()
    document: dict[str, Any] = _Copy(problems).plain(value, "", 1)
    problems.raise_if_any()
    return document


def refuse(message: str) -> NoReturn:
    """Refuse the whole document for one reason."""
    raise InvalidSpecError((Problem("", message),))


def number_is_too_long(text: str) -> str | None:
    """Say why a number's text is refused before it is converted, or None; conversion is not linear in length."""
    if len(text) > _LONGEST_NUMBER:
        return f"A number of {len(text)} characters is too long: put it in quotes if it is text."
    return None


def _read_json(text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=lambda name: Refused(f"{name} is no JSON number: write a finite number."),
        )
    except json.JSONDecodeError as error:
        refuse(f"The spec is not JSON: {error.msg} (line {error.lineno}, column {error.colno}).")
    except RecursionError:
        refuse(f"The spec is nested deeper than {MAX_LEVELS} levels: flatten it.")


def _object(pairs: list[tuple[str, Any]]) -> Object:
    result = Object()
    for key, value in pairs:
        result.put(key, value)
    return result


def _integer(text: str) -> int | Refused:
    why = number_is_too_long(text)
    return Refused(why) if why else int(text)


def _float(text: str) -> float | Refused:
    why = number_is_too_long(text)
    return Refused(why) if why else float(text)


class _Copy:
    """Copies what was read into plain values of its own, and notes what may not be there."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._values = 0

    def plain(self, value: Any, path: str, level: int) -> Any:
        self._count(1)
        match value:
            case Refused(why):
                self._problems.add(path, why)
            case Object() | list() if level > MAX_LEVELS:
                self._problems.add(path, f"This is nested deeper than {MAX_LEVELS} levels: flatten it.")
            case Object():
                return self._mapping(value, path, level)
            case list():
                return [self.plain(item, f"{path}[{index}]", level + 1) for index, item in enumerate(value)]
            case str():
                self._check_text(value, path)
            case int() | float():
                self._check_number(value, path)
        return value

    def _count(self, values: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            refuse(f"The spec holds more than {MAX_VALUES} keys and values: shorten it.")

    def _mapping(self, value: Object, path: str, level: int) -> dict[str, Any]:
        self._count(len(value))
        for key, message in value.faults:
            self._problems.add(child(path, key) if key else path, message)
        copy = {}
        for key, item in value.items():
            self._check_text(key, child(path, key))
            copy[key] = self.plain(item, child(path, key), level + 1)
        return copy

    def _check_text(self, text: str, path: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError:
            self._problems.add(path, "The text holds half of a surrogate pair: write the whole character.")

    def _check_number(self, number: float, path: str) -> None:
        if isinstance(number, float) and not math.isfinite(number):
            self._problems.add(path, "The number is not finite: write a finite one.")
        elif isinstance(number, int) and abs(number) > _LARGEST_INTEGER:
            self._problems.add(path, "The integer does not fit 64 bits: put it in quotes if it is text.")
