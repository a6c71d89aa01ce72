"""A stack in a fake AWS: its resources, its functions, loaded as Lambda loads them, and what they leave behind."""

from __future__ import annotations

import copy
import json
import logging
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spot_relay.adapters.runs import DynamoDBRunStore
from tests.fakes import Clock
from tests.scripts import load_script
from tests.template import create_runs_table

if TYPE_CHECKING:
    from types import ModuleType

    from spot_relay.domain.run.run import Run
    from tests.integration.fake_aws import FakeAWS

ROOT = Path(__file__).resolve().parents[2]
TABLE = "spot-relay-runs"
BUCKET = "spot-relay-specs-000000000000-us-east-1"
CHECKPOINTS = "churn-000000000000"
DATA = "arriving-data"
SCHEDULES = "spot-relay-schedules"
ROLE = "arn:aws:iam::000000000000:role/spot-relay-training"
SERVICE = "spot-relay"
QUEUE = "spot-relay-observe"
ACCOUNT = "123456789012"  # moto's own; the account of the story is the simulator's


@dataclass
class StoryClock(Clock):
    """A clock that begins when the spec of the event documents is uploaded."""

    now: datetime = datetime(2025, 6, 3, 9, 14, tzinfo=UTC)


@dataclass(frozen=True)
class Context:
    """What Lambda tells a function of its invocation."""

    function_name: str
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:spot-relay"
    aws_request_id: str = "11111111-2222-3333-4444-555555555555"


def document(name: str) -> dict[str, Any]:
    """Read a document of ``events/``."""
    read: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text("utf-8"))
    return read


def body_of(name: str) -> dict[str, Any]:
    """Read the event that the one message of a document carries."""
    read: dict[str, Any] = json.loads(document(name)["Records"][0]["body"])
    return read


SPEC: dict[str, Any] = json.loads(document("api/create-run")["body"])


def spec(**changes: Any) -> dict[str, Any]:
    """Return the tests' spec with changes to its training job; None removes a key."""
    changed = copy.deepcopy(SPEC)
    job = changed["training_job"] | changes
    return changed | {"training_job": {key: value for key, value in job.items() if value is not None}}


def messages(*bodies: str) -> dict[str, Any]:
    """Return the event in which SQS delivers messages, with ids counted from 0."""
    record = document("observe/run-due")["Records"][0]
    return {"Records": [record | {"messageId": str(number), "body": body} for number, body in enumerate(bodies)]}


@dataclass
class Stack:
    """The resources of a stack and its functions."""

    aws: FakeAWS
    clock: Clock = field(init=False)
    has_queue: bool = field(init=False)
    delays: list[int] = field(init=False)
    """By how many seconds each message to the queue was to be delayed, in order; here none is."""

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin the story, in an AWS in which nothing exists but the stack's resources."""
        self.clock, self.has_queue, self.delays = StoryClock(), False, []
        self.aws.simulator.begin(self.clock)
        self.aws.moto.forget()
        self.aws.step_functions.forget()
        create_runs_table(self.client("dynamodb"), TABLE)
        self.client("s3").create_bucket(Bucket=BUCKET)
        self.client("scheduler").create_schedule_group(Name=SCHEDULES)

    def client(self, service: str) -> Any:
        """Return the client that the functions use, too."""
        return self.aws.client(service)

    def environment(self) -> dict[str, str]:
        """Return the environment of all functions."""
        return {
            "POWERTOOLS_SERVICE_NAME": SERVICE,
            "POWERTOOLS_METRICS_NAMESPACE": "SpotRelay",
            "POWERTOOLS_LOG_LEVEL": "INFO",
            "TABLE_NAME": TABLE,
            "SPECS_BUCKET": BUCKET,
            "CHECK_INTERVAL_SECONDS": "300",
            "LAUNCH_RATE": "1000",
            "RETENTION_DAYS": "90",
            "ALLOWED_ROLE_ARNS": ROLE,
            "ALLOWED_IMAGES": "*.dkr.ecr.*.amazonaws.com/*",
            "ALLOWED_CHECKPOINT_BUCKETS": "churn-*",
            "TASK_TOKEN_STATE_MACHINE_ARNS": "arn:aws:states:us-east-1:123456789012:stateMachine:nightly",
            "OBSERVE_QUEUE_URL": self.queue_url,
            "ATTEMPT_LIMITS": "",
            "TRIGGER_BUCKETS": DATA,
            "WIDGET_ACTIONS": "true",
            "SCHEDULE_GROUP": SCHEDULES,
            "SCHEDULE_ROLE_ARN": "arn:aws:iam::000000000000:role/TemplateSchedulesRole",
            "SUBMIT_QUEUE_ARN": f"arn:aws:sqs:us-east-1:{ACCOUNT}:spot-relay-submit",
        }

    def limit_attempts(self, limits: str) -> None:
        """Have the stack limit its attempts from now on, until the test is over: its environment ends with it."""
        os.environ["ATTEMPT_LIMITS"] = limits

    def slots(self, instance_type: str) -> set[str]:
        """Name the jobs that hold a slot of an instance type."""
        key = {"id": {"S": f"slots#{instance_type}"}}
        item = self.client("dynamodb").get_item(TableName=TABLE, Key=key).get("Item", {})
        return set(item["holders"]["SS"]) if "holders" in item else set()

    @property
    def queue_url(self) -> str:
        """The address of the observe queue."""
        return f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/{QUEUE}"

    def load(self, function: str) -> ModuleType:
        """Load a function as a new process of Lambda does, and give it this stack's clock."""
        logging.Logger.manager.loggerDict.pop(SERVICE, None)
        module = load_script(ROOT / "functions" / function / "app.py", f"functions_{function}_app")
        if function in {"tick", "prices"}:
            module.utc_now = self.clock  # type: ignore[attr-defined]
        else:
            module.service = replace(module.service, clock=self.clock, draw=lambda: 0.5)  # type: ignore[attr-defined]
        return module

    def invoke(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        """Load a function afresh and hand it an event."""
        answer: dict[str, Any] = self.load(function).handler(event, Context(f"spot-relay-{function}"))
        return answer

    def upload(self, text: str | bytes, key: str = "runs/churn.json") -> dict[str, Any]:
        """Upload a spec, and give the message that S3 sends by way of EventBridge and SQS."""
        data = text.encode() if isinstance(text, str) else text
        self.client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        put = self.client("s3").put_object(Bucket=BUCKET, Key=key, Body=data)
        event = body_of("submit/spec-uploaded")
        event["detail"]["object"] |= {"key": key, "size": len(data), "version-id": put["VersionId"]}
        return messages(json.dumps(event))

    def submit(self, **changes: Any) -> Run:
        """Submit the run of the story by its upload."""
        assert self.invoke("submit", self.upload(json.dumps(spec(**changes)))) == {"batchItemFailures": []}
        return self.run()

    def call(
        self, name: str, body: Any = None, query: dict[str, str] | None = None, **changes: Any
    ) -> tuple[int, dict[str, Any]]:
        """Call the API as in a document, with changes; give the status code and the answer."""
        event = document(f"api/{name}") | changes
        if body is not None:
            event["body"] = body if isinstance(body, str) else json.dumps(body)
        if query is not None:
            event["queryStringParameters"] = query or None
            event["multiValueQueryStringParameters"] = {key: [value] for key, value in query.items()} or None
        answer = self.invoke("api", event)
        assert answer["multiValueHeaders"]["Content-Type"] == ["application/json"]
        return answer["statusCode"], json.loads(answer["body"])

    def observe(self, name: str) -> None:
        """Hand `observe` a document; it must take it."""
        assert self.invoke("observe", document(f"observe/{name}")) == {"batchItemFailures": []}

    def tick(self) -> int:
        """Let the tick queue what is due, hand all of it to `observe`, and say how much it was."""
        self.make_queue()
        queued: int = self.invoke("tick", document("tick/every-minute"))["queued"]
        self.deliver()
        return queued

    def deliver(self) -> None:
        """Hand `observe` what is on its queue; it must take it."""
        bodies = self.queued() if self.has_queue else []
        if bodies:
            assert self.invoke("observe", messages(*bodies)) == {"batchItemFailures": []}

    def make_queue(self) -> None:
        """Create the observe queue, unless it is there."""
        if not self.has_queue:
            events, asked = self.client("sqs").meta.events, "provide-client-params.sqs"
            # Other stacks have used the same client.
            events.unregister(asked, unique_id=QUEUE)
            events.register(asked, self._note_delays, unique_id=QUEUE)
            self.client("sqs").create_queue(QueueName=QUEUE)
            self.has_queue = True

    def _note_delays(self, params: dict[str, Any], **_: Any) -> None:
        """Record the delays of messages and remove them, because the queue would wait in real time."""
        for message in params.get("Entries", [params] if "MessageBody" in params else []):
            if "MessageBody" in message:
                self.delays.append(message.pop("DelaySeconds", 0))

    def queued(self) -> list[str]:
        """Take every message off the observe queue."""
        bodies: list[str] = []
        while (
            found := self.client("sqs").receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages")
        ):
            bodies += [message["Body"] for message in found]
            for message in found:
                self.client("sqs").delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    def run(self, run_id: str = "churn") -> Run:
        """Read a run as it is stored."""
        found = self.find(run_id)
        assert found is not None
        return found

    def find(self, run_id: str) -> Run | None:
        """Read a run as it is stored, or None."""
        return DynamoDBRunStore(self.client("dynamodb"), TABLE).load(run_id)

    def status(self, run_id: str = "churn") -> dict[str, Any]:
        """Read a run's status document."""
        return self.object(f"status/{run_id}.json")

    def object(self, key: str) -> dict[str, Any]:
        """Read a JSON document of the bucket of specs."""
        read: dict[str, Any] = json.loads(self.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read())
        return read

    def keys(self, prefix: str) -> list[str]:
        """List the keys of the bucket of specs under a prefix."""
        found = self.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        return [item["Key"] for item in found.get("Contents", [])]

    def checkpoint(self, name: str = "xgboost-checkpoint.7") -> None:
        """Leave a checkpoint of the run of the story."""
        self.client("s3").create_bucket(Bucket=CHECKPOINTS)
        self.client("s3").put_object(Bucket=CHECKPOINTS, Key=f"checkpoints/churn/{name}", Body=b"model")
