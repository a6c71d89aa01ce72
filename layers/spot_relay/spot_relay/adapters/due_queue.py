"""Send messages to the observe queue: due runs from the tick, and wake-ups of runs that wait for room."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from spot_relay.adapters.inbound import write_room_freed, write_run_due

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_sqs import SQSClient

# SendMessageBatch accepts at most ten messages.
_BATCH_SIZE = 10


class NotQueuedError(Exception):
    """SQS rejected messages; their runs stay due, so the next tick finds them again."""


@dataclass(frozen=True)
class DueQueue:
    """Queues runs that are due, for the function observe to look at."""

    client: SQSClient
    url: str

    def put(self, run_ids: Iterable[str]) -> int:
        """Request a look at each run and return how many were queued.

        Raises
        ------
        NotQueuedError
            If SQS rejected any; the others have been queued.
        """
        ids = iter(run_ids)
        queued, rejected = 0, []
        while batch := list(islice(ids, _BATCH_SIZE)):
            answer = self.client.send_message_batch(
                QueueUrl=self.url,
                Entries=[
                    {"Id": str(number), "MessageBody": write_run_due(run_id)} for number, run_id in enumerate(batch)
                ],
            )
            queued += len(answer.get("Successful", []))
            rejected += [f"{batch[int(entry['Id'])]}: {entry.get('Message')}" for entry in answer.get("Failed", [])]
        if rejected:
            raise NotQueuedError("; ".join(rejected))
        return queued


@dataclass(frozen=True)
class SqsWakeups:
    """Wakes runs for which there may be room."""

    client: SQSClient
    url: str

    def wake(self, run_id: str) -> None:
        """Ask the run to try its launch again soon."""
        self.client.send_message(QueueUrl=self.url, MessageBody=write_room_freed(run_id))
