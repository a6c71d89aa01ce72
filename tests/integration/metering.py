"""Counts what the functions use of AWS, in the units that AWS charges for."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

from bench.load.units import Meter, measure_item
from tests.integration.fake_aws import SERVICES
from tests.template import properties_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.integration.stack import Stack

    Item = Mapping[str, Mapping[str, Any]]

_KB = 1024
INDEXES: list[dict[str, Any]] = properties_of("RunsTable")["GlobalSecondaryIndexes"]


@dataclass
class Usage:
    """What has been used so far."""

    calls: list[str] = field(default_factory=list)
    read_units: float = 0
    write_units: float = 0
    events: int = 0
    """Those that were put on the event bus, of which a call may have ten."""
    _items: dict[str, Item] = field(default_factory=dict)
    _reads: Meter = field(default_factory=Meter)
    _asked: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def metering(self, stack: Stack) -> Iterator[None]:
        """Count all calls while the block runs."""
        handlers = {"before-parameter-build": self._ask, "after-call": self._take}
        emitters = [stack.client(service).meta.events for service in SERVICES]
        for emitter in emitters:
            for event, handler in handlers.items():
                emitter.register_last(event, handler)
        try:
            yield
        finally:
            for emitter in emitters:
                for event, handler in handlers.items():
                    emitter.unregister(event, handler)

    def _ask(self, event_name: str, params: dict[str, Any], **_: Any) -> None:
        self.calls.append(event_name.partition(".")[2])
        self._asked = params
        if self.calls[-1] == "eventbridge.PutEvents":
            self.events += len(params["Entries"])

    def _take(self, event_name: str, http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
        service, operation = event_name.split(".")[1:]
        if service != "dynamodb":
            return
        if operation in {"GetItem", "Query", "Scan"}:
            self.read_units += self._reads.measure_request(operation, self._asked, 200, parsed).read
            return
        assert http_response.status_code == 200, "what a refused write costs is not counted here"
        in_transaction = "TransactItems" in self._asked
        writes = [part for entry in self._asked["TransactItems"] for part in entry.values()] if in_transaction else []
        self.write_units += sum(map(self._write, writes or [self._asked])) * (2 if in_transaction else 1)
        self._reads.measure_request(operation, self._asked, 200, {})

    def _write(self, entry: dict[str, Any]) -> float:
        """Count the units of an item and of its entries in the indexes, and remember the item.

        What is updated or checked in place has less than a KB: only runs are larger, and they are always put.
        """
        if "Item" not in entry:
            return 1
        item = entry["Item"]
        before = self._items.get(item["id"]["S"], {})
        self._items[item["id"]["S"]] = item
        return _units(max(measure_item(before), measure_item(item))) + sum(
            _of_index(index, before, item) for index in INDEXES
        )


def _of_index(index: dict[str, Any], before: Item, after: Item) -> float:
    """Count a change of an index: nothing if its entry stays the same, and two writes if the entry's key changes."""
    keys = ["id", *(key["AttributeName"] for key in index["KeySchema"])]
    old, new = (_entry(index, keys, item) for item in (before, after))
    if old == new:
        return 0
    if old and new and any(old[key] != new[key] for key in keys):
        return _units(measure_item(old)) + _units(measure_item(new))
    return _units(max(measure_item(old), measure_item(new)))


def _entry(index: dict[str, Any], keys: list[str], item: Item) -> Item:
    """Return the entry of an item in an index, which is empty if the item lacks a key of the index."""
    if not all(key in item for key in keys):
        return {}
    names = {*keys, *index["Projection"].get("NonKeyAttributes", [])}
    return {name: value for name, value in item.items() if name in names}


def _units(size: int) -> float:
    return float(max(1, ceil(size / _KB)))
