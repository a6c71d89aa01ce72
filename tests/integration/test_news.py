"""News that end nothing, on the real adapters: how many calls of AWS they cost, and what they leave."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.attempt import AttemptStatus
from tests.integration.scenes import Reaper, metrics, stored
from tests.integration.stack import body_of, document, messages
from tests.integration.switches import a_canary_that_tells_of_capacity

if TYPE_CHECKING:
    from tests.integration.stack import Stack

# All that the service documents and that ends nothing, and one that it may bring tomorrow.
NEWS = [
    "Starting",
    "Pending",
    "LaunchingMLInstances",
    "PreparingTrainingStack",
    "DownloadingTrainingImage",
    "Downloading",
    "Training",
    "Interrupted",
    "Uploading",
    "Stopping",
    "Updating",
    "Restarting",
    "Rebalancing",
]
# Of these, others are told as well.
TOLD = {"Training", "Interrupted", "Uploading", "Stopping"}
LONG = {"train_seconds": 90_000}
RECORDED = ["dynamodb.GetItem", "dynamodb.PutItem"]


def news(secondary: str, **detail: Any) -> dict[str, Any]:
    """Return the batch with one event about the state of a job."""
    event = body_of("observe/training-started")
    status = "Stopping" if secondary == "Stopping" else "InProgress"
    event["detail"] |= {"TrainingJobStatus": status, "SecondaryStatus": secondary, **detail}
    return messages(json.dumps(event))


def calls(stack: Stack, event: dict[str, Any]) -> list[str]:
    reaper = Reaper(stack)
    with reaper.watching():
        assert stack.invoke("observe", event) == {"batchItemFailures": []}
    return reaper.calls


@pytest.mark.parametrize("secondary", NEWS)
def test_news_of_an_attempt_cost_two_calls_or_four_if_others_are_told_and_late_or_repeated_one(
    stack: Stack, capsys: pytest.CaptureFixture[str], secondary: str
) -> None:
    run = stored(stack, LONG)
    stack.clock.passes(200)
    metrics(capsys)
    told = ["eventbridge.PutEvents", "dynamodb.PutItem"] if secondary in TOLD else []
    assert calls(stack, news(secondary)) == [*RECORDED, *told]
    assert metrics(capsys) == (Counter({"Interruptions": 1}) if secondary == "Interrupted" else Counter())
    heard = stack.run()
    assert (heard.current.phase, heard.current.status) == (secondary, AttemptStatus.IN_PROGRESS)
    assert not heard.outbox
    assert calls(stack, news(secondary)) == RECORDED[:1]
    earlier = str(int(run.created_at.timestamp() * 1000))
    assert calls(stack, news("Starting", LastModifiedTime=earlier)) == RECORDED[:1]
    assert stack.run() == heard
    assert metrics(capsys) == Counter()


@pytest.mark.parametrize(("secondary", "expected"), [("Starting", RECORDED[:1]), ("Training", RECORDED)])
def test_news_of_a_canary_cost_two_calls_at_most(stack: Stack, secondary: str, expected: list[str]) -> None:
    a_canary_that_tells_of_capacity(stack)
    event = json.loads(document("observe/canary-training")["Records"][0]["body"])
    event["detail"]["SecondaryStatus"] = secondary
    told = messages(json.dumps(event))
    assert calls(stack, told) == expected
    assert calls(stack, told) == RECORDED[:1]


def test_the_status_document_shows_the_news_with_the_tick_s_next_look(stack: Stack) -> None:
    stack.aws.simulator.play(default=LONG)
    stack.submit()
    stack.clock.passes(60)
    stack.observe("training-started")
    assert stack.status()["attempts"][0]["phase"] is None
    assert stack.call("get-run")[1]["attempts"][0]["phase"] == "Training"
    stack.clock.passes(240)
    assert stack.tick() == 1
    assert stack.status()["attempts"][0]["phase"] == "Training"
