"""Runs that find no room wait in turn, and the end of a job wakes the oldest: functions, queue and table together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.run import RunStatus
from tests.integration.stack import body_of, messages, spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.stack import Stack

LONG = {"train_seconds": 90_000}


def limited(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> str:
    """Limit the stack to one attempt, and return how the reason of a run that waits for it begins."""
    monkeypatch.setenv("ATTEMPT_LIMITS", "ml.m5.xlarge=1")
    stack.aws.simulator.play(rules=[{"name": "first-*", "train_seconds": 60}], default=LONG)
    return "This stack allows no more concurrent attempts"


def short_of_quota(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> str:
    """Set a quota of one instance, and return how the reason of a run that waits for it begins."""
    quota = {"instance_type": "ml.m5.xlarge", "market": "spot", "limit": 1}
    stack.aws.simulator.play(rules=[{"name": "first-*", "train_seconds": 60}], default=LONG, quotas=[quota])
    return "The quota for ml.m5.xlarge (spot) has no room"


SHORTAGES = pytest.mark.parametrize("shortage", [limited, short_of_quota])


def submit(stack: Stack, name: str) -> None:
    """Submit a run of that name, a second after the one before."""
    stack.clock.passes(1)
    stack.make_queue()
    checkpoints = {"S3Uri": f"s3://churn-000000000000/checkpoints/{name}/"}
    status_code, answer = stack.call("create-run", spec(CheckpointConfig=checkpoints) | {"name": name})
    assert (status_code, answer["run_id"]) == (202, name)


def completed(stack: Stack, name: str) -> None:
    """Let a job complete, and tell `observe`."""
    stack.clock.passes(600)
    event = json.loads(json.dumps(body_of("observe/completed")).replace("churn-relay-01", f"{name}-relay-01"))
    assert stack.invoke("observe", messages(json.dumps(event))) == {"batchItemFailures": []}


def woken(stack: Stack) -> list[str]:
    """Take what is on the observe queue, and name the runs that it wakes."""
    told: list[dict[str, Any]] = [json.loads(body) for body in stack.queued()]
    assert {message["detail-type"] for message in told} <= {"Room Freed"}
    return [message["detail"]["run_id"] for message in told]


def wake(stack: Stack) -> list[str]:
    """Hand `observe` what is on its queue, and name the runs that it wakes."""
    bodies = stack.queued()
    if bodies:
        assert stack.invoke("observe", messages(*bodies)) == {"batchItemFailures": []}
    return [json.loads(body)["detail"]["run_id"] for body in bodies]


@SHORTAGES
def test_the_end_of_a_job_wakes_the_oldest_run_that_waits_for_its_room(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, shortage: Callable[[Stack, pytest.MonkeyPatch], str]
) -> None:
    wait = shortage(stack, monkeypatch)
    for name in ("first", "second", "third"):
        submit(stack, name)
    assert stack.run("second").reason.startswith(wait)
    assert stack.run("third").reason.startswith("Older runs are waiting")
    assert [stack.run(name).status for name in ("second", "third")] == [RunStatus.PENDING] * 2
    assert stack.aws.simulator.created() == ["first-relay-01"]
    completed(stack, "first")
    assert wake(stack) == ["second"]
    assert stack.run("second").status is RunStatus.IN_PROGRESS
    assert stack.aws.simulator.created() == ["first-relay-01", "second-relay-01"]


@SHORTAGES
def test_a_run_that_has_found_room_has_the_next_try_and_the_chain_ends_where_there_is_none(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, shortage: Callable[[Stack, pytest.MonkeyPatch], str]
) -> None:
    wait = shortage(stack, monkeypatch)
    for name in ("first", "second", "third"):
        submit(stack, name)
    completed(stack, "first")
    assert [wake(stack), wake(stack), wake(stack)] == [["second"], ["third"], []]
    assert stack.run("third").reason.startswith(wait)
    assert stack.aws.simulator.created() == ["first-relay-01", "second-relay-01"]


def test_a_run_that_is_stopped_while_it_waits_leaves_its_turn_to_the_next(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited(stack, monkeypatch)
    for name in ("first", "churn", "third"):
        submit(stack, name)
    completed(stack, "first")
    assert woken(stack) == ["churn"]
    assert stack.call("stop-run")[0] == 202
    assert set(wake(stack)) == {"third"}
    assert stack.run("third").status is RunStatus.IN_PROGRESS
    assert stack.aws.simulator.created() == ["first-relay-01", "third-relay-01"]
