"""Makes stored documents: runs in many states, as the functions of one checkout leave them in its table.

It runs by itself, with that checkout to import from, on its moto and its simulator (see README.md).
"""

from __future__ import annotations

import copy
import json
import os
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spot_relay import bootstrap
from tests.integration.fake_aws import SERVICES, FakeAWS
from tests.integration.stack import CHECKPOINTS, TABLE, Stack, body_of, document, messages, spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HALF_AN_HOUR = 1800
# The policy of 0.1.0, with no value that is the default; a later release reads it, too.
POLICY: dict[str, Any] = {
    "budgets": {"expired_waits": 3, "capacity_failures": 4, "service_errors": 6, "user_errors": 1},
    "backoff": {"base_seconds": 60, "max_seconds": 600},
    "relaunch_on_max_runtime": True,
}
LADDER: dict[str, Any] = {
    "ladder": [{"instance_type": "ml.m5.xlarge", "attempts": 2}, {"instance_type": "ml.m5.2xlarge"}],
    "budgets": {"money_usd": 20},
}
DEADLINE: dict[str, Any] = {"deadline": "PT3H", "expected_runtime": "PT2H", "changeover": "PT1M"}
QUOTA = {"instance_type": "ml.m5.xlarge", "market": "spot"}
PRICES = {"ml.m5.xlarge": {"on_demand_usd": 0.23, "spot_usd": 0.08}, "ml.m5.2xlarge": {"on_demand_usd": 0.46}}
NEVER = {"capacity": {"after": None}}
INTERRUPTED = {"capacity": {"interruptions": [{"after_training_seconds": 886, "capacity_returns_after": None}]}}


class KilledError(BaseException):
    """The function's process is gone."""


@dataclass
class Making:
    """One run under way, with every call that changed a training job."""

    stack: Stack
    spec: dict[str, Any] = field(default_factory=dict)
    scenario: dict[str, Any] = field(default_factory=dict)
    calls: list[dict[str, Any]] = field(default_factory=list)

    def begins(
        self, *rules: dict[str, Any], quotas: tuple[dict[str, Any], ...] = (), hours: int = 1, **policy: Any
    ) -> None:
        """Submit the run of the story in a world of these rules; what they don't name trains for half an hour."""
        last = {"name": "*", "train_seconds": HALF_AN_HOUR}
        self.scenario = {"rules": [*rules, last], "quotas": list(quotas)}
        self.stack.aws.simulator.play(**self.scenario)
        stopping = {"MaxRuntimeInSeconds": 3600 * hours, "MaxWaitTimeInSeconds": 7200 * hours}
        self.spec = spec(StoppingCondition=stopping) | ({"policy": policy} if policy else {})
        self.stack.checkpoint()
        self.invoke("submit", self.stack.upload(json.dumps(self.spec)))

    def passes(self, seconds: float) -> None:
        """Let time pass as it does in a stack, with a tick each minute."""
        for _ in range(round(seconds / 60)):
            self.stack.clock.passes(60)
            self.stack.tick()

    def hears(self, name: str) -> None:
        """Hand `observe` a document, as if it were sent now."""
        self.invoke("observe", self.event(name))

    def event(self, name: str) -> dict[str, Any]:
        """Return the document of an event that is sent now."""
        event = body_of(f"observe/{name}")
        event["detail"]["LastModifiedTime"] = str(round(self.stack.clock().timestamp() * 1000))
        return messages(json.dumps(event))

    def invoke(self, function: str, event: dict[str, Any]) -> None:
        """Invoke a function, which must take what it is given."""
        answer = self.stack.invoke(function, event)
        assert answer.get("batchItemFailures", []) == [], answer

    def dies(self, function: str, event: dict[str, Any], service: str, operation: str) -> None:
        """Invoke a function that is killed before it can make a call."""

        def die(**_: Any) -> None:
            raise KilledError

        hooks = self.stack.client(service).meta.events
        hooks.register_first(f"before-send.{service}.{operation}", die)
        with suppress(KilledError):
            self.stack.invoke(function, event)
        hooks.unregister(f"before-send.{service}.{operation}", die)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Record each call that changes a training job, once SageMaker has carried it out."""
        events = self.stack.client("sagemaker").meta.events
        asked: list[dict[str, Any]] = []

        def sent(params: dict[str, Any], model: Any, **_: Any) -> None:
            asked[:] = [{"operation": model.name, "params": copy.deepcopy(params)}]

        def answered(http_response: Any, **_: Any) -> None:
            if http_response.status_code == 200:
                self.calls.append({"at": self.stack.clock().isoformat(), **asked[0]})

        hooks = [
            (f"{moment}.sagemaker.{operation}", hook)
            for operation in ("CreateTrainingJob", "StopTrainingJob")
            for moment, hook in (("provide-client-params", sent), ("after-call", answered))
        ]
        for name, hook in hooks:
            events.register(name, hook)
        yield
        for name, hook in hooks:
            events.unregister(name, hook)

    def kept(self) -> dict[str, Any]:
        """Return everything that a test needs to continue from here."""
        items = self.stack.client("dynamodb").scan(TableName=TABLE, ConsistentRead=True)["Items"]
        s3 = self.stack.client("s3")
        listed = s3.list_objects_v2(Bucket=CHECKPOINTS).get("Contents", [])
        return {
            "now": self.stack.clock().isoformat(),
            "spec": self.spec,
            "scenario": self.scenario,
            "calls": self.calls,
            "checkpoints": [found["Key"] for found in listed],
            "items": sorted(items, key=lambda item: item["id"]["S"]),
        }


def training(making: Making) -> None:
    making.begins(**POLICY)
    making.stack.clock.passes(60)
    making.hears("training-started")


def interrupted(making: Making) -> None:
    making.begins({"name": "churn-relay-01", "train_seconds": 9000, **INTERRUPTED})
    making.stack.clock.passes(900)
    making.hears("interrupted")


def relaunched(making: Making) -> None:
    interrupted(making)
    making.stack.clock.passes(6305)
    making.hears("max-wait-expired")


def owing_a_launch(making: Making) -> None:
    interrupted(making)
    making.stack.clock.passes(6305)
    making.dies("observe", making.event("max-wait-expired"), "sagemaker", "CreateTrainingJob")


def backing_off(making: Making) -> None:
    reason = body_of("observe/service-error")["detail"]["FailureReason"]
    making.begins({"name": "churn-relay-01", "fail": {"reason": reason, "after_seconds": 1}}, **POLICY)
    making.stack.clock.passes(100)
    making.hears("service-error")


def without_room(making: Making) -> None:
    held = copy.deepcopy(spec()["training_job"]) | {"TrainingJobName": "holder"}
    making.stack.aws.simulator.play(default={"train_seconds": 1200})
    making.stack.client("sagemaker").create_training_job(**held)
    making.begins(quotas=({**QUOTA, "limit": 1},))
    making.passes(120)


def never_created(making: Making) -> None:
    making.begins(quotas=({**QUOTA, "limit": 0},))


def failed(making: Making) -> None:
    reason = body_of("observe/algorithm-error")["detail"]["FailureReason"]
    making.begins({"name": "churn-relay-01", "fail": {"reason": reason, "after_seconds": 1}})
    making.stack.clock.passes(100)
    making.hears("algorithm-error")


def stopping(making: Making) -> None:
    making.begins()
    making.stack.clock.passes(60)
    making.hears("training-started")
    making.invoke("api", document("api/stop-run"))


def stopped(making: Making) -> None:
    stopping(making)
    making.stack.clock.passes(5)
    making.hears("stopped-by-user")


def completed(making: Making) -> None:
    making.begins()
    making.stack.clock.passes(2000)
    making.hears("completed")


def owing_news_of_its_end(making: Making) -> None:
    making.begins()
    making.stack.clock.passes(2000)
    making.dies("observe", making.event("completed"), "s3", "PutObject")


def down_the_ladder(making: Making) -> None:
    from spot_relay.adapters.prices import DynamoDBPrices
    from spot_relay.domain.run.prices import PriceList, read_prices

    prices = PriceList("a file", making.stack.clock(), read_prices(json.dumps({"prices": PRICES})))
    DynamoDBPrices(making.stack.client("dynamodb"), TABLE, "us-east-1").write(prices)
    making.begins({"name": "churn-relay-0[12]", **NEVER}, **LADDER)
    making.passes(4 * 3600 + 600)


def on_demand_beside_a_canary(making: Making) -> None:
    rules = [{"name": "churn-canary-*", **NEVER}, {"market": "spot", **NEVER}]
    making.begins(*rules, {"train_seconds": 7200, "checkpoints": {"every_seconds": 60}}, hours=3, **DEADLINE)
    making.passes(3600)
    making.stack.checkpoint("xgboost-checkpoint.8")
    making.passes(600)


FIRST: tuple[Callable[[Making], None], ...] = (
    training,
    interrupted,
    relaunched,
    owing_a_launch,
    backing_off,
    without_room,
    never_created,
    failed,
    stopping,
    stopped,
    completed,
    owing_news_of_its_end,
)
WITH_POLICY = (*FIRST, down_the_ladder, on_demand_beside_a_canary)


def main(path: Path) -> None:
    """Make every state that the checkout knows of, and write them to a file."""
    aws = FakeAWS()
    os.environ |= aws.environment()
    for service in SERVICES:
        aws.client(service)
    bootstrap.create_client = aws.client
    made = {}
    has_policy = (Path.cwd() / "docs" / "policy.md").exists()
    for state in WITH_POLICY if has_policy else FIRST:
        stack = Stack(aws)
        os.environ |= stack.environment()
        making = Making(stack)
        with making.listening():
            state(making)
        made[state.__name__] = making.kept()
    path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", "utf-8")
    aws.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
