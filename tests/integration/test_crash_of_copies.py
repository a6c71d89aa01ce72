"""A function that is killed at any of its calls to AWS while it copies checkpoints leaves a complete copy, or none."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.attempt import AttemptStatus
from tests.integration.scenes import LAUNCHED, KilledError, Reaper
from tests.integration.stack import CHECKPOINTS, SPEC, messages
from tests.thoroughness import share

if TYPE_CHECKING:
    from tests.integration.stack import Stack

NAMES = ("config.json", "model-1.pt", "model-2.pt")
SAVED = "dynamodb.PutItem"
CALLS = (
    "dynamodb.GetItem",
    "dynamodb.GetItem",
    SAVED,
    *("s3.ListObjectsV2", "s3.ListObjectsV2", *["s3.CopyObject"] * len(NAMES), "s3.ListObjectsV2"),
    *("s3.PutObject", SAVED),
    *("dynamodb.Query", "dynamodb.UpdateItem", "sagemaker.CreateTrainingJob"),
    *LAUNCHED,
)


def spec_of(name: str) -> dict[str, Any]:
    """The spec of a run with a checkpoint prefix of its own."""
    job = copy.deepcopy(SPEC["training_job"])
    job["CheckpointConfig"]["S3Uri"] = f"s3://{CHECKPOINTS}/checkpoints/{name}/"
    return {"name": name, "training_job": job}


def completed(stack: Stack) -> dict[str, Any]:
    """Let a run complete that leaves checkpoints, and one wait for them; return the message that wakes it."""
    stack.make_queue()
    stack.submit()
    for name in NAMES:
        stack.checkpoint(name)
    stack.clock.passes(60)
    stack.observe("completed")
    wanted = spec_of("next") | {"continue_from": {"run": "churn", "checkpoint": True}}
    assert stack.invoke("submit", stack.upload(json.dumps(wanted), "runs/next.json")) == {"batchItemFailures": []}
    assert stack.run("next").current.status is AttemptStatus.PLANNED
    [body] = [body for body in stack.queued() if "next" in body]
    return messages(body)


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stack may copy checkpoints."""
    monkeypatch.setenv("ALLOW_CHECKPOINT_COPIES", "true")


def copies(stack: Stack) -> set[str]:
    """The names under the prefix of the run that waits."""
    listed = stack.client("s3").list_objects_v2(Bucket=CHECKPOINTS, Prefix="checkpoints/next/").get("Contents", [])
    return {one["Key"].rpartition("/")[2] for one in listed}


def test_an_undisturbed_function_makes_these_calls_in_this_order(stack: Stack) -> None:
    event, reaper = completed(stack), Reaper(stack)
    with reaper.watching():
        stack.invoke("observe", event)
    assert tuple(reaper.calls) == CALLS
    assert (stack.run("next").current.status, copies(stack)) == (AttemptStatus.IN_PROGRESS, set(NAMES))
    resumes = stack.status("next")["attempts"][0]["resumes_from"]
    assert resumes["key"] == "checkpoints/next/model-2.pt"


@pytest.mark.parametrize(
    ("call", "after"), share([(call, after) for call in range(1, len(CALLS) + 1) for after in (False, True)])
)
def test_a_function_that_is_killed_at_any_call_starts_no_training_from_half_a_copy(
    stack: Stack, call: int, after: bool
) -> None:
    event, reaper = completed(stack), Reaper(stack)
    with suppress(KilledError), reaper.watching(call, after=after):
        stack.invoke("observe", event)
    assert "next-relay-01" not in stack.aws.simulator.created() or copies(stack) == set(NAMES)

    for _ in range(5):
        stack.clock.passes(100)
        stack.tick()

    assert stack.aws.simulator.created().count("next-relay-01") == 1
    assert (copies(stack), stack.run("next").outbox.acts) == (set(NAMES), False)
    assert stack.status("next")["attempts"][0]["resumes_from"]["key"] == "checkpoints/next/model-2.pt"
