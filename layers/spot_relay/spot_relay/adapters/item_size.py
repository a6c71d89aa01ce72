"""How large an item of DynamoDB is, and how DynamoDB says that it is too large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# DynamoDB stores 409,600 bytes in one item, with the names of its attributes; emulators a little less.
MAX_ITEM_BYTES = 400_000
# A write answers with the first code, and a transaction may give the second one as the reason of its cancellation.
_CODES = frozenset({"ValidationException", "ValidationError"})
_MESSAGE = "Item size"


def measure_item(item: Mapping[str, Mapping[str, str]]) -> int:
    """Return the size of an item of texts and numbers in bytes, as DynamoDB counts it.

    A text counts its bytes in UTF-8. A number counts a byte for two digits and one more; this is never less.
    """
    return sum(len(name.encode()) + _measure_value(value) for name, value in item.items())


def says_too_large(error: Mapping[str, Any]) -> bool:
    """Whether an error of PutItem, or a reason why a transaction was cancelled, says that an item is too large."""
    return error.get("Code") in _CODES and str(error.get("Message")).startswith(_MESSAGE)


def _measure_value(value: Mapping[str, str]) -> int:
    return len(value["S"].encode()) if "S" in value else len(value["N"]) // 2 + 2
