"""The observe queue, as the tick fills it, and whoever wakes a run that waits for room."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from spot_relay.adapters.inbound import room_freed, run_due

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_sqs import SQSClient

# The most messages that one SendMessageBatch takes.
_BATCH = 10


class NotQueuedError(Exception):
    """SQS refused messages; the runs stay due, and the next tick finds them."""


@dataclass(frozen=True)
class DueQueue:
    """Takes the ids of due runs."""

    client: SQSClient
    url: str

    def put(self, run_ids: Iterable[str]) -> int:
        """Queue a look at each run and say how many; NotQueuedError, once all were tried, if any was refused."""
        ids = iter(run_ids)
        queued, refused = 0, []
        while batch := list(islice(ids, _BATCH)):
            answer = self.client.send_message_batch(
                QueueUrl=self.url,
                Entries=[{"Id": str(number), "MessageBody": run_due(run_id)} for number, run_id in enumerate(batch)],
            )
            queued += len(answer.get("Successful", []))
            refused += [f"{batch[int(entry['Id'])]}: {entry.get('Message')}" for entry in answer.get("Failed", [])]
        if refused:
            raise NotQueuedError("; ".join(refused))
        return queued


@dataclass(frozen=True)
class SqsWakeups:
    """Takes the ids of runs for which there may be room."""

    client: SQSClient
    url: str

    def wake(self, run_id: str) -> None:
        """Have the run try its launch again, soon."""
        self.client.send_message(QueueUrl=self.url, MessageBody=room_freed(run_id))
