"""The run `churn` that the event documents speak of, on a deployed stack, at the moment that a document is sent."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Thread
from typing import TYPE_CHECKING, Any

from embedded.patience import give_time
from embedded.sam import ROOT
from simulator.api.account import Account
from simulator.api.audit import AuditLog
from simulator.api.server import Application, bind
from simulator.api.service import Service
from simulator.world.scenario import Scenario, parse_scenario
from spot_relay.adapters.prices import DynamoDBPrices
from spot_relay.adapters.runs import DynamoDBRunStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from embedded.stack import Stack
    from spot_relay.domain.run.prices import PriceList
    from spot_relay.domain.run.run import Run

EVENTS = ROOT / "events"
SPECS = "spot-relay-specs-000000000000-us-east-1"
DATA = "churn-000000000000"
PRICES = f"s3://{SPECS}/prices.json"
LONG = {"train_seconds": 90_000}


def document(name: str) -> Any:
    """Read a document, such as ``observe/completed``."""
    return json.loads(place(name).read_text("utf-8"))


def place(name: str) -> Path:
    """Return where a document is."""
    return EVENTS / f"{name}.json"


def detail(name: str) -> dict[str, Any]:
    """Read the ``detail`` of the event that the one message of a document carries."""
    event = json.loads(document(name)["Records"][0]["body"])
    found: dict[str, Any] = event["detail"]
    return found


class Market:
    """The simulator at a fixed address, whose past can be begun anew: so a job of two hours need not take them."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self.sagemaker = self._new(Scenario())
        self._server = bind(self.sagemaker, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def begin(self, rules: list[Mapping[str, Any]], seconds_ago: float) -> None:
        """Forget every job, and go on from ``seconds_ago``."""
        self._ahead = -seconds_ago
        self.sagemaker = self._new(parse_scenario({"rules": rules, "default": LONG}))
        self._server.app = Application(self.sagemaker)

    def arrive(self) -> None:
        """Let time pass until now."""
        self._ahead = 0.0

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join(timeout=give_time(5))
        self._server.server_close()

    def _new(self, scenario: Scenario) -> Service:
        return Service(Account(), scenario, AuditLog(), lambda: time.time() + self._ahead)


@dataclass(frozen=True)
class Churn:
    """The run, as far as it has come, and what can be seen of it."""

    stack: Stack
    market: Market

    def submit(self, *, seconds_ago: float = 60, rule: Mapping[str, Any] = LONG, checkpoint: bool = True) -> None:
        """Submit the run by the API of the stack, so long ago that its job is by now what the rule makes of it."""
        self.market.begin([{"name": "churn-relay-01", **rule}], seconds_ago)
        self.stack.api.submit(json.loads(document("api/create-run")["body"]))
        if checkpoint:
            self.s3.put_object(Bucket=DATA, Key="checkpoints/churn/xgboost-checkpoint.7", Body=b"a model")
        self.market.arrive()

    def upload(self, body: bytes, key: str = "runs/churn.json") -> str:
        """Upload a spec and give its version."""
        version: str = self.s3.put_object(Bucket=SPECS, Key=key, Body=body)["VersionId"]
        return version

    def deployed(self, function: str, event: Any) -> Any:
        """Have the stack's own function handle an event, not one in a container."""
        name, payload = self.stack.outputs[f"{function}Function"], json.dumps(event)
        answer = self.stack.client("lambda").invoke(FunctionName=name, Payload=payload)
        returned = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, returned
        return returned

    def find(self) -> Run | None:
        """Read the run from the table, or None."""
        return self._store.load("churn")

    def run(self) -> Run:
        """Read the run from the table."""
        found = self.find()
        assert found is not None, "the table holds no run `churn`"
        return found

    def due(self) -> list[str]:
        """Name the runs whose time has come."""
        return [due.run_id for due in self._store.list_due(datetime.now(UTC))]

    def prices(self) -> PriceList | None:
        """Read the stack's price list."""
        return DynamoDBPrices(self.stack.client("dynamodb"), self.stack.outputs["TableName"], "us-east-1").read()

    def status(self) -> dict[str, Any]:
        """Read the status document."""
        return self.read("status/churn.json")

    def read(self, key: str) -> dict[str, Any]:
        """Read a JSON document from the bucket of specs."""
        read: dict[str, Any] = json.loads(self.s3.get_object(Bucket=SPECS, Key=key)["Body"].read())
        return read

    def keys(self, bucket: str = SPECS) -> list[str]:
        """List what lies in a bucket."""
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def job(self, name: str = "churn-relay-01") -> dict[str, Any]:
        """Describe a training job."""
        described: dict[str, Any] = self.stack.client("sagemaker").describe_training_job(TrainingJobName=name)
        return described

    def jobs(self) -> list[str]:
        """Name the training jobs that there are, oldest first."""
        found = self.stack.client("sagemaker").list_training_jobs(SortBy="CreationTime", SortOrder="Ascending")
        return [job["TrainingJobName"] for job in found["TrainingJobSummaries"]]

    def queued(self) -> list[dict[str, Any]]:
        """Take what waits in the observe queue."""
        sqs, url = self.stack.client("sqs"), self.stack.outputs["ObserveQueueUrl"]
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in found]

    def forget(self) -> None:
        """Leave nothing of an earlier test: neither jobs, nor items, objects or messages."""
        self.market.begin([], 0)
        dynamodb, table = self.stack.client("dynamodb"), self.stack.outputs["TableName"]
        for item in dynamodb.scan(TableName=table, ProjectionExpression="id")["Items"]:
            dynamodb.delete_item(TableName=table, Key={"id": item["id"]})
        for bucket in (SPECS, DATA):
            for key in self.keys(bucket):
                self.s3.delete_object(Bucket=bucket, Key=key)
        while self.queued():
            pass

    @property
    def _store(self) -> DynamoDBRunStore:
        return DynamoDBRunStore(self.stack.client("dynamodb"), self.stack.outputs["TableName"])

    @property
    def s3(self) -> Any:
        """A client of S3."""
        return self.stack.client("s3")
