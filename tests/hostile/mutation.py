"""Changes of good documents, as bytes choose them: Hypothesis and the fuzzer give the bytes."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tests.hostile.values import ATOMS, RAW_JSON, RAW_YAML, TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Chosen = TypeVar("Chosen")
# A change may double a document; what is larger than a request of API Gateway's or a message of SQS's tests nothing.
LARGEST: Final = 300_000


@dataclass
class Choices:
    """Takes choices out of bytes; when they are used up, every choice is the first."""

    data: bytes
    at: int = 0

    def below(self, bound: int) -> int:
        """Choose a number from 0 to ``bound`` - 1."""
        width = 1 if bound <= 256 else 2 if bound <= 65_536 else 4
        taken = self.data[self.at : self.at + width]
        self.at += width
        return int.from_bytes(taken, "big") % bound

    def of(self, values: Sequence[Chosen]) -> Chosen:
        """Choose one of these."""
        return values[self.below(len(values))]

    def rest(self) -> bytes:
        """Return the remaining bytes."""
        return self.data[self.at :]


@dataclass(frozen=True)
class Place:
    """Where a value stands: in a mapping or a list, or at the top of the document."""

    holder: dict[str, Any] | list[Any]
    key: Any

    @property
    def value(self) -> Any:
        return self.holder[self.key]

    def put(self, value: Any) -> None:
        self.holder[self.key] = value


def mutated(document: Any, choices: Choices) -> str:
    """Return a document as JSON text, after up to three changes."""
    box = [copy.deepcopy(document)]
    raws: list[str] = []
    for _ in range(choices.below(4)):
        found = list(places(box))
        choices.of(CHANGES)(choices.of(found), found, choices, raws)
    try:
        text = json.dumps(box[0], ensure_ascii=choices.below(2) == 0)
    except (ValueError, RecursionError):
        # A copy of a place into itself, or a number of more digits than Python writes.
        return json.dumps(document)
    for number, raw in enumerate(raws):
        text = text.replace(f'"@raw{number}@"', raw)
    return text[:LARGEST]


def encoded(text: str, choices: Choices) -> bytes:
    """Return a text as bytes: usually UTF-8, sometimes truncated, corrupted, or in another encoding."""
    data = text.encode("utf-8", "surrogatepass")
    at = choices.below(max(1, len(data)))
    match choices.below(16):
        case 0:
            return data[:at]
        case 1:
            return b"\xef\xbb\xbf" + data
        case 2:
            return text.encode("utf-16", "surrogatepass")
        case 3:
            return data[:at] + bytes([choices.below(256)]) + data[at + 1 :]
        case 4:
            return data[:at] + choices.rest() + data[at:]
        case 5:
            return data.replace(b" ", b"\r\n\t")
        case _:
            return data


def places(value: Any) -> Iterator[Place]:
    """Return every place in a value, outer ones first."""
    held = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(held):
        yield Place(value, key)
        yield from places(inner)


def _replace(place: Place, _: list[Place], choices: Choices, __: list[str]) -> None:
    place.put(copy.deepcopy(choices.of(ATOMS)))


def _replace_raw(place: Place, _: list[Place], choices: Choices, raws: list[str]) -> None:
    place.put(f"@raw{len(raws)}@")
    raws.append(choices.of(RAW_JSON + RAW_YAML))


def _remove(place: Place, _: list[Place], __: Choices, ___: list[str]) -> None:
    if isinstance(place.holder, dict):
        del place.holder[place.key]


def _rename(place: Place, _: list[Place], choices: Choices, __: list[str]) -> None:
    if isinstance(place.holder, dict):
        old = str(place.key)
        names = [
            *TEXTS,
            old.lower(),
            old + "s",
            old.replace("_", "-"),
            old[:-1],
            "training_job",
            "policy",
            "Environment",
        ]
        place.holder[choices.of(names)] = place.holder.pop(place.key)


def _twice(place: Place, _: list[Place], choices: Choices, raws: list[str]) -> None:
    if isinstance(place.holder, dict):
        place.holder[f"@raw{len(raws)}@"] = copy.deepcopy(choices.of(ATOMS))
        raws.append(json.dumps(place.key))


def _nest(place: Place, _: list[Place], choices: Choices, raws: list[str]) -> None:
    levels = choices.of((1, 2, 28, 31, 32, 33, 100, 2000))
    opening, closing = choices.of((("[", "]"), ('{"a": ', "}"), ('{"name": ', "}")))
    inner = json.dumps(choices.of((None, 1, "x")))
    place.put(f"@raw{len(raws)}@")
    raws.append(opening * levels + inner + closing * levels)


def _copy(place: Place, places: list[Place], choices: Choices, _: list[str]) -> None:
    place.put(copy.deepcopy(choices.of(places).value))


def _grow(place: Place, _: list[Place], choices: Choices, __: list[str]) -> None:
    times = choices.of((2, 50, 101, 1000, 21_000))
    match place.value:
        case str() as text:
            place.put((text or "x") * min(times, LARGEST // (len(text) or 1)))
        case list() as items if items:
            place.put([copy.deepcopy(items[0]) for _ in range(min(times, 1000))])
        case dict() as members:
            members |= {f"key{number}": "value" for number in range(min(times, 1000))}
        case _:
            place.put("9" * times)


def _retype(place: Place, _: list[Place], choices: Choices, __: list[str]) -> None:
    value = place.value
    others: list[Any] = [[value], {"a": value}, str(value), value is not None, None]
    others += [float(value), -value, value + 0.5] if isinstance(value, int) else []
    place.put(copy.deepcopy(choices.of(others)))


CHANGES: Final = (_replace, _replace, _replace_raw, _remove, _rename, _twice, _nest, _copy, _grow, _retype)
