"""Send messages to the observe queue: due runs from the tick, wake-ups of runs, and copies of messages put off."""

from __future__ import annotations

from itertools import islice
from math import ceil
from typing import TYPE_CHECKING

from spot_relay.adapters.inbound import write_predecessor_ended, write_room_freed, write_run_due
from spot_relay.domain.rules.due import spread_looks
from spot_relay.domain.run.run import TICK
from spot_relay.domain.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from mypy_boto3_sqs import SQSClient

    from spot_relay.domain.run.run import DueRun

# SendMessageBatch accepts at most ten messages.
_BATCH_SIZE = 10
# SQS delays a message by at most a quarter of an hour.
_LONGEST_DELAY = 900
_PUT_OFF = 30
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
    ahead: timedelta = TICK
    """Runs that become due within this time are queued, too: the next tick would find them too late."""

    def put(self, due: Iterable[DueRun], now: datetime) -> int:
        """Request a look at each run in time, and return how many were queued.

        Raises
        ------
        NotQueuedError
            If SQS rejected any, or if not all could be listed; the others have been queued.
        """
        rejected: list[str] = []
        looks = spread_looks(_list_known(due, rejected), now)
        messages = ((run_id, write_run_due(run_id), seconds) for run_id, seconds in looks)
        return _send_all(self.client, self.url, messages, rejected)


def _send_all(
    client: SQSClient, url: str, messages: Iterable[tuple[str, str, int]], rejected: Sequence[str] = ()
) -> int:
    """Send messages, each with its run and its delay in seconds, and return how many were queued.

    Raises NotQueuedError if there are any in ``rejected`` or SQS rejects some; the others have been queued.
    """
    rest, failed, queued = iter(messages), list(rejected), 0
    while batch := list(islice(rest, _BATCH_SIZE)):
        try:
            answer = client.send_message_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(number), "MessageBody": body, "DelaySeconds": seconds}
                    for number, (_, body, seconds) in enumerate(batch)
                ],
            )
        except Exception as error:  # noqa: BLE001 - whatever it was, the other batches must still be sent
            failed += [f"{run_id}: {error}" for run_id, _, _ in batch]
            continue
        queued += len(answer.get("Successful", []))
        failed += [f"{batch[int(entry['Id'])][0]}: {entry.get('Message')}" for entry in answer.get("Failed", [])]
    if failed:
        raise NotQueuedError(failed)
    return queued


def _list_known(due: Iterable[DueRun], failures: list[str]) -> list[DueRun]:
    """Return the due runs; if not all can be listed, add the error to ``failures`` and return those that are known."""
    known: list[DueRun] = []
    try:
        for run in due:
            known.append(run)  # noqa: PERF402 - an error in between must not lose those before it
    except Exception as error:  # noqa: BLE001 - whatever it was, the runs that are known must still be queued
        failures.append(f"the list of due runs is incomplete: {error}")
    return known


@dataclass(frozen=True)
class SqsWakeups:
    """Wakes runs for which there may be room, whose turn comes, or that come after one that has ended."""

    client: SQSClient
    url: str

    def wake(self, run_id: str) -> None:
        """Ask the run to try its launch again soon."""
        self.client.send_message(QueueUrl=self.url, MessageBody=write_room_freed(run_id))

    def tell(self, run_ids: tuple[str, ...]) -> None:
        """Wake these runs: one that they come after has ended."""
        _send_all(self.client, self.url, ((run_id, write_predecessor_ended(run_id), 0) for run_id in run_ids))

    def look(self, run_id: str, after: timedelta) -> None:
        """Have the run looked at after that time, in whole seconds, as the tick does."""
        seconds = min(_LONGEST_DELAY, ceil(after.total_seconds()))
        self.client.send_message(QueueUrl=self.url, MessageBody=write_run_due(run_id), DelaySeconds=seconds)


@dataclass(frozen=True)
class DelayedCopies:
    """Puts messages off: a copy comes later, so that the message is neither lost nor counted as failed."""

    client: SQSClient
    url: str

    def put_off(self, body: str, draw: float) -> None:
        """Have a message delivered again in half a minute to a minute, by a draw from [0, 1)."""
        seconds = round(_PUT_OFF * (1 + draw))
        self.client.send_message(QueueUrl=self.url, MessageBody=body, DelaySeconds=seconds)
