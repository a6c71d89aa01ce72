"""Measure the tick with few runs in the table, and with many that have ended."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from bench.load.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bench.load.driver import Driver
    from bench.load.notes import Invocation

SCHEDULE: Final = "EveryMinute"
_TICKS: Final = 7
_PUT_AT_ONCE: Final = 25
_STAMP: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True)
class Table:
    """The number of runs in a table: ended, open, and due among the open ones."""

    ended: int
    open: int
    due: int


@dataclass(frozen=True, slots=True)
class Tick:
    """What one tick did: its calls by operation, the items and read units it read, and the runs it queued.

    ``seconds`` is the median of several ticks.
    """

    table: Table
    calls: dict[str, int]
    items_read: int
    read_units: float
    queued: int
    seconds: float


def build_open_item(ended: dict[str, Any], name: str, check_at: datetime) -> dict[str, Any]:
    """Return the item of an open run, made from that of an ended one, to be checked at ``check_at``."""
    kept = {key: value for key, value in ended.items() if key != "expires_at"}
    at = {"open": {"S": "open"}, "check_at": {"S": check_at.strftime(_STAMP)}, "status": {"S": "InProgress"}}
    return kept | at | _rename(ended, name)


def build_ended_item(ended: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the item of another ended run, without its document, so that 100,000 fit into memory."""
    return ended | _rename(ended, name) | {"document": {"S": "{}"}}


def _rename(item: dict[str, Any], name: str) -> dict[str, Any]:
    stamp, _, _ = item["created"]["S"].partition("#")
    return {"id": {"S": name}, "created": {"S": f"{stamp}#{name}"}}


@dataclass(frozen=True, slots=True)
class Ticking:
    """A stack whose tick is invoked directly, and where nothing reads what it queues."""

    driver: Driver

    def begin(self) -> None:
        """Stop the schedule and `observe`."""
        schedules, lambdas = self.driver.client("scheduler"), self.driver.client("lambda")
        for listed in schedules.list_schedules()["Schedules"]:
            if SCHEDULE in listed["Name"]:
                found = schedules.get_schedule(Name=listed["Name"])
                kept = {key: found[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
                schedules.update_schedule(**kept, State="DISABLED")
        function = self.driver.stack.outputs["ObserveFunction"]
        for mapping in lambdas.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]:
            lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)

    def fill(self, items: Iterable[dict[str, Any]]) -> None:
        """Write items in the largest batches that DynamoDB accepts."""
        dynamodb = self.driver.client("dynamodb")
        for batch in split_into_batches(items, _PUT_AT_ONCE):
            requests = [{"PutRequest": {"Item": item}} for item in batch]
            if dynamodb.batch_write_item(RequestItems={self.driver.stack.outputs["TableName"]: requests})[
                "UnprocessedItems"
            ]:
                raise RuntimeError("MiniStack did not write all of a batch")

    def measure(self, table: Table) -> Tick:
        """Invoke the tick several times; return what the last one did, and the median duration."""
        seconds = []
        for _ in range(_TICKS):
            tick = self._invoke()
            seconds.append(tick.ended - tick.began)
            self.driver.client("sqs").purge_queue(QueueUrl=self.driver.stack.outputs["ObserveQueueUrl"])
        calls = self.driver.notes().of(self.driver.stack.outputs["TickFunction"]).calls
        made = [call for call in calls if tick.began <= call.at <= tick.ended]
        return Tick(
            table=table,
            calls=dict(Counter(call.operation for call in made)),
            items_read=sum(call.items for call in made),
            read_units=sum(call.read for call in made),
            queued=read_queued(tick.log),
            seconds=statistics.median(seconds),
        )

    def _invoke(self) -> Invocation:
        function = self.driver.stack.outputs["TickFunction"]
        before = len(self.driver.notes().of(function).invocations)
        answer = self.driver.client("lambda").invoke(FunctionName=function)
        if "FunctionError" in answer:
            raise RuntimeError(f"The tick failed: {answer['Payload'].read()!r}")
        return wait_for("the tick's note", lambda: self.driver.notes().of(function).invocations[before:] or None)[-1]


def read_queued(log: str) -> int:
    """Return how many runs a tick has queued, according to its log."""
    entries = (json.loads(line) for line in log.splitlines() if line.startswith("{"))
    return sum(int(entry.get("queued", 0)) for entry in entries)


def split_into_batches(items: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    """Split items into lists of ``size``."""
    batch: list[dict[str, Any]] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def compare_ticks(
    ticking: Ticking, ended: dict[str, Any], *, already: int, many: int, opened: int, due: int
) -> tuple[Tick, Tick]:
    """Measure the tick with open runs, some of them due, and then with many ended runs added.

    ``ended`` is the stored item of an ended run, from which all others are made. The table already contains
    ``already`` ended runs.
    """
    ticking.begin()
    now = datetime.now(UTC)
    moments = [now - timedelta(minutes=1) if number < due else now + timedelta(days=1) for number in range(opened)]
    ticking.fill(build_open_item(ended, f"open-{number:06d}", at) for number, at in enumerate(moments))
    without = ticking.measure(Table(already, opened, due))
    ticking.fill(build_ended_item(ended, f"ended-{number:06d}") for number in range(many))
    return without, ticking.measure(Table(already + many, opened, due))
