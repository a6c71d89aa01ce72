"""Measure the floor: events that take the same path (EventBridge, SQS, Lambda) to a function that does almost nothing.

Machines are noisy, and an emulator is not AWS. So Spot Relay's figures are shown relative to two functions measured in
the same run: one that does nothing, and one that only reads and writes an item as large as a run's.
"""

from __future__ import annotations

import io
import json
import time
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.load.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.load.driver import Driver
    from bench.load.notes import Invocation, Notes

SOURCE: Final = "bench.floor"
# There are many items, so that two workers rarely use the same one.
ITEMS: Final = 500
_HANDLER: Final = Path(__file__).with_name("floor_app.py")
_TRUST: Final = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
_ALL: Final = {"Effect": "Allow", "Action": "*", "Resource": "*"}
_PUT_AT_ONCE: Final = 10


@dataclass(frozen=True, slots=True)
class Floor:
    """A function with its own queue."""

    name: str
    client: Callable[[str], Any]
    notes: Callable[[], Notes]

    def list_invocations(self) -> tuple[Invocation, ...]:
        """Return its invocations so far."""
        return self.notes().of(self.name).invocations

    def send(self, count: int, detail: Mapping[str, Any]) -> None:
        """Send events as fast as EventBridge accepts them."""
        events = self.client("events")
        for first in range(0, count, _PUT_AT_ONCE):
            numbers = range(first, min(first + _PUT_AT_ONCE, count))
            details = (json.dumps({**detail, "item": f"floor-{number % ITEMS}"}) for number in numbers)
            entries = [{"Source": SOURCE, "DetailType": self.name, "Detail": detail} for detail in details]
            answer = events.put_events(Entries=entries)
            if answer["FailedEntryCount"]:
                raise RuntimeError(f"MiniStack did not take the floor's events: {answer}")

    def send_burst(self, count: int, detail: Mapping[str, Any]) -> float:
        """Send ``count`` events at once, and return how many were handled per second."""
        before, began = self._messages(), time.time()
        self.send(count, detail)
        wait_for(f"{count} events at {self.name}", partial(self._handled_at_least, before + count))
        return count / (max(one.ended for one in self.list_invocations()) - began)

    def send_calmly(self, count: int, detail: Mapping[str, Any]) -> tuple[float, ...]:
        """Send events in small groups, each after the previous one, and return the seconds that each event took."""
        first, before = len(self.list_invocations()), self._messages()
        for sent in range(0, count, _PUT_AT_ONCE):
            self.send(_PUT_AT_ONCE, detail)
            wanted = before + sent + _PUT_AT_ONCE
            wait_for(f"events at {self.name}", partial(self._handled_at_least, wanted), every=0.05)
        return tuple(seconds for one in self.list_invocations()[first:] for seconds in read_durations(one))

    def _handled_at_least(self, number: int) -> bool | None:
        return self._messages() >= number or None

    def _messages(self) -> int:
        return sum(len(one.messages) for one in self.list_invocations())


def read_durations(one: Invocation) -> tuple[float, ...]:
    """Return the seconds from sending each message of an invocation to the end of its handling."""
    done = (json.loads(line)["done"] for line in one.log.splitlines() if line.startswith('{"done"'))
    return tuple(at - message.sent for message, at in zip(one.messages, done, strict=True))


def deploy(driver: Driver, name: str, variables: Mapping[str, str]) -> Floor:
    """Create a function with a queue and a rule, configured like `observe` except for the code."""
    sqs, events, lambdas = (driver.client(service) for service in ("sqs", "events", "lambda"))
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "360"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [SOURCE], "detail-type": [name]}))
    events.put_targets(Rule=name, Targets=[{"Id": "floor", "Arn": arn}])
    observe = lambdas.get_function_configuration(FunctionName=driver.stack.outputs["ObserveFunction"])
    lambdas.create_function(
        FunctionName=name,
        Role=_create_role(driver.client("iam"), name),
        Code={"ZipFile": _build_archive()},
        Environment={"Variables": dict(variables)},
        Layers=[layer["Arn"] for layer in observe["Layers"]],
        Handler=f"{_HANDLER.stem}.handler",
        **{key: observe[key] for key in ("Runtime", "MemorySize", "Timeout")},
    )
    lambdas.create_event_source_mapping(
        EventSourceArn=arn,
        FunctionName=name,
        BatchSize=5,
        ScalingConfig={"MaximumConcurrency": 2},
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    return Floor(name, driver.client, driver.notes)


def _create_role(iam: Any, name: str) -> str:
    trust = json.dumps({"Version": "2012-10-17", "Statement": [_TRUST]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=name, PolicyName=name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [_ALL]})
    )
    return str(role)


def _build_archive() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(_HANDLER.name, _HANDLER.read_bytes())
    return packed.getvalue()
