"""Read the notes taken during the load: calls, invocations, and when the decision on each event was made."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FILE: Final = "notes.jsonl"  # in the working folder of MiniStack
STATE_CHANGE: Final = "SageMaker Training Job State Change"
_ATTEMPT: Final = "-relay-"
_DECIDED_ON: Final = "JobChanged"


@dataclass(frozen=True, slots=True)
class Call:
    """A call from a function to AWS: ``at`` in epoch seconds, ``by`` the function's name, ``items`` read by a query."""

    at: float
    by: str
    operation: str
    status: int
    read: float
    write: float
    items: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """A message to a function: when its queue received it, and its training job if it is a state change."""

    sent: float
    job: str | None

    @property
    def run_id(self) -> str:
        """The id of the run that the job belongs to."""
        return (self.job or "").rpartition(_ATTEMPT)[0]


@dataclass(frozen=True, slots=True)
class Invocation:
    """One invocation of a function, with its messages and its log."""

    function: str
    began: float
    ended: float
    failed: bool
    messages: tuple[Message, ...]
    log: str


@dataclass(frozen=True, slots=True)
class Notes:
    """All notes."""

    calls: tuple[Call, ...]
    invocations: tuple[Invocation, ...]

    def between(self, begin: float, end: float) -> Notes:
        """Return the notes from ``begin`` to ``end``, in epoch seconds."""
        calls = tuple(call for call in self.calls if begin <= call.at <= end)
        return Notes(calls, tuple(one for one in self.invocations if begin <= one.began and one.ended <= end))

    def of(self, function: str) -> Notes:
        """Return the notes about one function."""
        calls = tuple(call for call in self.calls if call.by == function)
        return Notes(calls, tuple(one for one in self.invocations if one.function == function))

    @property
    def messages(self) -> int:
        """The number of messages to the functions."""
        return sum(len(one.messages) for one in self.invocations)

    @property
    def state_changes(self) -> int:
        """The number of messages that are state changes of training jobs."""
        return sum(message.job is not None for one in self.invocations for message in one.messages)


def read_notes(lines: Iterable[str]) -> Notes:
    """Return the notes in lines written by `counting`."""
    calls, invocations = [], []
    for line in lines:
        note = json.loads(line)
        match note.pop("note"):
            case "call":
                calls.append(Call(**note))
            case "invocation":
                messages = tuple(_read_message(found) for found in note.pop("messages"))
                invocations.append(Invocation(**note, messages=messages))
    return Notes(tuple(calls), tuple(invocations))


def _read_message(found: Mapping[str, Any]) -> Message:
    envelope = json.loads(found["body"])
    job = envelope["detail"]["TrainingJobName"] if envelope.get("detail-type") == STATE_CHANGE else None
    return Message(found["sent"], job)


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds from event to decision for each event whose decision was found, and how many decisions were repeated.

    A decision is repeated when another writer of the run was faster.
    """

    seconds: tuple[float, ...]
    not_found: int
    taken_anew: int


def find_delays(invocations: Iterable[Invocation]) -> Delays:
    """Return how long each state change waited for its decision, according to the functions' logs.

    A function handles its messages one after the other, and logs each decision with the id of its run.
    """
    seconds: list[float] = []
    not_found = taken_anew = 0
    for one in invocations:
        decided: dict[str, list[float]] = {}
        for run_id, at in _read_decisions(one.log):
            decided.setdefault(run_id, []).append(at)
        expected = Counter(message.run_id for message in one.messages if message.job is not None)
        taken_anew += sum(max(0, len(decided.get(run_id, ())) - count) for run_id, count in expected.items())
        for message in one.messages:
            if message.job is None:
                continue
            if moments := decided.get(message.run_id):
                # The last message of a run belongs to the last decision, after any repeated ones.
                expected[message.run_id] -= 1
                at = moments.pop(0) if expected[message.run_id] else moments[-1]
                seconds.append(at - message.sent)
            else:
                not_found += 1
    return Delays(tuple(seconds), not_found, taken_anew)


def _read_decisions(log: str) -> Iterator[tuple[str, float]]:
    for line in log.splitlines():
        if not line.startswith('{"level"'):
            continue
        entry = json.loads(line)
        if entry.get("observation") == _DECIDED_ON:
            yield entry["run_id"], parse_moment(entry["timestamp"])


def parse_moment(stamp: str) -> float:
    """Return the time of a log line, such as 2026-01-01 00:00:00,123+0000, in epoch seconds."""
    return datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S,%f%z").timestamp()
