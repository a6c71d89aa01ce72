"""ListTrainingJobs: filters and order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simulator.api.paging import Listing, within
from simulator.api.wire import Record, summarize

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NEVER_MATCHED: Final = ("WarmPoolStatusEquals", "TrainingPlanArnEquals")  # no job here has a warm pool or a plan


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
    return (
        not any(name in filters for name in _NEVER_MATCHED)
        and filters.get("NameContains", "").lower() in record.name.lower()
        and filters.get("StatusEquals", life.status.value) == life.status.value
        and within(life.created_at, filters, "CreationTime")
        and within(life.last_modified_at, filters, "LastModifiedTime")
    )


JOBS: Final = Listing("TrainingJobSummaries", summarize, _matches, _sort_key)
