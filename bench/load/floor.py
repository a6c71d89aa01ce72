"""The floor: the same way of an event, EventBridge, SQS and Lambda, to a function that does next to nothing.

Machines are noisy, and an emulator is no AWS. What Spot Relay takes is told in relation to what this takes in the same
run: a function that does nothing, and one that only reads and writes one item as large as a run's.
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

from bench.load.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.load.notes import Invocation, Notes
    from bench.load.play import Play

SOURCE: Final = "bench.floor"
# Items are many, so that two workers seldom want the same one.
ITEMS: Final = 500
_HANDLER: Final = Path(__file__).with_name("floor_app.py")
_TRUST: Final = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
_ALL: Final = {"Effect": "Allow", "Action": "*", "Resource": "*"}
_PUT_AT_ONCE: Final = 10


@dataclass(frozen=True, slots=True)
class Floor:
    """A function at the end of its own queue."""

    name: str
    client: Callable[[str], Any]
    notes: Callable[[], Notes]

    def handled(self) -> tuple[Invocation, ...]:
        """Give its invocations so far."""
        return self.notes().of(self.name).invocations

    def send(self, count: int, detail: Mapping[str, Any]) -> None:
        """Put events as fast as EventBridge takes them."""
        events = self.client("events")
        for first in range(0, count, _PUT_AT_ONCE):
            numbers = range(first, min(first + _PUT_AT_ONCE, count))
            details = (json.dumps({**detail, "item": f"floor-{number % ITEMS}"}) for number in numbers)
            entries = [{"Source": SOURCE, "DetailType": self.name, "Detail": detail} for detail in details]
            answer = events.put_events(Entries=entries)
            if answer["FailedEntryCount"]:
                raise RuntimeError(f"MiniStack did not take the floor's events: {answer}")

    def burst(self, count: int, detail: Mapping[str, Any]) -> float:
        """Send that many events at once, and give how many of them were handled a second."""
        before, began = self._messages(), time.time()
        self.send(count, detail)
        eventually(f"{count} events at {self.name}", partial(self._handled_at_least, before + count))
        return count / (max(one.ended for one in self.handled()) - began)

    def calm(self, count: int, detail: Mapping[str, Any]) -> tuple[float, ...]:
        """Send a few events, and a few more when these are done; give the seconds from each one's put to its end."""
        first, before = len(self.handled()), self._messages()
        for sent in range(0, count, _PUT_AT_ONCE):
            self.send(_PUT_AT_ONCE, detail)
            wanted = before + sent + _PUT_AT_ONCE
            eventually(f"events at {self.name}", partial(self._handled_at_least, wanted), every=0.05)
        return tuple(seconds for one in self.handled()[first:] for seconds in durations(one))

    def _handled_at_least(self, number: int) -> bool | None:
        return self._messages() >= number or None

    def _messages(self) -> int:
        return sum(len(one.messages) for one in self.handled())


def durations(one: Invocation) -> tuple[float, ...]:
    """Give the seconds from the put of each message of an invocation to its end."""
    done = (json.loads(line)["done"] for line in one.log.splitlines() if line.startswith('{"done"'))
    return tuple(at - message.sent for message, at in zip(one.messages, done, strict=True))


def deploy(play: Play, name: str, variables: Mapping[str, str]) -> Floor:
    """Create a function of the floor, its queue and its rule, alike to `observe` in all but its code."""
    sqs, events, lambdas = (play.client(service) for service in ("sqs", "events", "lambda"))
    url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "360"})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [SOURCE], "detail-type": [name]}))
    events.put_targets(Rule=name, Targets=[{"Id": "floor", "Arn": arn}])
    observe = lambdas.get_function_configuration(FunctionName=play.stack.outputs["ObserveFunction"])
    lambdas.create_function(
        FunctionName=name,
        Role=_role(play.client("iam"), name),
        Code={"ZipFile": _zipped()},
        Environment={"Variables": dict(variables)},
        Layers=[layer["Arn"] for layer in observe["Layers"]],
        **{key: observe[key] for key in ("Runtime", "Handler", "MemorySize", "Timeout")},
    )
    lambdas.create_event_source_mapping(
        EventSourceArn=arn,
        FunctionName=name,
        BatchSize=5,
        ScalingConfig={"MaximumConcurrency": 2},
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    return Floor(name, play.client, play.notes)


def _role(iam: Any, name: str) -> str:
    trust = json.dumps({"Version": "2012-10-17", "Statement": [_TRUST]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=name, PolicyName=name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [_ALL]})
    )
    return str(role)


def _zipped() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", _HANDLER.read_bytes())
    return packed.getvalue()
