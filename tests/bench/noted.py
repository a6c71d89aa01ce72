"""Notes as `bench.load.counting` writes them, for the tests of what is read in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

STATE_CHANGE = "SageMaker Training Job State Change"


def body(job: str | None) -> str:
    """Return the body of a state change of a job, or of a message of the tick."""
    if job is None:
        return json.dumps({"source": "spot-relay", "detail-type": "Run Due", "detail": {"run_id": "a"}})
    return json.dumps({"source": "aws.sagemaker", "detail-type": STATE_CHANGE, "detail": {"TrainingJobName": job}})


def decided(run_id: str, at: float, observation: str = "JobChanged") -> str:
    """Return the line with which a decision is logged."""
    moment = datetime.fromtimestamp(at, UTC)
    stamp = f"{moment:%Y-%m-%d %H:%M:%S},{moment.microsecond // 1000:03d}+0000"
    line = {"level": "INFO", "message": "…", "timestamp": stamp, "run_id": run_id, "observation": observation}
    return json.dumps(line)


def call(at: float, by: str, operation: str, **units: Any) -> str:
    """Return the note of a call."""
    note = {"note": "call", "at": at, "by": by, "operation": operation, "status": 200, "read": 0.0, "write": 0.0}
    return json.dumps(note | units)


def invocation(
    function: str,
    began: float,
    ended: float,
    messages: Sequence[tuple[float, str | None]],
    *log: str,
    failed: bool = False,
) -> str:
    """Return the note of an invocation; a message is when it was sent, and the job it speaks of."""
    given = [{"sent": sent, "body": body(job)} for sent, job in messages]
    note = {"note": "invocation", "function": function, "began": began, "ended": ended, "failed": failed}
    return json.dumps(note | {"messages": given, "log": "\n".join(log)})
