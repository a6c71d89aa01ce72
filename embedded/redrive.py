"""SQS's message move tasks, which MiniStack lacks: they move dead letters back to the queue they came from.

They make ``aws sqs start-message-move-task`` work on the embedded stack as on AWS. A task is complete when the call
returns, while AWS takes a moment; ``list-message-move-tasks`` shows the same.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any, Final

from ministack.services import sqs  # type: ignore[import-untyped]

NO_SOURCE: Final = "CouldNotDetermineMessageSource"
KEPT: Final = 10  # how many tasks of a queue are listed, as on AWS

_tasks: dict[str, list[dict[str, Any]]] = {}


def install() -> None:
    """Add StartMessageMoveTask and ListMessageMoveTasks to SQS."""
    sqs._HANDLERS["StartMessageMoveTask"] = start  # noqa: SLF001 (it has no setting for this)
    sqs._HANDLERS["ListMessageMoveTasks"] = list_tasks  # noqa: SLF001


def start(request: dict[str, Any], _url: str) -> dict[str, Any]:
    """Move the visible messages of a dead-letter queue to a destination, or back to the queue of each."""
    source = _queue(request["SourceArn"])
    if not _is_dead_letter_queue(request["SourceArn"]):
        raise sqs._Err("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")  # noqa: SLF001
    given = request.get("DestinationArn")
    if given:
        _queue(given)
    task = {
        "SourceArn": request["SourceArn"],
        "Status": "COMPLETED",
        "StartedTimestamp": int(time.time() * 1000),
        "ApproximateNumberOfMessagesMoved": 0,
        **({"DestinationArn": given} if given else {}),
    }
    with sqs._queues_lock:  # noqa: SLF001
        visible = [message for message in source["messages"] if message["visible_at"] <= time.time()]
        task["ApproximateNumberOfMessagesToMove"] = len(visible)
        for message in visible:
            destination = given or message.get("sys", {}).get("DeadLetterQueueSourceArn")
            if destination is None:
                task |= {"Status": "FAILED", "FailureReason": NO_SOURCE}
                break
            _move(message, source, destination)
            task["ApproximateNumberOfMessagesMoved"] += 1
    _tasks.setdefault(request["SourceArn"], []).insert(0, task)
    return {"TaskHandle": str(uuid.uuid4())}


def list_tasks(request: dict[str, Any], _url: str) -> dict[str, Any]:
    """Return the newest tasks of a queue, by default one."""
    _queue(request["SourceArn"])
    return {"Results": _tasks.get(request["SourceArn"], [])[: min(KEPT, request.get("MaxResults") or 1)]}


def _move(message: dict[str, Any], source: dict[str, Any], destination: str) -> None:
    """Send a message to its destination as a new message, and delete it here."""
    attributes = message.get("message_attributes") or {}
    url = sqs._queue_url(destination.rpartition(":")[2])  # noqa: SLF001
    sqs._act_send_message({"QueueUrl": url, "MessageBody": message["body"], "MessageAttributes": attributes}, url)  # noqa: SLF001
    source["messages"].remove(message)


def _queue(arn: str) -> dict[str, Any]:
    queue: dict[str, Any] | None = sqs._queue_by_arn(arn)  # noqa: SLF001
    if queue is None:
        raise sqs._Err("ResourceNotFoundException", f"There is no queue {arn}.")  # noqa: SLF001
    return queue


def _is_dead_letter_queue(arn: str) -> bool:
    policies = (queue["attributes"].get("RedrivePolicy") for _, queue in sqs._queues.all_items())  # noqa: SLF001
    return any(json.loads(policy).get("deadLetterTargetArn") == arn for policy in policies if policy)
