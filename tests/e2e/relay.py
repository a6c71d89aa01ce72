"""A deployed stack as its users and its operator see it, for the end-to-end tests."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_incrementing

from embedded.daemons import NO_CERTIFICATES
from embedded.patience import give_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedded.stack import Stack
    from spot_relay_client.api import Api

Found = TypeVar("Found")

CHECKPOINTS = "sagemaker-us-east-1-000000000000"
DATA = "arriving-data"
PRICES = "prices.json"
# A template with a schedule.
MINUTELY = "minutely"
STATE_MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:nightly"
# The outputs that name the queues whose messages the functions handle.
QUEUES = ("SubmitQueueUrl", "ObserveQueueUrl")
NEVER: dict[str, Any] = {"capacity": {"after": None}}
CAPACITY = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML instance type."
)

# What an account may demand of a stack. MiniStack enforces roles and their paths, but knows no key and no VPC.
_KEYS = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-"
DEMANDS = {
    "PermissionsBoundaryArn": "arn:aws:iam::aws:policy/PowerUserAccess",
    "RolePath": "/teams/training/",
    "SubnetIds": "subnet-0a1b2c3d,subnet-1a2b3c4d",
    "SecurityGroupIds": "sg-0a1b2c3d",
    "SpecsKmsKeyArn": f"{_KEYS}1234567890ab",
    "DataKmsKeyArn": f"{_KEYS}1234567890ac",
}

# How to call a server on this machine.
_HERE: dict[str, Any] = {"trust_env": False, "verify": NO_CERTIFICATES}

_SPEC: dict[str, Any] = {
    "training_job": {
        "AlgorithmSpecification": {
            "TrainingImage": "000000000000.dkr.ecr.us-east-1.amazonaws.com/trainer:1",
            "TrainingInputMode": "File",
        },
        "RoleArn": "arn:aws:iam::000000000000:role/spot-relay-training",
        "OutputDataConfig": {"S3OutputPath": f"s3://{CHECKPOINTS}/output"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120},
    },
    "policy": {"backoff": {"base_seconds": 1, "max_seconds": 2}},
}


def spec(name: str, max_wait: int = 120, max_runtime: int = 60) -> dict[str, Any]:
    """Return a good spec, with limits in seconds."""
    made = {"name": name, **copy.deepcopy(_SPEC)}
    made["training_job"]["StoppingCondition"] = {
        "MaxRuntimeInSeconds": min(max_runtime, max_wait),
        "MaxWaitTimeInSeconds": max_wait,
    }
    made["training_job"]["CheckpointConfig"] = {"S3Uri": f"s3://{CHECKPOINTS}/{name}/checkpoints"}
    return made


def template(name: str, **keys: Any) -> dict[str, Any]:
    """Return a good template: a spec with what starts its runs."""
    made = spec(name) | keys
    made["training_job"]["CheckpointConfig"] = {"S3Uri": f"s3://{CHECKPOINTS}/{{name}}/checkpoints"}
    return made


def with_deadline(deadline: str, expected_runtime: str) -> dict[str, Any]:
    """Return a policy with a deadline and no changeover."""
    return {"deadline": deadline, "expected_runtime": expected_runtime, "changeover": 0}


def eventually(what: str, look: Callable[[], Found | None], seconds: float = 100) -> Found:
    """Look until there is something, and give it; fail, saying what was waited for, when the time is up.

    A busy machine gets more than ``seconds``. Looks come less and less often, because each costs as much as a short
    function.
    """
    seconds = give_time(seconds)
    waiting = Retrying(
        stop=stop_after_delay(seconds),
        wait=wait_incrementing(0.1, 0.1, 0.8),
        retry=retry_if_result(lambda found: found is None),
    )
    try:
        found = waiting(look)
    except RetryError:
        raise AssertionError(f"{what} did not happen within {seconds:g} s") from None
    assert found is not None
    return found


@dataclass(frozen=True)
class Relay:
    """The moves that the tests make on one stack."""

    stack: Stack

    @property
    def s3(self) -> Any:
        """The client of S3."""
        return self.stack.client("s3")

    @property
    def api(self) -> Api:
        """The API of the stack, as the client calls it."""
        return self.stack.api

    def send(
        self, method: str, path: str, body: Any = None, *, signed_for: str | None = "execute-api"
    ) -> httpx.Response:
        """Send the API a request that no client would send, and return the raw answer.

        A body that is not bytes is sent as JSON.
        """
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        url = self.stack.api_url + path
        request = AWSRequest(method, url, {"Content-Type": "application/json"}, content)
        if signed_for is not None:
            keys = self.stack.environment
            credentials = Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
            SigV4Auth(credentials, signed_for, keys["AWS_REGION"]).add_auth(request)
        headers = dict(request.headers.items())
        return httpx.request(method, url, headers=headers, content=content, timeout=give_time(40), **_HERE)

    @property
    def bucket(self) -> str:
        """The bucket of specs."""
        return self.stack.outputs["SpecsBucket"]

    def count_messages(self, queue: str) -> int:
        """Count the messages that wait in the queue that an output names, or that are being handled."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        sqs, url = self.stack.client("sqs"), self.stack.outputs[queue]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)

    def drains(self, seconds: float = 100) -> None:
        """Wait until no message waits, nor is being handled."""
        eventually(
            "the queues being empty", lambda: not any(self.count_messages(queue) for queue in QUEUES) or None, seconds
        )

    def rule(self, run: str, attempt: str = "*", **rule: Any) -> None:
        """Send the simulator what happens to a run's jobs; the newest rule that matches wins."""
        self.simulate([{"name": f"{run}-relay-{attempt}", **rule}])

    def simulate(self, rules: list[dict[str, Any]] | dict[str, Any]) -> None:
        """Send the simulator rules of any kind."""
        answer = httpx.post(f"{self.stack.simulator_url}/_simulator/rules", json=rules, **_HERE)
        assert answer.is_success, answer.text

    def upload(self, key: str, body: bytes | dict[str, Any]) -> None:
        """Put a spec where it is seen."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=data)

    def read(self, key: str) -> dict[str, Any] | None:
        """Read a JSON document from the bucket of specs, or None while there is none."""
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=key)
        except self.s3.exceptions.NoSuchKey:
            return None
        document: dict[str, Any] = json.loads(answer["Body"].read())
        return document

    def status(self, run: str) -> dict[str, Any] | None:
        """Read a run's status document."""
        return self.read(f"status/{run}.json")

    def ends(self, run: str, seconds: float = 100) -> dict[str, Any]:
        """Wait until a run has ended, and give its status document."""
        return self.comes_to(run, "Completed", "Failed", "Stopped", seconds=seconds)

    def comes_to(self, run: str, *statuses: str, seconds: float = 100) -> dict[str, Any]:
        """Wait until a run's status document shows one of the statuses, and give it."""

        def look() -> dict[str, Any] | None:
            document = self.status(run)
            return document if document and document["status"] in statuses else None

        return eventually(f"{run} becoming {' or '.join(statuses)}", look, seconds)

    def jobs(self, run: str) -> list[str]:
        """Name the training jobs of a run that SageMaker knows, oldest first."""
        pages = self.stack.client("sagemaker").get_paginator("list_training_jobs")
        found = pages.paginate(NameContains=f"{run}-relay-", SortBy="CreationTime", SortOrder="Ascending")
        return [job["TrainingJobName"] for page in found for job in page["TrainingJobSummaries"]]

    def log(self, **query: str) -> list[dict[str, Any]]:
        """Return the simulator's own record of what happened, in order."""
        answer = httpx.get(f"{self.stack.simulator_url}/_simulator/log", params=query, timeout=give_time(30), **_HERE)
        entries: list[dict[str, Any]] = answer.json()["entries"]
        return entries

    def most_live_at_once(self, pattern: str) -> int:
        """Count, from the transitions, how many jobs of a pattern were alive at the same moment, at most."""
        live: set[str] = set()
        most = 0
        for entry in self.log(job=pattern, kind="transition"):
            (live.add if entry["live"] else live.discard)(entry["job_name"])
            most = max(most, len(live))
        return most

    def messages(self, queue: str) -> list[str]:
        """Receive and delete what waits in the queue that an output names."""
        sqs, url = self.stack.client("sqs"), self.stack.outputs[queue]
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [message["Body"] for message in found]

    def metrics(self) -> dict[str, float]:
        """Add up the metrics that the functions have logged."""
        totals: dict[str, float] = {}
        for function in ("submit", "api", "observe"):
            for line in self.stack.logs(function):
                for name, value in _values(line):
                    totals[name] = totals.get(name, 0) + value
        return totals


def _values(line: str) -> list[tuple[str, float]]:
    if '"_aws"' not in line:
        return []
    entry = json.loads(line[line.index("{") :])
    names = [metric["Name"] for block in entry["_aws"]["CloudWatchMetrics"] for metric in block["Metrics"]]
    return [(name, value) for name in names for value in entry[name]]
