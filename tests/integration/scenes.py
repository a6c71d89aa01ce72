"""Scenes for the crash tests: what comes before an invocation, what it has to bring about, and how it is killed."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import pytest

from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.launch import launch_of_attempt
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import ENDED_STATUSES
from spot_relay.domain.shown.report import status_document
from tests.fakes import REGION
from tests.integration.fake_aws import SERVICES
from tests.integration.runs import a_run
from tests.integration.stack import SPEC, TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from spot_relay.domain.run.run import Run
    from tests.integration.stack import Stack

# Six times a function's timeout: how long SQS keeps a message from others once a function has it.
VISIBILITY_TIMEOUT = 360
How = Literal["redelivery", "tick"]


class KilledError(BaseException):
    """The function's process is gone."""


class Reaper:
    """Notes every call that goes to AWS, and kills at one: before it is sent, or once it was carried out."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.calls: list[str] = []
        self._kill_at = 0
        self._after = False

    @contextmanager
    def watching(self, kill_at: int = 0, *, after: bool = False) -> Iterator[None]:
        """Watch the functions' clients; kill at a call (from 1), or at none."""
        self.calls, self._kill_at, self._after = [], kill_at, after
        events = [self.stack.client(service).meta.events for service in SERVICES]
        for one in events:
            one.register_first("before-send", self._sent)
            one.register("response-received", self._answered)
        try:
            yield
        finally:
            for one in events:
                one.unregister("before-send", self._sent)
                one.unregister("response-received", self._answered)

    def _sent(self, event_name: str, **_: Any) -> None:
        self.calls.append(event_name.partition(".")[2])
        if len(self.calls) == self._kill_at and not self._after:
            raise KilledError

    def _answered(self, **_: Any) -> None:
        if len(self.calls) == self._kill_at:
            raise KilledError


@dataclass(frozen=True)
class Scene:
    """A function's invocation: what comes before it, the calls it makes to AWS, what it has to bring about.

    ``jobs`` are all that were created in the end, ``live`` those of them that have not ended, and ``slots`` those that
    hold a slot of the stack. ``metrics`` are put by the invocation itself. ``saved_by`` is the call with which the
    table knows of what was asked: until then only who asked can ask again. ``goes_on`` says that more steps have to
    follow, which the tick takes.

    ``varies`` names the fields that rightly depend on how late the thing is done, and ``passing`` how the
    reasons of steps begin that are taken or not, by what is looked at first.
    """

    function: str
    prepare: Callable[[Stack], dict[str, Any]]
    calls: tuple[str, ...]
    jobs: tuple[str, ...]
    live: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    metrics: frozenset[str] = frozenset()
    saved_by: int = 0
    goes_on: bool = False
    varies: frozenset[str] = frozenset()
    passing: frozenset[str] = frozenset()
    runs: tuple[str, ...] = ("churn",)


@dataclass(frozen=True)
class End:
    """How a scene has ended: what is kept of its runs, and how often each metric was put."""

    runs: dict[str, Any]
    metrics: Counter[str]


READS = frozenset(
    {
        "dynamodb.GetItem",
        "dynamodb.Query",
        "s3.GetObject",
        "s3.ListObjectsV2",
        "sagemaker.DescribeTrainingJob",
        "sagemaker.ListTags",
    }
)
ENDED = frozenset({"TrainingSeconds", "BillableSeconds", "CapacityWaitSeconds"})
# How every step ends that changed a run: its status document, then the save that says that nothing is owed any more.
SETTLED = ("s3.PutObject", "dynamodb.PutItem")
# What others are told of a decision is sent once it is saved; and what they are told of the launch, once that is.
TOLD_AND_SETTLED = ("eventbridge.PutEvents", *SETTLED)
LAUNCHED = (*TOLD_AND_SETTLED, "eventbridge.PutEvents", "dynamodb.PutItem")


def stored(stack: Stack, rule: dict[str, Any], **changes: Any) -> Run:
    """Bring about what a submission leaves: the run in the table, its first job in SageMaker; with changes to both."""
    stack.aws.simulator.play(rules=[{"name": "churn-relay-01", **rule}, {"name": "*", "train_seconds": 90_000}])
    attempt_changes = changes.pop("attempt", {})
    run = a_run("churn", stack.clock(), training_job=SPEC["training_job"], **changes)
    attempt = replace(run.current, status=AttemptStatus.IN_PROGRESS, launched_at=stack.clock(), **attempt_changes)
    run = replace(run, status=RunStatus.IN_PROGRESS).with_attempt(attempt)
    stack.client("sagemaker").create_training_job(**launch_of_attempt(run, attempt).request)
    return DynamoDBRunStore(stack.client("dynamodb"), TABLE).create(run)


def kills(scenes: dict[str, Scene], *, tick: bool, twice: Iterable[str] = ()) -> list[Any]:
    """Return the kills of every scene; if only the tick can recover, only those whose run is in the table.

    To die before a call, after the one before it, or before that if it only reads: all leave the same world. The
    scenes of ``twice`` have each of these deaths; elsewhere one stands for all that are equal.
    """
    return [
        pytest.param(name, call, after, id=f"{name}-{'after' if after else 'before'}-{call}-{scene.calls[call - 1]}")
        for name, scene in scenes.items()
        for call in range(1, len(scene.calls) + 1)
        for after in (False, True)
        if name in twice or _differs(scene, call, after=after)
        if not tick or call + after > scene.saved_by
    ]


def _differs(scene: Scene, call: int, *, after: bool) -> bool:
    """Whether a kill leaves a state that no earlier one has left."""
    return call == len(scene.calls) if after else call == 1 or scene.calls[call - 2] not in READS


def essence(run: Run, scene: Scene) -> Any:
    """Return everything about a run, but instead of times only whether they are set, and only the reasons of decisions.

    On what observation a decision was taken, and how often it came, depends on who looked, and when.
    """

    def timeless(value: Any) -> Any:
        match value:
            case dict():
                return {key: timeless(item) for key, item in value.items() if key not in scene.varies}
            case list() | tuple():
                return [timeless(item) for item in value]
            case datetime():
                return "a moment"
            case _:
                return value

    passing = tuple(scene.passing)
    reasons = [decision.reason for decision in run.decisions if not decision.reason.startswith(passing)]
    # What was told on the way depends on the way, too.
    return timeless(asdict(replace(run, version=0, news=0, submission_id="")) | {"decisions": reasons})


def metrics(capsys: pytest.CaptureFixture[str]) -> Counter[str]:
    """Count how often each metric was put since the last look, but for that of events that came late, or twice."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    printed = [line["_aws"]["CloudWatchMetrics"][0]["Metrics"] for line in lines if "_aws" in line]
    names = (metric["Name"] for line in printed for metric in line)
    return Counter(name for name in names if name != "LateOrDuplicateEvents")


def again(stack: Stack, scene: Scene, event: dict[str, Any]) -> None:
    """Deliver an event once more, as the queue does, or the user whose request had no answer."""
    stack.clock.passes(VISIBILITY_TIMEOUT)
    answer = stack.invoke(scene.function, event)
    assert answer.get("statusCode", 202) == 202
    assert answer.get("batchItemFailures", []) == []
    stack.deliver()


def ticks(stack: Stack) -> None:
    """Let ten minutes pass in which nothing but the tick comes."""
    for _ in range(4):
        stack.clock.passes(150)
        stack.tick()


def follow(stack: Stack, scene: Scene, event: dict[str, Any], how: How) -> None:
    """Let come what comes after an invocation, whether it was killed or not."""
    if how == "redelivery":
        again(stack, scene, event)
    if how == "tick" or scene.goes_on:
        ticks(stack)
    if any(stack.run(run_id).has_ended for run_id in scene.runs):
        # The document of a run that has ended is written once more.
        stack.clock.passes(150)
        stack.tick()


def ended(stack: Stack, scene: Scene, capsys: pytest.CaptureFixture[str]) -> End:
    """Return how a scene has ended."""
    return End({run_id: essence(stack.run(run_id), scene) for run_id in scene.runs}, metrics(capsys))


def undisturbed(stack: Stack, scene: Scene, how: How, capsys: pytest.CaptureFixture[str]) -> End:
    """Return how a scene ends when nothing is killed, and clean up after it."""
    event = scene.prepare(stack)
    metrics(capsys)
    stack.invoke(scene.function, event)
    follow(stack, scene, event, how)
    end = ended(stack, scene, capsys)
    stack.begin()
    return end


def killed(stack: Stack, scene: Scene, how: How, capsys: pytest.CaptureFixture[str], call: int, *, after: bool) -> End:
    """Return how a scene ends when its function is killed at a call."""
    event = scene.prepare(stack)
    metrics(capsys)
    with Reaper(stack).watching(call, after=after), pytest.raises(KilledError):
        stack.invoke(scene.function, event)
    follow(stack, scene, event, how)
    return ended(stack, scene, capsys)


def check(stack: Stack, scene: Scene, end: End, expected: End, *, after: bool) -> None:
    """All is as if nothing had been killed, and at no moment had a run two live attempts.

    Each metric is put once; only a death between a save and the sight of its answer may leave some out.
    """
    for run_id in scene.runs:
        assert end.runs[run_id] == expected.runs[run_id]
    assert end.metrics <= expected.metrics if after else end.metrics == expected.metrics
    for run_id in scene.runs:
        run = stack.run(run_id)
        assert run.outbox == Outbox()
        assert stack.status(run_id) == json.loads(json.dumps(status_document(run, REGION)))
        assert stack.aws.simulator.most_live(f"{run_id}-relay-*") == 1
        assert stack.aws.simulator.most_live(f"{run_id}-canary-*") <= 1
    assert stack.aws.simulator.created() == list(scene.jobs)
    assert {name for name, _ in stack.aws.simulator.calls("CreateTrainingJob")} == set(scene.jobs)
    assert stack.slots("ml.m5.xlarge") == set(scene.slots)
    stack.clock.passes(1)
    described = [stack.client("sagemaker").describe_training_job(TrainingJobName=name) for name in scene.jobs]
    live = [job["TrainingJobName"] for job in described if job["TrainingJobStatus"] not in ENDED_STATUSES]
    assert live == list(scene.live)
