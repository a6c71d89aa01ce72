"""Compute what DynamoDB charges for a request, by its documented rules.

- A strongly consistent read of an item costs one read unit per started 4 KB; other reads cost half. A query or scan is
  charged for everything it reads as if it were one item.
- A write costs one unit per started KB of the item before or after it, whichever is larger, and twice that in a
  transaction. The same applies to changed entries of an index.
- A write whose condition fails is charged for the item it found.

MiniStack returns the cost of writes, including indexes. The cost it returns for reads does not depend on the size of
the item, so reads are computed here from the sizes of the items that were written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KEY: Final = "id"
_READ_BYTES: Final = 4096
_WRITE_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class Units:
    """Read and write units."""

    read: float = 0.0
    write: float = 0.0


def measure_item(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Return the size of an item as DynamoDB counts it: the names and the values of its attributes."""
    return sum(len(name.encode()) + _measure_value(value) for name, value in item.items())


def _measure_value(value: Mapping[str, Any]) -> int:
    ((kind, held),) = value.items()
    match kind:
        case "S":
            return len(held.encode())
        case "N":
            return len(held.strip("-").replace(".", "")) // 2 + 2
        case "SS":
            return sum(len(text.encode()) for text in held)
        case "BOOL" | "NULL":
            return 1
        case _:
            raise ValueError(f"Spot Relay stores no values of type {kind}")


@dataclass
class Meter:
    """Tracks the size of each item from the writes it has seen, and computes the cost of requests."""

    _bytes: dict[tuple[str, str], int] = field(default_factory=dict)

    def measure_request(
        self, operation: str, request: Mapping[str, Any], status: int, answer: Mapping[str, Any]
    ) -> Units:
        """Return the cost of a request, given the ``status`` and ``answer`` of the response."""
        match operation:
            case "GetItem":
                return self._measure_get(request)
            case "Query" | "Scan":
                return Units(read=_count_blocks(sum(map(measure_item, answer.get("Items", []))), _READ_BYTES) / 2)
            case "PutItem" | "UpdateItem" | "TransactWriteItems":
                return self._measure_write(request, answer) if status < 300 else self._measure_refused_write(request)
            case _:
                return Units()

    def _measure_get(self, request: Mapping[str, Any]) -> Units:
        size = self._bytes.get((request["TableName"], request["Key"][KEY]["S"]), 0)
        blocks = _count_blocks(size, _READ_BYTES)
        return Units(read=blocks if request.get("ConsistentRead") else blocks / 2)

    def _measure_write(self, request: Mapping[str, Any], answer: Mapping[str, Any]) -> Units:
        for write in _list_writes(request):
            if "Item" in write:
                self._bytes[_build_key(write)] = measure_item(write["Item"])
        told = answer.get("ConsumedCapacity", [])
        tables = told if isinstance(told, list) else [told]
        return Units(write=sum(float(table["CapacityUnits"]) for table in tables))

    def _measure_refused_write(self, request: Mapping[str, Any]) -> Units:
        found = sum(
            _count_blocks(self._bytes.get(_build_key(write), 0), _WRITE_BYTES) for write in _list_writes(request)
        )
        return Units(write=found * (2 if "TransactItems" in request else 1))


def _list_writes(request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the individual writes of a request; the checks of a transaction are charged like writes."""
    if "TransactItems" not in request:
        yield request
        return
    for entry in request["TransactItems"]:
        yield from entry.values()


def _build_key(write: Mapping[str, Any]) -> tuple[str, str]:
    key: str = (write["Item"] if "Item" in write else write["Key"])[KEY]["S"]
    return write["TableName"], key


def _count_blocks(size: int, block: int) -> float:
    return float(max(1, ceil(size / block)))
