"""Brings dead letters back: `spot-relay redrive`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import click

from spot_relay_client.cli.command import Terminal, stack_command, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

_QUEUES: Final = {"submit": "Submit", "observe": "Observe"}
_LIMIT_SECONDS: Final = 300


@stack_command()
@click.option("--queue", "only", type=click.Choice(list(_QUEUES)), help="Only this queue; by default both.")
@click.option("--dry-run", is_flag=True, help="Only count the dead letters.")
def redrive(terminal: Terminal, only: str | None, dry_run: bool) -> None:
    """Send the dead letters of the stack's queues back to be processed again.

    First remove the cause: docs/operations.md says how to find it, and which permissions you need. With --json:
    {"queues": [{"queue", "dead_letters", "moved"}]}; "moved" is null with --dry-run.
    """
    outputs = terminal.relay.stack.outputs
    sqs = terminal.relay.session.create_client("sqs", region_name=terminal.relay.stack.region)
    shown = []
    for queue in [only] if only else _QUEUES:
        letters = _count(sqs, outputs[f"{_QUEUES[queue]}DeadLetterQueueUrl"])
        moved = _move(sqs, outputs, _QUEUES[queue]) if letters and not dry_run else None if dry_run else 0
        shown.append({"queue": queue, "dead_letters": letters, "moved": moved})
    if terminal.as_json:
        write_json({"queues": shown})
        return
    for entry in shown:
        done = "" if dry_run else f", {entry['moved']} sent back"
        click.echo(f"{entry['queue']}: {entry['dead_letters']} dead letters{done}")


def _count(sqs: Any, url: str) -> int:
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


def _move(sqs: Any, outputs: Mapping[str, str], name: str) -> int:
    """Move all dead letters to the queue they were meant for, and return how many there were."""
    source, destination = (_arn(sqs, outputs[f"{name}{end}"]) for end in ("DeadLetterQueueUrl", "QueueUrl"))
    # Without a destination, SQS refuses letters that EventBridge itself has put there.
    sqs.start_message_move_task(SourceArn=source, DestinationArn=destination)
    until = time.monotonic() + _LIMIT_SECONDS
    while True:
        (task,) = sqs.list_message_move_tasks(SourceArn=source)["Results"]
        if task["Status"] != "RUNNING" or time.monotonic() > until:
            break
        time.sleep(1)
    if task["Status"] == "FAILED":
        raise click.ClickException(f"SQS could not move the dead letters of {name}: {task.get('FailureReason')}")
    return int(task.get("ApproximateNumberOfMessagesMoved", 0))


def _arn(sqs: Any, url: str) -> str:
    arn: str = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return arn
