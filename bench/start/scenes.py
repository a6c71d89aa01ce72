"""What each function finds: the state of its AWS, its environment, and its first event."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bench.start.packages import ROOT, target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REGION: Final = "us-east-1"
TABLE: Final = "spot-relay-runs"
BUCKET: Final = "spot-relay-specs-000000000000-us-east-1"
QUEUE: Final = "spot-relay-observe"
PRICE_FILE: Final = "prices.json"
LONG_AGO: Final = "2025-06-03T09:14:00.000000Z"
# Keys of the table and its indexes; all are text.
_KEYS: Final = {
    "due": ("open", "check_at"),
    "waiting": ("waits_for", "waits_since"),
    "by_status": ("status", "created"),
}


@dataclass(frozen=True, slots=True)
class World:
    """An AWS for the functions to find: moto's address, and its clients."""

    url: str
    client: Callable[[str], Any]

    def begin(self) -> None:
        """Start over with nothing but the stack's resources, and an uploaded spec and price file."""
        request = urllib.request.Request(f"{self.url}/moto-api/reset", method="POST")  # noqa: S310 - our own server
        urllib.request.urlopen(request, timeout=30).close()  # noqa: S310
        self.client("dynamodb").create_table(TableName=TABLE, BillingMode="PAY_PER_REQUEST", **_build_keys())
        self.client("sqs").create_queue(QueueName=QUEUE)
        s3 = self.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.create_bucket(Bucket="churn-000000000000")
        s3.put_object(Bucket=BUCKET, Key="runs/churn.json", Body=_read_document("api/create-run")["body"].encode())
        prices = {"prices": {"ml.m5.xlarge": {"on_demand_usd": 0.23, "spot_usd": 0.08}}}
        s3.put_object(Bucket=BUCKET, Key=PRICE_FILE, Body=json.dumps(prices).encode())

    def make_a_run_due(self) -> None:
        """Store the item that the tick reads of a run that is due."""
        item = {"id": {"S": "churn"}, "open": {"S": "open"}, "check_at": {"S": LONG_AGO}}
        self.client("dynamodb").put_item(TableName=TABLE, Item=item)


@dataclass(frozen=True, slots=True)
class Scene:
    """A function and its first event. ``after`` names the functions that run before it, for what they leave behind."""

    function: str
    event: Mapping[str, Any]
    after: tuple[str, ...] = ()
    prepare: Callable[[World], None] = lambda _: None


def scenes() -> dict[str, Scene]:
    """Return the scene of each function."""
    return {
        "submit": Scene("submit", _read_upload(), after=("prices",)),
        "api": Scene("api", _read_document("api/create-run"), after=("prices",)),
        # The most frequent event by far: news of a job that goes on, which nobody is told.
        "observe": Scene("observe", _read_download(), after=("prices", "submit")),
        "tick": Scene("tick", _read_document("tick/every-minute"), prepare=World.make_a_run_due),
        "prices": Scene("prices", _read_document("prices/every-week")),
        "widget": Scene("widget", _read_document("widget/all-runs"), after=("prices", "submit")),
    }


def environment(function: str, url: str) -> dict[str, str]:
    """Return a function's environment: the variables of template.yaml, and those that Lambda sets."""
    return _VARIABLES | {
        "OBSERVE_QUEUE_URL": f"{url}/123456789012/{QUEUE}",
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_LAMBDA_FUNCTION_NAME": f"spot-relay-{function}",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{target().partition('-')[0]}",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
    }


_VARIABLES: Final = {
    "POWERTOOLS_SERVICE_NAME": "spot-relay",
    "POWERTOOLS_METRICS_NAMESPACE": "SpotRelay",
    "POWERTOOLS_LOG_LEVEL": "INFO",
    "TABLE_NAME": TABLE,
    "SPECS_BUCKET": BUCKET,
    "CHECK_INTERVAL_SECONDS": "300",
    "LAUNCH_RATE": "1000",
    "RETENTION_DAYS": "90",
    "ATTEMPT_LIMITS": "",
    "METRICS_BY_PLACEMENT": "false",
    "WIDGET_ACTIONS": "false",
    "NOTICES": "ended",
    "TASK_TOKEN_STATE_MACHINE_ARNS": "",
    "CANARY_IMAGE": "",
    "ALLOW_HOSTING": "false",
    "ALLOW_CHECKPOINT_COPIES": "false",
    "ALLOWED_ROLE_ARNS": "arn:aws:iam::000000000000:role/spot-relay-training",
    "ALLOWED_IMAGES": "*.dkr.ecr.*.amazonaws.com/*",
    "ALLOWED_CHECKPOINT_BUCKETS": "churn-*",
    "PRICE_FILE": f"s3://{BUCKET}/{PRICE_FILE}",
    "TRIGGER_BUCKETS": "",
    "SUBMIT_QUEUE_ARN": "arn:aws:sqs:us-east-1:000000000000:submit",
    "SCHEDULE_GROUP": "spot-relay",
    "SCHEDULE_ROLE_ARN": "arn:aws:iam::000000000000:role/spot-relay-schedules",
}


def _read_document(name: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text("utf-8"))
    return read


def _read_upload() -> dict[str, Any]:
    """Return the event of an upload, without the version, because moto assigns its own."""
    event = _read_document("submit/spec-uploaded")
    body = json.loads(event["Records"][0]["body"])
    del body["detail"]["object"]["version-id"]
    event["Records"][0]["body"] = json.dumps(body)
    return event


def _read_download() -> dict[str, Any]:
    """Return the event of a job that downloads its data."""
    event = _read_document("observe/training-started")
    body = json.loads(event["Records"][0]["body"])
    body["detail"]["SecondaryStatus"] = "Downloading"
    event["Records"][0]["body"] = json.dumps(body)
    return event


def _build_keys() -> dict[str, Any]:
    names = ["id", *(key for keys in _KEYS.values() for key in keys)]
    indexes = [
        {
            "IndexName": index,
            "KeySchema": [{"AttributeName": own, "KeyType": "HASH"}, {"AttributeName": order, "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "ALL"},
        }
        for index, (own, order) in _KEYS.items()
    ]
    return {
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in names],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "GlobalSecondaryIndexes": indexes,
    }
