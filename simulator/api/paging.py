"""Lists as the API answers them: filtered, in order, page by page."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from botocore.utils import parse_timestamp

from simulator.api.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Item = TypeVar("Item")
_DEFAULT_PAGE: Final = 10


@dataclass(frozen=True)
class Listing(Generic[Item]):
    """How an operation lists its items: ``member`` of the answer has them."""

    member: str
    summarize: Callable[[Item], dict[str, Any]]
    matches: Callable[[Item, Mapping[str, Any]], bool]
    sort_key: Callable[[str], Callable[[Item], tuple[float | str, float | str]]]
    order: str = "Ascending"

    def answer(self, items: Iterable[Item], request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer to a validated request.

        A NextToken contains the filters of the request and the last item of the page, so that items created between
        two pages neither hide nor repeat others.
        """
        filters = {key: value for key, value in request.items() if key not in ("NextToken", "MaxResults")}
        token = _decode(request["NextToken"]) if request.get("NextToken") else None
        if token is not None:
            filters = token["filters"] | filters
        found = [item for item in items if self.matches(item, filters)]
        descending = filters.get("SortOrder", self.order) == "Descending"
        key = self.sort_key(filters.get("SortBy", "CreationTime"))
        found.sort(key=key, reverse=descending)
        if token is not None:
            last = tuple(token["last"])
            found = [item for item in found if (key(item) < last if descending else key(item) > last)]
        size = request.get("MaxResults", _DEFAULT_PAGE)
        page = found[:size]
        answer: dict[str, Any] = {self.member: [self.summarize(item) for item in page]}
        if len(found) > size:
            answer["NextToken"] = _encode({"filters": filters, "last": key(page[-1])})
        return answer


def within(moment: float, filters: Mapping[str, Any], name: str) -> bool:
    """Whether a moment in epoch seconds is between the filters ``<name>After`` and ``<name>Before``."""
    after, before = filters.get(f"{name}After"), filters.get(f"{name}Before")
    return (after is None or moment > _seconds(after)) and (before is None or moment < _seconds(before))


def _seconds(value: Any) -> float:
    moment = parse_timestamp(value)
    assert isinstance(moment, datetime)  # noqa: S101 (for the type checker: botocore declares no type)
    return moment.timestamp()


def _encode(token: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(token).encode()).decode()


def _decode(text: str) -> dict[str, Any]:
    try:
        token = json.loads(base64.urlsafe_b64decode(text.encode()))
        return {"filters": dict(token["filters"]), "last": list(token["last"])}
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise invalid("Invalid NextToken") from error
