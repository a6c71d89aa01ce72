"""What DynamoDB charges for a request, by its documented rules.

A strongly consistent read of an item costs a read unit for each 4 KB begun, any other half as much; a query or a scan
is charged for all that it reads as if it were one item. A write costs a unit for each KB begun of the larger of the
item before and after, twice that in a transaction; so do the entries that change in an index. A write whose condition
fails is charged by the item that it found. MiniStack tells what writes cost, indexes included; what it says of reads
does not grow with the item, so reads are reckoned here from the sizes of the items that were written.
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


def item_bytes(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Give the size of an item as DynamoDB counts it: the names of the attributes and their values."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Mapping[str, Any]) -> int:
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
            raise ValueError(f"no item of ours has a value of the kind {kind}")


@dataclass
class Meter:
    """Knows how large each item is, by the writes that it has seen, and tells what a request has cost."""

    _bytes: dict[tuple[str, str], int] = field(default_factory=dict)

    def units(self, operation: str, request: Mapping[str, Any], status: int, answer: Mapping[str, Any]) -> Units:
        """Tell what a request has cost that was answered with ``status`` and ``answer``."""
        match operation:
            case "GetItem":
                return self._got(request)
            case "Query" | "Scan":
                return Units(read=_blocks(sum(map(item_bytes, answer.get("Items", []))), _READ_BYTES) / 2)
            case "PutItem" | "UpdateItem" | "TransactWriteItems":
                return self._wrote(request, answer) if status < 300 else self._refused(request)
            case _:
                return Units()

    def _got(self, request: Mapping[str, Any]) -> Units:
        size = self._bytes.get((request["TableName"], request["Key"][KEY]["S"]), 0)
        blocks = _blocks(size, _READ_BYTES)
        return Units(read=blocks if request.get("ConsistentRead") else blocks / 2)

    def _wrote(self, request: Mapping[str, Any], answer: Mapping[str, Any]) -> Units:
        for write in _writes(request):
            if "Item" in write:
                self._bytes[_place(write)] = item_bytes(write["Item"])
        told = answer.get("ConsumedCapacity", [])
        tables = told if isinstance(told, list) else [told]
        return Units(write=sum(float(table["CapacityUnits"]) for table in tables))

    def _refused(self, request: Mapping[str, Any]) -> Units:
        found = sum(_blocks(self._bytes.get(_place(write), 0), _WRITE_BYTES) for write in _writes(request))
        return Units(write=found * (2 if "TransactItems" in request else 1))


def _writes(request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Give the single writes of a request; a transaction's checks count as writes, and are charged alike."""
    if "TransactItems" not in request:
        yield request
        return
    for entry in request["TransactItems"]:
        yield from entry.values()


def _place(write: Mapping[str, Any]) -> tuple[str, str]:
    key: str = (write["Item"] if "Item" in write else write["Key"])[KEY]["S"]
    return write["TableName"], key


def _blocks(size: int, block: int) -> float:
    return float(max(1, ceil(size / block)))
