"""The tick, with few runs in the table and with many that have ended: what it reads, and what that takes."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from bench.load.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bench.load.notes import Invocation
    from bench.load.play import Play

SCHEDULE: Final = "EveryMinute"
_TICKS: Final = 7
_PUT_AT_ONCE: Final = 25
_STAMP: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True, slots=True)
class Table:
    """How many runs have ended, are open, and of these are due."""

    ended: int
    open: int
    due: int


@dataclass(frozen=True, slots=True)
class Tick:
    """What one tick did: its calls by operation, the entries it read and their read units, the runs it queued.

    ``seconds`` is what the middle one of several took.
    """

    table: Table
    calls: dict[str, int]
    items_read: int
    read_units: float
    queued: int
    seconds: float


def open_item(ended: dict[str, Any], name: str, check_at: datetime) -> dict[str, Any]:
    """Make of a stored run that has ended one that is open, and looked at when its time has come."""
    kept = {key: value for key, value in ended.items() if key != "expires_at"}
    at = {"open": {"S": "open"}, "check_at": {"S": check_at.strftime(_STAMP)}, "status": {"S": "InProgress"}}
    return kept | at | _named(ended, name)


def ended_item(ended: dict[str, Any], name: str) -> dict[str, Any]:
    """Make another run of a stored one; without its document, which no index holds, so that 100,000 fit into memory."""
    return ended | _named(ended, name) | {"document": {"S": "{}"}}


def _named(item: dict[str, Any], name: str) -> dict[str, Any]:
    stamp, _, _ = item["created"]["S"].partition("#")
    return {"id": {"S": name}, "created": {"S": f"{stamp}#{name}"}}


@dataclass(frozen=True, slots=True)
class Ticking:
    """A stack whose tick is invoked by hand, and in which nobody observes what it queues."""

    play: Play

    def begin(self) -> None:
        """Stop the schedule and `observe`, and let what they have begun end."""
        schedules, lambdas = self.play.client("scheduler"), self.play.client("lambda")
        for listed in schedules.list_schedules()["Schedules"]:
            if SCHEDULE in listed["Name"]:
                found = schedules.get_schedule(Name=listed["Name"])
                kept = {key: found[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
                schedules.update_schedule(**kept, State="DISABLED")
        function = self.play.stack.outputs["ObserveFunction"]
        for mapping in lambdas.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]:
            lambdas.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)

    def fill(self, items: Iterable[dict[str, Any]]) -> None:
        """Write items, as many at a time as DynamoDB takes."""
        dynamodb = self.play.client("dynamodb")
        for batch in batches(items, _PUT_AT_ONCE):
            requests = [{"PutRequest": {"Item": item}} for item in batch]
            if dynamodb.batch_write_item(RequestItems={self.play.stack.outputs["TableName"]: requests})[
                "UnprocessedItems"
            ]:
                raise RuntimeError("MiniStack did not write all of a batch")

    def measure(self, table: Table) -> Tick:
        """Invoke the tick several times, and tell what the last one did and what the middle one took."""
        seconds = []
        for _ in range(_TICKS):
            tick = self._invoked()
            seconds.append(tick.ended - tick.began)
            self.play.client("sqs").purge_queue(QueueUrl=self.play.stack.outputs["ObserveQueueUrl"])
        calls = self.play.notes().of(self.play.stack.outputs["TickFunction"]).calls
        made = [call for call in calls if tick.began <= call.at <= tick.ended]
        return Tick(
            table=table,
            calls=dict(Counter(call.operation for call in made)),
            items_read=sum(call.items for call in made),
            read_units=sum(call.read for call in made),
            queued=queued(tick.log),
            seconds=statistics.median(seconds),
        )

    def _invoked(self) -> Invocation:
        function = self.play.stack.outputs["TickFunction"]
        before = len(self.play.notes().of(function).invocations)
        answer = self.play.client("lambda").invoke(FunctionName=function)
        if "FunctionError" in answer:
            raise RuntimeError(f"the tick failed: {answer['Payload'].read()!r}")
        return eventually("the tick's note", lambda: self.play.notes().of(function).invocations[before:] or None)[-1]


def queued(log: str) -> int:
    """Read in a tick's log how many runs it has queued."""
    entries = (json.loads(line) for line in log.splitlines() if line.startswith("{"))
    return sum(int(entry.get("queued", 0)) for entry in entries)


def batches(items: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    """Cut items into lists of a size."""
    batch: list[dict[str, Any]] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def compare(
    ticking: Ticking, ended: dict[str, Any], *, already: int, many: int, opened: int, due: int
) -> tuple[Tick, Tick]:
    """Measure the tick with open runs, a part of them due, and then with many that have ended beside them.

    ``ended`` is the stored item of a run that has ended, of which all the others are made; so many have ``already``.
    """
    ticking.begin()
    now = datetime.now(UTC)
    moments = [now - timedelta(minutes=1) if number < due else now + timedelta(days=1) for number in range(opened)]
    ticking.fill(open_item(ended, f"open-{number:06d}", at) for number, at in enumerate(moments))
    without = ticking.measure(Table(already, opened, due))
    ticking.fill(ended_item(ended, f"ended-{number:06d}") for number in range(many))
    return without, ticking.measure(Table(already + many, opened, due))
