"""Drive the load on the embedded stack: submit runs, wait for them, and collect the notes."""

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
from bench.load.waiting import wait_for
from embedded.patience import give_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.load.notes import Notes
    from embedded.stack import Stack

UPLOADS_AT_ONCE: Final = 8
LOOK_EVERY_S: Final = 2.0
PATIENCE_S: Final = 3600.0
# A message may be between two queues, so both must be empty several times in a row.
_QUIET_LOOKS: Final = 2


class BadEndError(Exception):
    """Some runs did not end as they should; the message says how many."""


class Reader:
    """Reads the growing notes of a stack."""

    def __init__(self, path: Path) -> None:
        self._path, self._place = path, 0
        self._read = notes.Notes((), ())

    def __call__(self) -> Notes:
        """Return all notes so far."""
        with self._path.open("rb") as file:
            file.seek(self._place)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._place += len(whole) + len(newline)
        if newline:
            new = notes.read_notes(whole.decode().split("\n"))
            self._read = notes.Notes(self._read.calls + new.calls, self._read.invocations + new.invocations)
        return self._read


@dataclass
class Driver:
    """A stack under load. ``on_progress`` is called with the number of runs that have ended."""

    stack: Stack
    attempts: int
    on_progress: Callable[[int], None] = lambda _: None
    client: Callable[[str], Any] = field(init=False)
    notes: Reader = field(init=False)
    processes: Processes = field(init=False)
    ended: int = 0
    most_waiting: int = 0

    def __post_init__(self) -> None:
        # Creating a client takes longer than most calls.
        self.client = cache(self.stack.client)
        self.notes = Reader(Path(self.stack.folder) / notes.FILE)
        self.processes = Processes(self.stack)

    def prepare(self) -> None:
        """Create a bucket for checkpoints, and load prices, as in a real stack."""
        s3 = self.client("s3")
        s3.create_bucket(Bucket=plan.BUCKET)
        prices = {"prices": {"ml.m5.xlarge": {"on_demand_usd": 0.23, "spot_usd": 0.09}}}
        s3.put_object(Bucket=plan.BUCKET, Key=plan.PRICES, Body=json.dumps(prices).encode())
        answer = self.client("lambda").invoke(FunctionName=self.stack.outputs["PricesFunction"])
        if "FunctionError" in answer:
            message = f"The prices cannot be read: {answer['Payload'].read()!r}"
            raise BadEndError(message)

    def submit_runs(self, prefix: str, count: int, *, paid: bool = False) -> Window:
        """Submit ``count`` runs at once, wait until everything has settled, and return what was recorded.

        With ``paid`` this includes the outboxes of ended runs, whose last documents the tick may have to write.
        """
        names = plan.name_runs(prefix, count)
        s3 = self.client("s3")
        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
            for key in map(plan.build_checkpoint_key, names):
                pool.submit(s3.put_object, Bucket=plan.BUCKET, Key=key, Body=b"{}")
        self.most_waiting = 0
        calls, before, began = len(self._simulator_calls()), self.processes.read_cpu_seconds(), time.time()
        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
            for put in [pool.submit(self._upload, s3, name) for name in names]:
                put.result()
        self._wait(self.ended + count, paid=paid)
        self.ended += count
        used = self.processes.read_cpu_seconds_since(before)
        return Window(began, self.notes().between(began, time.time()), self._simulator_calls()[calls:], used)

    def build_detail(self) -> dict[str, Any]:
        """Return the detail of an event for the floor, as large as that of a training job's event."""
        job: dict[str, Any] = plan.build_spec("floor", self.attempts)["training_job"]
        return job | {"padding": "x" * 500}

    def load_item(self, name: str) -> dict[str, Any]:
        """Return a run as it is stored."""
        key = {"id": {"S": name}}
        answer = self.client("dynamodb").get_item(TableName=self.stack.outputs["TableName"], Key=key)
        item: dict[str, Any] = answer["Item"]
        return item

    def count_dead_letters(self) -> int:
        """Return the number of dead letters."""
        return sum(self._waiting(queue) for queue in ("SubmitDeadLetterQueueUrl", "ObserveDeadLetterQueueUrl"))

    def _upload(self, s3: Any, name: str) -> None:
        body = json.dumps(plan.build_spec(name, self.attempts)).encode()
        s3.put_object(Bucket=self.stack.outputs["SpecsBucket"], Key=f"runs/{name}.json", Body=body)

    def _wait(self, expected: int, *, paid: bool) -> None:
        """Wait until ``expected`` runs have ended in total (with ``paid``: owe nothing), and the queues stay empty."""
        quiet = 0

        def look() -> bool | None:
            nonlocal quiet
            self.processes.read_cpu_seconds()
            waiting = self._waiting("ObserveQueueUrl")
            self.most_waiting = max(self.most_waiting, waiting)
            ended = self._count("by_status", "status", "Completed")
            self.on_progress(ended)
            if failed := sum(self._count("by_status", "status", status) for status in ("Failed", "Stopped")):
                message = f"{failed} runs have not completed. See the logs in {self.stack.folder}"
                raise BadEndError(message)
            owing = self._count("due", "open", "open") if paid and ended == expected else 0
            at_rest = ended == expected and not owing + waiting + self._waiting("SubmitQueueUrl")
            quiet = quiet + 1 if at_rest else 0
            return quiet == _QUIET_LOOKS or None

        wait_for(f"all {expected} runs at rest", look, PATIENCE_S, LOOK_EVERY_S)

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
        """Return the number of messages in a queue, including those that a function is handling."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = self.stack.outputs[queue]
        found = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def _simulator_calls(self) -> list[dict[str, Any]]:
        answer = httpx.get(
            f"{self.stack.simulator_url}/_simulator/log",
            params={"kind": "call"},
            trust_env=False,
            timeout=give_time(60),
        )
        entries: list[dict[str, Any]] = answer.raise_for_status().json()["entries"]
        return entries
