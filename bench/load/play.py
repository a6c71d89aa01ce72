"""The load, played on the embedded stack: runs are submitted and waited for, and what was noted is handed over."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from bench.load import notes, plan
from bench.load.figures import Window
from bench.load.processes import Processes
from bench.load.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.load.notes import Notes
    from embedded.stack import Stack

UPLOADS_AT_ONCE: Final = 8
LOOK_EVERY_S: Final = 2.0
PATIENCE_S: Final = 3600.0
# A message may be on its way from one queue to the other: all is over when both are empty this often in a row.
_QUIET_LOOKS: Final = 2


class BadEndError(Exception):
    """A run did not end as it should; the text says how many."""


class Reader:
    """Reads the notes of a stack as they grow."""

    def __init__(self, path: Path) -> None:
        self._path, self._place = path, 0
        self._read = notes.Notes((), ())

    def __call__(self) -> Notes:
        """Give all notes so far."""
        with self._path.open("rb") as file:
            file.seek(self._place)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._place += len(whole) + len(newline)
        if newline:
            new = notes.read(whole.decode().split("\n"))
            self._read = notes.Notes(self._read.calls + new.calls, self._read.invocations + new.invocations)
        return self._read


@dataclass
class Play:
    """A stack under load. ``tell`` hears how many runs have ended."""

    stack: Stack
    attempts: int
    tell: Callable[[int], None] = lambda _: None
    client: Callable[[str], Any] = field(init=False)
    notes: Reader = field(init=False)
    processes: Processes = field(init=False)
    ended: int = 0
    most_waiting: int = 0

    def __post_init__(self) -> None:
        # A new client takes longer than many a call.
        self.client = cache(self.stack.client)
        self.notes = Reader(Path(self.stack.folder) / notes.FILE)
        self.processes = Processes(self.stack)

    def prepare(self) -> None:
        """Have a bucket for checkpoints, and prices, as a real stack has."""
        s3 = self.client("s3")
        s3.create_bucket(Bucket=plan.BUCKET)
        prices = {"prices": {"ml.m5.xlarge": {"on_demand_usd": 0.23, "spot_usd": 0.09}}}
        s3.put_object(Bucket=plan.BUCKET, Key=plan.PRICES, Body=json.dumps(prices).encode())
        answer = self.client("lambda").invoke(FunctionName=self.stack.outputs["PricesFunction"])
        if "FunctionError" in answer:
            message = f"the prices can't be read: {answer['Payload'].read()!r}"
            raise BadEndError(message)

    def runs(self, prefix: str, count: int, *, paid: bool = False) -> Window:
        """Submit that many runs at once, wait until all has come to rest, and give what was noted.

        ``paid`` waits for what runs still owe after their end, too: their last documents, by the tick.
        """
        names = plan.names(prefix, count)
        s3 = self.client("s3")
        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
            for key in map(plan.checkpoint_key, names):
                pool.submit(s3.put_object, Bucket=plan.BUCKET, Key=key, Body=b"{}")
        self.most_waiting = 0
        calls, before, began = len(self._simulator_calls()), self.processes.look(), time.time()
        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
            for put in [pool.submit(self._upload, s3, name) for name in names]:
                put.result()
        self._wait(self.ended + count, paid=paid)
        self.ended += count
        used = self.processes.since(before)
        return Window(began, self.notes().between(began, time.time()), self._simulator_calls()[calls:], used)

    def detail(self) -> dict[str, Any]:
        """Give what fills an event of the floor: as much as an event of a job has."""
        job: dict[str, Any] = plan.spec("floor", self.attempts)["training_job"]
        return job | {"padding": "x" * 500}

    def item(self, name: str) -> dict[str, Any]:
        """Give a run as it is stored."""
        key = {"id": {"S": name}}
        answer = self.client("dynamodb").get_item(TableName=self.stack.outputs["TableName"], Key=key)
        item: dict[str, Any] = answer["Item"]
        return item

    def dead_letters(self) -> int:
        """Count the dead letters."""
        return sum(self._waiting(queue) for queue in ("SubmitDeadLetterQueueUrl", "ObserveDeadLetterQueueUrl"))

    def _upload(self, s3: Any, name: str) -> None:
        body = json.dumps(plan.spec(name, self.attempts)).encode()
        s3.put_object(Bucket=self.stack.outputs["SpecsBucket"], Key=f"runs/{name}.json", Body=body)

    def _wait(self, expected: int, *, paid: bool) -> None:
        """Wait until so many runs have ended in all (and owe nothing), and the queues are empty, and stay it."""
        quiet = 0

        def look() -> bool | None:
            nonlocal quiet
            self.processes.look()
            waiting = self._waiting("ObserveQueueUrl")
            self.most_waiting = max(self.most_waiting, waiting)
            ended = self._count("by_status", "status", "Completed")
            self.tell(ended)
            if badly := sum(self._count("by_status", "status", status) for status in ("Failed", "Stopped")):
                message = f"{badly} runs have not completed; see {self.stack.folder}"
                raise BadEndError(message)
            owing = self._count("due", "open", "open") if paid and ended == expected else 0
            at_rest = ended == expected and not owing + waiting + self._waiting("SubmitQueueUrl")
            quiet = quiet + 1 if at_rest else 0
            return quiet == _QUIET_LOOKS or None

        eventually(f"all {expected} runs at rest", look, PATIENCE_S, LOOK_EVERY_S)

    def _count(self, index: str, key: str, value: str) -> int:
        pages = (
            self.client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self.stack.outputs["TableName"],
                IndexName=index,
                KeyConditionExpression="#key = :value",
                ExpressionAttributeNames={"#key": key},
                ExpressionAttributeValues={":value": {"S": value}},
                Select="COUNT",
            )
        )
        return sum(page["Count"] for page in pages)

    def _waiting(self, queue: str) -> int:
        """Count the messages of a queue, be they in the hands of a function."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = self.stack.outputs[queue]
        found = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def _simulator_calls(self) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"{self.stack.simulator_url}/_simulator/log", params={"kind": "call"}, trust_env=False, timeout=60
        )
        entries: list[dict[str, Any]] = answer.raise_for_status().json()["entries"]
        return entries
