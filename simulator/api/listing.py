"""ListTrainingJobs: filters, order and pages."""

from __future__ import annotations

import base64
import binascii
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.utils import parse_timestamp

from simulator.api.errors import invalid
from simulator.api.wire import Record, summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_DEFAULT_PAGE = 10
_NEVER_MATCHED = ("WarmPoolStatusEquals", "TrainingPlanArnEquals")  # no job here has a warm pool or a plan


def list_jobs(records: Iterable[Record], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of ListTrainingJobs to a validated request.

    A NextToken contains the filters of the request and the last job of the page, so that jobs created between two
    pages neither hide nor repeat others.
    """
    filters = {key: value for key, value in request.items() if key not in ("NextToken", "MaxResults")}
    token = _decode(request["NextToken"]) if request.get("NextToken") else None
    if token is not None:
        filters = token["filters"] | filters
    found = [record for record in records if _matches(record, filters)]
    descending = filters.get("SortOrder", "Ascending") == "Descending"
    key = _sort_key(filters.get("SortBy", "CreationTime"))
    found.sort(key=key, reverse=descending)
    if token is not None:
        last = tuple(token["last"])
        found = [record for record in found if (key(record) < last if descending else key(record) > last)]
    size = request.get("MaxResults", _DEFAULT_PAGE)
    page = found[:size]
    answer: dict[str, Any] = {"TrainingJobSummaries": [summarize(record) for record in page]}
    if len(found) > size:
        answer["NextToken"] = _encode({"filters": filters, "last": key(page[-1])})
    return answer


def _sort_key(sort_by: str) -> Callable[[Record], tuple[float | str, str]]:
    match sort_by:
        case "Name":
            return lambda record: (record.name, record.name)
        case "Status":
            return lambda record: (record.life.status.value, record.name)
        case _:
            return lambda record: (record.life.created_at, record.name)


def _matches(record: Record, filters: Mapping[str, Any]) -> bool:
    life = record.life
    created, modified = life.created_at, life.last_modified_at
    return (
        not any(name in filters for name in _NEVER_MATCHED)
        and filters.get("NameContains", "").lower() in record.name.lower()
        and filters.get("StatusEquals", life.status.value) == life.status.value
        and _within(created, filters.get("CreationTimeAfter"), filters.get("CreationTimeBefore"))
        and _within(modified, filters.get("LastModifiedTimeAfter"), filters.get("LastModifiedTimeBefore"))
    )


def _within(moment: float, after: Any, before: Any) -> bool:
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
