"""Send messages to the observe queue: due runs from the tick, and wake-ups of runs that wait for room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from spot_relay.adapters.inbound import write_room_freed, write_run_due

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mypy_boto3_sqs import SQSClient

# SendMessageBatch accepts at most ten messages.
_BATCH_SIZE = 10
# There may be tens of thousands, usually for the same reason.
_MAX_SHOWN = 10


class NotQueuedError(Exception):
    """SQS rejected messages; their runs stay due, so the next tick finds them again."""

    def __init__(self, rejected: Sequence[str]) -> None:
        shown, more = "; ".join(rejected[:_MAX_SHOWN]), len(rejected) - _MAX_SHOWN
        super().__init__(f"{shown}; and {more} more" if more > 0 else shown)


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
            If SQS rejected any, or if not all could be listed; the others have been queued.
        """
        queued, rejected = 0, list[str]()
        for batch in _split(run_ids, rejected):
            try:
                answer = self.client.send_message_batch(
                    QueueUrl=self.url,
                    Entries=[
                        {"Id": str(number), "MessageBody": write_run_due(run_id)} for number, run_id in enumerate(batch)
                    ],
                )
            except Exception as error:  # noqa: BLE001 - whatever it was, the other batches must still be sent
                rejected += [f"{run_id}: {error}" for run_id in batch]
                continue
            queued += len(answer.get("Successful", []))
            rejected += [f"{batch[int(entry['Id'])]}: {entry.get('Message')}" for entry in answer.get("Failed", [])]
        if rejected:
            raise NotQueuedError(rejected)
        return queued


def _split(run_ids: Iterable[str], failures: list[str]) -> Iterator[list[str]]:
    """Yield batches for SQS; if not all runs can be listed, add the error to ``failures`` and yield those known."""
    batch: list[str] = []
    try:
        for run_id in run_ids:
            batch.append(run_id)
            if len(batch) == _BATCH_SIZE:
                yield batch
                batch = []
    except Exception as error:  # noqa: BLE001 - whatever it was, the runs that are known must still be queued
        failures.append(f"the list of due runs is incomplete: {error}")
    if batch:
        yield batch


@dataclass(frozen=True)
class SqsWakeups:
    """Wakes runs for which there may be room."""

    client: SQSClient
    url: str

    def wake(self, run_id: str) -> None:
        """Ask the run to try its launch again soon."""
        self.client.send_message(QueueUrl=self.url, MessageBody=write_room_freed(run_id))
