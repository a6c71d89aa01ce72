"""A function may die at any of its AWS calls, or after any: nothing is lost, and no job is created twice."""

from __future__ import annotations

import json
import re
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.domain.launch import launch_request
from spot_relay.domain.outbox import Outbox
from spot_relay.domain.report import status_document
from spot_relay.domain.run import AttemptStatus, RunStatus
from tests.integration.runs import a_run
from tests.integration.servers import SERVICES
from tests.integration.stack import SPEC, TABLE, Stack, document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from spot_relay.domain.run import Run

# Six times a function's timeout: how long SQS keeps a message from others once a function has it.
VISIBILITY_TIMEOUT = 360
MOMENT = re.compile(r"_at$|^last_modified$")
INTERRUPTED = {"interruptions": [{"after_training_seconds": 886, "capacity_returns_after": None}]}


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


def launched(stack: Stack, rule: dict[str, Any]) -> Run:
    """Bring about what a submission leaves: the run in the table, its first job in SageMaker."""
    stack.aws.simulator.play(rules=[{"name": "churn-relay-01", **rule}, {"name": "*", "train_seconds": 90_000}])
    run = a_run("churn", stack.clock(), training_job=SPEC["training_job"])
    attempt = replace(run.current, status=AttemptStatus.IN_PROGRESS, launched_at=stack.clock())
    run = replace(run, status=RunStatus.IN_PROGRESS).with_attempt(attempt)
    stack.client("sagemaker").create_training_job(**launch_request(run, attempt))
    return DynamoDBRunStore(stack.client("dynamodb"), TABLE).create(run)


def a_wait_that_expired(stack: Stack) -> dict[str, Any]:
    launched(stack, {"train_seconds": 90_000, "capacity": INTERRUPTED})
    stack.checkpoint()
    stack.clock.passes(7205)
    return document("observe/max-wait-expired")


def a_completed_job(stack: Stack) -> dict[str, Any]:
    launched(stack, {})
    stack.clock.passes(60)
    return document("observe/completed")


def an_upload(stack: Stack) -> dict[str, Any]:
    stack.aws.simulator.play(default={"train_seconds": 90_000})
    return stack.upload(json.dumps(SPEC))


def a_request_to_stop(stack: Stack) -> dict[str, Any]:
    launched(stack, {"train_seconds": 90_000})
    stack.clock.passes(60)
    return document("api/stop-run")


@dataclass(frozen=True)
class Scene:
    """A function's invocation: what comes before it, the calls it makes to AWS, what it has to bring about.

    ``saved_by`` is the call with which the table knows of what was asked: until then only who asked can ask again.
    ``varies`` names what rightly depends on how late the thing is done.
    """

    function: str
    prepare: Callable[[Stack], dict[str, Any]]
    calls: tuple[str, ...]
    jobs: tuple[str, ...]
    metrics: frozenset[str] = frozenset()
    saved_by: int = 0
    varies: frozenset[str] = frozenset()


ENDED = {"TrainingSeconds", "BillableSeconds", "CapacityWaitSeconds"}
SETTLED = ("s3.PutObject", "dynamodb.PutItem")
SCENES = {
    "relaunch": Scene(
        "observe",
        a_wait_that_expired,
        (
            "dynamodb.GetItem",
            "sagemaker.DescribeTrainingJob",
            "s3.ListObjectsV2",
            "dynamodb.PutItem",
            "sagemaker.CreateTrainingJob",
            "dynamodb.PutItem",
            *SETTLED,
        ),
        ("churn-relay-01", "churn-relay-02"),
        frozenset(
            ENDED
            | {"WaitsExpired", "Interruptions", "AttemptsLaunched"}
            | {"RelaunchesAfterMaxWaitTimeExceeded", "EventToRelaunchSeconds"}
        ),
    ),
    "completion": Scene(
        "observe",
        a_completed_job,
        (
            "dynamodb.GetItem",
            "sagemaker.DescribeTrainingJob",
            "dynamodb.PutItem",
            "s3.PutObject",
            "eventbridge.PutEvents",
            "dynamodb.PutItem",
        ),
        ("churn-relay-01",),
        frozenset(ENDED | {"RunsCompleted", "SavingsPercent"}),
    ),
    "submission": Scene(
        "submit",
        an_upload,
        (
            "s3.GetObject",
            "dynamodb.TransactWriteItems",
            "sagemaker.CreateTrainingJob",
            "dynamodb.PutItem",
            *SETTLED,
            "s3.DeleteObject",
        ),
        ("churn-relay-01",),
        frozenset({"AttemptsLaunched"}),
        saved_by=2,
    ),
    "stop": Scene(
        "api",
        a_request_to_stop,
        ("dynamodb.GetItem", "dynamodb.PutItem", "sagemaker.StopTrainingJob", *SETTLED),
        ("churn-relay-01",),
        saved_by=2,
        varies=frozenset({"training_seconds", "billable_seconds"}),
    ),
}


def kills(*, tick: bool) -> list[Any]:
    """Give the kills of every scene; of those that are left to the tick, those whose run the table knows.

    To die before a call and to die after the one before it leave the same world. Both are done where a second
    job could come of it; elsewhere each death but the last is one before a call.
    """
    return [
        pytest.param(name, call, after, id=f"{name}-{'after' if after else 'before'}-{call}-{scene.calls[call - 1]}")
        for name, scene in SCENES.items()
        for call in range(1, len(scene.calls) + 1)
        for after in (False, True)
        if name == "relaunch" or not after or call == len(scene.calls)
        if not tick or call + after > scene.saved_by
    ]


def essence(run: Run, without: frozenset[str]) -> Any:
    """Give everything of a run but moments, and what differs from try to try by its nature."""

    def timeless(value: Any) -> Any:
        match value:
            case dict():
                kept = {key: item for key, item in value.items() if key not in without and not MOMENT.search(key)}
                return {key: timeless(item) for key, item in kept.items()}
            case list() | tuple():
                return [timeless(item) for item in value]
            case _:
                return value

    return timeless(asdict(replace(run, version=0, submission_id="")))


def metrics(capsys: pytest.CaptureFixture[str]) -> Counter[str]:
    """Count how often each metric was printed since the last look."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    printed = [line["_aws"]["CloudWatchMetrics"][0]["Metrics"] for line in lines if "_aws" in line]
    return Counter(metric["Name"] for line in printed for metric in line)


def check_metrics(printed: Counter[str], scene: Scene, *, after: bool) -> None:
    """Each metric is put once; only a death between a save and the sight of its answer may leave one out."""
    once = Counter(scene.metrics)
    assert all(printed[name] <= 1 for name in once)
    assert after or printed >= once


def again(stack: Stack, scene: Scene, event: dict[str, Any]) -> None:
    """Deliver an event once more, as the queue does, or the user whose request had no answer."""
    stack.clock.passes(VISIBILITY_TIMEOUT)
    answer = stack.invoke(scene.function, event)
    assert answer.get("statusCode", 202) == 202
    assert answer.get("batchItemFailures", []) == []


def ticks(stack: Stack) -> None:
    """Let ten minutes pass in which nothing but the tick comes."""
    for _ in range(4):
        stack.clock.passes(150)
        stack.tick()


def followed(stack: Stack, scene: Scene, event: dict[str, Any], how: str) -> Run:
    if how == "redelivery":
        again(stack, scene, event)
    else:
        ticks(stack)
    return stack.run()


@pytest.fixture(scope="module")
def ends() -> dict[tuple[str, str], Any]:
    """How scenes end when nothing is killed, once they were played."""
    return {}


@pytest.fixture
def undisturbed(stack: Stack, ends: dict[tuple[str, str], Any]) -> Callable[[str, str], Any]:
    """Tell how a scene ends when nothing is killed."""

    def end(name: str, how: str) -> Any:
        if (name, how) not in ends:
            scene = SCENES[name]
            event = scene.prepare(stack)
            stack.invoke(scene.function, event)
            ends[name, how] = essence(followed(stack, scene, event, how), scene.varies)
            stack.begin()
        return ends[name, how]

    return end


def check(stack: Stack, scene: Scene, expected: Any) -> None:
    run = stack.run()
    assert essence(run, scene.varies) == expected
    assert run.outbox == Outbox()
    assert stack.status() == json.loads(json.dumps(status_document(run)))
    assert stack.aws.simulator.created() == list(scene.jobs)
    assert {name for name, _ in stack.aws.simulator.calls("CreateTrainingJob")} == set(scene.jobs)


@pytest.mark.parametrize("name", SCENES)
def test_an_undisturbed_function_makes_these_calls_in_this_order(
    stack: Stack, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    scene, reaper = SCENES[name], Reaper(stack)
    event = scene.prepare(stack)
    with reaper.watching():
        stack.invoke(scene.function, event)
    assert tuple(reaper.calls) == scene.calls
    assert metrics(capsys) == Counter(scene.metrics)


def test_an_event_that_ends_nothing_costs_four_calls_and_a_late_one_costs_one(stack: Stack) -> None:
    launched(stack, {"train_seconds": 90_000})
    stack.clock.passes(60)
    reaper = Reaper(stack)
    with reaper.watching():
        stack.observe("training-started")
    assert reaper.calls == ["dynamodb.GetItem", "dynamodb.PutItem", *SETTLED]
    with reaper.watching():
        stack.observe("training-started")
    assert reaper.calls == ["dynamodb.GetItem"]


@pytest.mark.parametrize(("name", "call", "after"), kills(tick=False))
def test_what_was_killed_is_made_good_when_the_message_or_the_request_comes_again(
    stack: Stack,
    undisturbed: Callable[[str, str], Any],
    capsys: pytest.CaptureFixture[str],
    name: str,
    call: int,
    after: bool,
) -> None:
    expected, scene = undisturbed(name, "redelivery"), SCENES[name]
    event = scene.prepare(stack)
    metrics(capsys)
    with Reaper(stack).watching(call, after=after), pytest.raises(KilledError):
        stack.invoke(scene.function, event)
    again(stack, scene, event)
    check(stack, scene, expected)
    check_metrics(metrics(capsys), scene, after=after)


@pytest.mark.parametrize(("name", "call", "after"), kills(tick=True))
def test_what_was_killed_is_made_good_by_the_tick_alone(
    stack: Stack,
    undisturbed: Callable[[str, str], Any],
    capsys: pytest.CaptureFixture[str],
    name: str,
    call: int,
    after: bool,
) -> None:
    expected, scene = undisturbed(name, "tick"), SCENES[name]
    event = scene.prepare(stack)
    metrics(capsys)
    with Reaper(stack).watching(call, after=after), pytest.raises(KilledError):
        stack.invoke(scene.function, event)
    ticks(stack)
    check(stack, scene, expected)
    check_metrics(metrics(capsys), scene, after=after)
