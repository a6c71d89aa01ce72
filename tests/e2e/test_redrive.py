"""Messages die for real, and what an operator types to bring them back (docs/operations.md) does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.crowd import FOREVER, QUICK
from tests.e2e.faults import Proxy
from tests.e2e.relay import DEMANDS, Relay, eventually, spec

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def relay(troubled: Relay) -> Relay:
    """The stack, which delivers a message as often as the template has it, but after seconds and not minutes."""
    sqs = troubled.stack.client("sqs")
    for queue in ("Submit", "Observe"):
        url = troubled.stack.outputs[f"{queue}QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "2"})
    return troubled


@pytest.fixture(scope="module")
def proxy(relay: Relay) -> Iterator[Proxy]:
    """A proxy before functions that look at a run once an hour, so that nothing but a message brings it on."""
    with Proxy({"dynamodb": relay.stack.aws_url, "sagemaker": relay.stack.simulator_url}) as proxy:
        proxy.stand_before(relay.stack, CHECK_INTERVAL_SECONDS="3600")
        yield proxy


def dead(relay: Relay, queue: str, at_least: int) -> int:
    """Wait until a queue has given up on all its messages, and count its dead letters.

    On a slow machine earlier news of a job may die as well, so that there are more than the test has seen to.
    """

    def look() -> int | None:
        letters = relay.count_messages(f"{queue}DeadLetterQueueUrl")
        return letters if letters >= at_least and relay.count_messages(f"{queue}QueueUrl") == 0 else None

    return eventually(f"{at_least} or more dead letters of {queue}", look)


def trains(relay: Relay, run: str) -> None:
    """Wait until a run has heard all that its job tells before it goes on for ever."""

    def look() -> bool | None:
        return relay.api.show(run)["attempts"][0]["phase"] == "Training" or None

    eventually(f"{run}'s training", look)


def redrive(relay: Relay, queue: str) -> dict[str, Any]:
    """Send dead letters to the queue they were meant for, as docs/operations.md says, and give the task."""
    sqs = relay.stack.client("sqs")
    arns = []
    for output in (f"{queue}DeadLetterQueueUrl", f"{queue}QueueUrl"):
        url = relay.stack.outputs[output]
        arns.append(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])
    source, destination = arns
    sqs.start_message_move_task(SourceArn=source, DestinationArn=destination)

    def look() -> dict[str, Any] | None:
        (task,) = sqs.list_message_move_tasks(SourceArn=source)["Results"]
        return None if task["Status"] == "RUNNING" else task

    return eventually("the end of the task", look)


def undelivered(relay: Relay, job_name: str) -> None:
    """Leave the end of a job in the dead-letter queue as EventBridge does where it can't deliver it."""
    recorded = json.loads((ROOT / "events" / "observe" / "completed.json").read_text())["Records"][0]["body"]
    attributes = {"ERROR_CODE": "SDK_CLIENT_ERROR", "ERROR_MESSAGE": "the queue could not be reached"}
    relay.stack.client("sqs").send_message(
        QueueUrl=relay.stack.outputs["ObserveDeadLetterQueueUrl"],
        MessageBody=recorded.replace("churn-relay-01", job_name),
        MessageAttributes={name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()},
    )


def test_the_stack_has_what_the_account_demands(troubled: Relay) -> None:
    """The other tests of this stack show that it works."""
    stack = troubled.stack
    names = [name for name in stack.outputs if name.endswith("Function")]
    described = [
        stack.client("lambda").get_function_configuration(FunctionName=stack.outputs[name])["Role"] for name in names
    ]
    assert len(described) == 6
    assert all(role.partition(":role")[2].startswith(DEMANDS["RolePath"]) for role in described)
    for queue in ("SubmitQueueUrl", "SubmitDeadLetterQueueUrl", "ObserveQueueUrl", "ObserveDeadLetterQueueUrl"):
        attributes = ["KmsMasterKeyId", "SqsManagedSseEnabled"]
        found = stack.client("sqs").get_queue_attributes(QueueUrl=stack.outputs[queue], AttributeNames=attributes)
        assert found["Attributes"] == {"KmsMasterKeyId": DEMANDS["DataKmsKeyArn"], "SqsManagedSseEnabled": "false"}


def test_dead_letters_that_are_sent_back_bring_their_runs_to_their_ends(relay: Relay, proxy: Proxy) -> None:
    relay.rule("living", **FOREVER)
    relay.rule("unheard", **QUICK, events={"drop": {"fraction": 1}})
    relay.rule("late", **QUICK)
    for name in ("living", "unheard"):
        relay.upload(f"runs/{name}.json", spec(name))
        relay.comes_to(name, "InProgress")

    trains(relay, "living")
    relay.drains()

    proxy.refuse("dynamodb")
    relay.upload("runs/late.json", spec("late"))
    relay.stack.client("sagemaker").stop_training_job(TrainingJobName="living-relay-01")
    undelivered(relay, "unheard-relay-01")
    letters = {
        "Submit": dead(relay, "Submit", 1),
        "Observe": dead(relay, "Observe", 3),  # living's Stopping and Stopped, and what EventBridge left
    }
    assert relay.jobs("late") == []
    for name in ("living", "unheard"):
        relay.comes_to(name, "InProgress", seconds=1)

    proxy.calm()
    for queue, count in letters.items():
        task = redrive(relay, queue)
        assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", count)
    ends = {name: relay.ends(name) for name in ("late", "living", "unheard")}
    assert {name: document["status"] for name, document in ends.items()} == {
        "late": "Completed",
        "living": "Stopped",
        "unheard": "Completed",
    }
    # By the messages that came back, and not by a tick.
    assert [ends[name]["decisions"][-1]["observation"] for name in ("living", "unheard")] == ["JobChanged"] * 2
    for queue in ("SubmitDeadLetterQueueUrl", "ObserveDeadLetterQueueUrl"):
        assert relay.count_messages(queue) == 0


def test_a_dead_letter_that_is_sent_back_twice_changes_nothing(relay: Relay, proxy: Proxy) -> None:
    before = relay.status("unheard")
    undelivered(relay, "unheard-relay-01")
    assert redrive(relay, "Observe")["ApproximateNumberOfMessagesMoved"] == 1

    def handled() -> bool | None:
        lines = [line for line in relay.stack.logs("observe") if "comes after the end of unheard-relay-01" in line]
        return True if any('"unheard"' in line for line in lines) else None

    eventually("the message being handled", handled)
    assert relay.status("unheard") == before
    assert relay.jobs("unheard") == ["unheard-relay-01"]
