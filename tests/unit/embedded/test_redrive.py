"""The tasks that move dead letters, which the embedded stack adds to MiniStack's SQS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from ministack.services import sqs  # type: ignore[import-untyped]

from embedded import redrive

if TYPE_CHECKING:
    from collections.abc import Iterator

DEAD = "arn:aws:sqs:us-east-1:000000000000:dead"
WORK = "arn:aws:sqs:us-east-1:000000000000:work"
OTHER = "arn:aws:sqs:us-east-1:000000000000:other"


@pytest.fixture(autouse=True)
def queues() -> Iterator[None]:
    """A queue whose messages become dead letters at their second delivery, its dead-letter queue, and another queue."""
    sqs.reset()
    policy = json.dumps({"deadLetterTargetArn": DEAD, "maxReceiveCount": 1})
    for name, attributes in (
        ("dead", {}),
        ("other", {}),
        ("work", {"RedrivePolicy": policy, "VisibilityTimeout": "0"}),
    ):
        sqs._act_create_queue({"QueueName": name, "Attributes": attributes}, "")
    yield
    sqs.reset()


def send(name: str, body: str) -> None:
    sqs._act_send_message({"QueueUrl": sqs._queue_url(name), "MessageBody": body}, "")


def receive(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sqs._receive_messages_for_esm(sqs._queue_url(name), 10)
    return found


def bodies(name: str) -> list[str]:
    return [message["body"] for message in sqs._queues[sqs._queue_url(name)]["messages"]]


def die(body: str) -> None:
    """Deliver a message of the queue ``work`` until it moves to the dead-letter queue."""
    send("work", body)
    receive("work")
    receive("work")
    assert body in bodies("dead")


def move(destination: str | None = None, source: str = DEAD) -> dict[str, Any]:
    """Move messages, and return the task as it is listed."""
    request = {"SourceArn": source} | ({"DestinationArn": destination} if destination else {})
    redrive.start(request, "")
    (task,) = redrive.list_tasks({"SourceArn": source}, "")["Results"]
    found: dict[str, Any] = task
    return found


def test_a_dead_letter_moves_back_to_its_queue_as_a_new_message() -> None:
    die("a")
    assert move()["Status"] == "COMPLETED"
    assert (bodies("dead"), bodies("work")) == ([], ["a"])
    (again,) = receive("work")
    assert again["receive_count"] == 1


def test_a_dead_letter_moves_to_the_given_destination() -> None:
    die("a")
    send("dead", "b")
    task = move(OTHER)
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"], task["DestinationArn"]) == ("COMPLETED", 2, OTHER)
    assert (bodies("dead"), bodies("other"), bodies("work")) == ([], ["a", "b"], [])


def test_a_message_that_came_from_no_queue_needs_a_destination() -> None:
    send("dead", "from a rule")
    task = move()
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert bodies("dead") == ["from a rule"]
    assert move(WORK)["Status"] == "COMPLETED"
    assert bodies("work") == ["from a rule"]


def test_a_message_that_is_being_processed_stays() -> None:
    send("dead", "a")
    receive("dead")
    task = move(WORK)
    assert (task["ApproximateNumberOfMessagesToMove"], bodies("dead")) == (0, ["a"])


def test_only_messages_of_a_dead_letter_queue_can_be_moved() -> None:
    with pytest.raises(sqs._Err, match="must be configured as a Dead Letter Queue"):
        move(WORK, source=OTHER)


def test_the_error_for_a_missing_queue_names_it() -> None:
    with pytest.raises(sqs._Err, match="no queue arn:aws:sqs:us-east-1:000000000000:nowhere"):
        move(destination="arn:aws:sqs:us-east-1:000000000000:nowhere")
