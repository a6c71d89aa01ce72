"""What runs use of AWS, counted from their upload to their end; the table of costs is made of these figures."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from bench.cost import counts
from bench.cost.counts import Counts
from bench.load.units import measure_item
from simulator.api.wire import state_change
from simulator.life.job import Transitioned
from spot_relay.domain.run.run import Run, RunStatus
from tests.integration.metering import Usage
from tests.integration.stack import TABLE, document, messages, spec
from tests.monitoring import of_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.api.wire import Record
    from simulator.life.job import Secondary
    from simulator.world.scenario import Rule
    from tests.integration.stack import Stack

HOUR = 3600
# Lambda's own lines for an invocation: START, END and REPORT.
LAMBDA_LINES = 300
# Within this share, the figures are still those of the table.
TOLERANCE = 0.1


@dataclass
class Events:
    """Takes the place of EventBridge: keeps the events that have not been delivered yet."""

    waiting: list[str] = field(default_factory=list)

    def held_phases(self, request: Mapping[str, Any], rule: Rule, *, real: bool) -> frozenset[Secondary]:  # noqa: ARG002 (the protocol)
        """Hold no job back."""
        return frozenset()

    def observe(self, record: Record, happening: Any) -> None:
        """Keep the event of a state change."""
        if isinstance(happening, Transitioned):
            self.waiting.append(json.dumps(state_change(record, happening.at)))


@dataclass
class Story:
    """A run from its upload to its end, each of its messages delivered by itself, as on a quiet day."""

    stack: Stack
    capsys: pytest.CaptureFixture[str]
    usage: Usage = field(default_factory=Usage)
    run: Run = field(init=False)
    events: Events = field(default_factory=Events)
    invocations: int = 0
    log_bytes: int = 0

    def play(self, hours: float, *rules: dict[str, Any], max_wait: float) -> Counts:
        """Play the story of a run, and count."""
        self.stack.aws.simulator.play(rules=list(rules))
        self.stack.aws.simulator._sagemaker.jobs.add_observers(self.events)
        self.stack.checkpoint()
        stopping = {"MaxRuntimeInSeconds": int(hours * HOUR), "MaxWaitTimeInSeconds": int(max_wait * HOUR)}
        self._invoke("submit", self.stack.upload(json.dumps(spec(StoppingCondition=stopping))))
        minutes = count(1)
        while not self._is_settled():
            self.stack.clock.passes(60)
            if next(minutes) % 60 == 0:
                self.stack.checkpoint()
            self.stack.aws.simulator._sagemaker.jobs.catch_up()
            self._deliver()
        assert self.run.status is RunStatus.COMPLETED
        return self._count()

    def _deliver(self) -> None:
        """Deliver the events of the last minute, and what the tick would send."""
        while self.events.waiting:
            self._invoke("observe", messages(self.events.waiting.pop(0)))
        due = self.run.check_at
        if due is not None and due <= self.stack.clock():
            self._invoke("observe", document("observe/run-due"))

    def _is_settled(self) -> bool:
        return self.run.check_at is None and not self.events.waiting

    def _invoke(self, function: str, event: dict[str, Any]) -> None:
        self.capsys.readouterr()
        with self.usage.metering(self.stack):
            assert self.stack.invoke(function, event) == {"batchItemFailures": []}
        self.invocations += 1
        # Nothing else changes the run, so that it need not be read each minute.
        self.run = self.stack.run()
        self.log_bytes += len(self.capsys.readouterr().out.encode()) + LAMBDA_LINES

    def _count(self) -> Counts:
        calls = Counter(self.usage.calls)
        puts = calls["s3.PutObject"] + 1  # the upload itself
        item = self.stack.client("dynamodb").get_item(TableName=TABLE, Key={"id": {"S": "churn"}})["Item"]
        return Counts(
            invocations=self.invocations,
            calls=sum(calls.values()),
            read_units=self.usage.read_units,
            write_units=self.usage.write_units,
            # Each message is sent, received and deleted by itself; a busy stack needs fewer requests.
            sqs_requests=3 * self.invocations + calls["sqs.SendMessage"],
            # The bucket announces every object.
            events=puts + self.usage.events,
            s3_writes=puts + calls["s3.ListObjectsV2"],
            s3_reads=calls["s3.GetObject"],
            log_bytes=self.log_bytes,
            table_bytes=measure_item(item),
            bucket_bytes=len(json.dumps(self.stack.status())),
        )


def close_to(known: Counts) -> Any:
    return pytest.approx(asdict(known), rel=TOLERANCE)


def test_a_run_of_an_hour_uses_what_the_table_of_costs_says(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    quiet = {"name": "churn-relay-*", "capacity": {"after": 120}, "train_seconds": HOUR - 60}
    found = Story(stack, capsys).play(1, quiet, max_wait=2)
    assert asdict(found) == close_to(counts.HOUR)
    assert len(stack.run().attempts) == 1


def test_a_run_of_eight_hours_uses_what_the_table_of_costs_says(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = {"after_training_seconds": 4 * HOUR, "capacity_returns_after": None}
    first = {"name": "churn-relay-01", "capacity": {"after": 120, "interruptions": [lost]}, "train_seconds": 8 * HOUR}
    second = {"name": "churn-relay-02", "capacity": {"after": 120}, "train_seconds": 4 * HOUR}
    found = Story(stack, capsys).play(5.9, first, second, max_wait=6)
    assert asdict(found) == close_to(counts.EIGHT_HOURS)
    assert len(stack.run().attempts) == 2


def test_a_tick_that_finds_nothing_uses_what_the_table_of_costs_says(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = Usage()
    capsys.readouterr()
    with usage.metering(stack):
        assert stack.invoke("tick", document("tick/every-minute")) == {"queued": 0}
    log_bytes = len(capsys.readouterr().out.encode()) + LAMBDA_LINES
    found = Counts(1, len(usage.calls), usage.read_units, usage.write_units, log_bytes=log_bytes, scheduled=1)
    assert asdict(found) == close_to(counts.TICK)


def test_the_alarms_and_the_dashboard_of_a_stack_with_the_default_parameters_are_counted() -> None:
    assert len(of_type("AWS::CloudWatch::Alarm")) == counts.ALARMS
    assert len(of_type("AWS::CloudWatch::CompositeAlarm")) == counts.COMPOSITE_ALARMS
    assert len(of_type("AWS::CloudWatch::Dashboard")) == counts.DASHBOARDS
