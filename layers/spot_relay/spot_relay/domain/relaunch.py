"""Whether, when and from where an attempt is followed by another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import takewhile
from typing import TYPE_CHECKING

from spot_relay.domain.ending import Outcome
from spot_relay.domain.job import Checkpoint, attempt_name
from spot_relay.domain.run import MAX_ATTEMPTS, Attempt, Run, Spent

if TYPE_CHECKING:
    from datetime import datetime

_BUDGETS = {
    Outcome.MAX_WAIT_TIME_EXCEEDED: ("expired_waits", "the wait for spot capacity expired"),
    Outcome.CAPACITY_ERROR: ("capacity_failures", "SageMaker found no capacity"),
    Outcome.SERVICE_ERROR: ("service_errors", "SageMaker had an internal error"),
    Outcome.USER_ERROR: ("user_errors", "the training failed"),
}

# After an expired wait a new job at once is right: while it waits it is the one sensor of capacity there is.
_AT_ONCE = frozenset({Outcome.MAX_WAIT_TIME_EXCEEDED, Outcome.MAX_RUNTIME_EXCEEDED})


@dataclass(frozen=True)
class Relaunch:
    """Another attempt follows, after ``wait_seconds``, or at once when that is None."""

    reason: str
    spent: Spent
    wait_seconds: float | None


def relaunch_forbidden(run: Run) -> str | None:
    """Say what forbids any further attempt, whatever ended the last one; None if nothing does."""
    if len(run.attempts) >= MAX_ATTEMPTS:
        return f"the run has had {MAX_ATTEMPTS} attempts, the most a run can have"
    if run.checkpoint_uri is None and not run.policy.restart_from_scratch:
        return (
            "the training job has no CheckpointConfig, so another attempt would begin at zero: give it one, "
            "or set policy.restart_from_scratch to true, and submit it under another name"
        )
    return None


def after_end(run: Run, attempt: Attempt, draw: float) -> Relaunch | str:
    """Decide what follows an attempt's bad end: a relaunch, or the sentence with which the run fails."""
    outcome = attempt.outcome or Outcome.UNKNOWN_FAILURE
    if outcome is Outcome.UNKNOWN_FAILURE:
        return f"{attempt.job_name} failed in a way Spot Relay does not know: {attempt.failure_reason}"
    why = f"{attempt.job_name}: {_what_happened(attempt, outcome)}"
    if outcome is Outcome.MAX_RUNTIME_EXCEEDED and (no := _runtime_is_final(run, attempt)):
        return f"{why}; {no}"
    if outcome is Outcome.USER_ERROR and run.policy.budgets.user_errors == 0:
        return why
    if forbidden := relaunch_forbidden(run):
        return f"{why}; {forbidden}"
    spent = run.spent
    for budget in _budgets_touched(run, attempt, outcome):
        allowed, used = getattr(run.policy.budgets, budget), getattr(spent, budget)
        if used >= allowed:
            return f"{why}; the budget {budget} ({allowed}) is spent. Resume the run to go on with fresh budgets"
        spent = replace(spent, **{budget: used + 1})
    wait = None if outcome in _AT_ONCE else run.policy.backoff.seconds(_failures_in_a_row(run, outcome), draw)
    return Relaunch(why, spent, wait)


def next_attempt(run: Run, checkpoint: Checkpoint | None, cause: str, now: datetime) -> Attempt:
    """Plan the run's next attempt, in the placement of the last one."""
    number = len(run.attempts) + 1
    return Attempt(
        number=number,
        job_name=attempt_name(run.id, number),
        placement=run.current.placement,
        planned_at=now,
        cause=cause,
        resumes_from=checkpoint,
    )


def _what_happened(attempt: Attempt, outcome: Outcome) -> str:
    if outcome is Outcome.MAX_RUNTIME_EXCEEDED:
        return "MaxRuntimeInSeconds was exceeded"
    text = _BUDGETS[outcome][1]
    return f"{text} ({attempt.failure_reason})" if attempt.failure_reason else text


def _runtime_is_final(run: Run, attempt: Attempt) -> str | None:
    if not run.policy.relaunch_on_max_runtime:
        return "raise it, or set policy.relaunch_on_max_runtime to true, and submit the spec under another name"
    if not attempt.has_progressed:
        return "the attempt left no checkpoint newer than its beginning, so another would end the same way"
    return None


def _budgets_touched(run: Run, attempt: Attempt, outcome: Outcome) -> tuple[str, ...]:
    """Name the budgets an end draws on. An attempt that never trained had no chance to make progress."""
    kind = (_BUDGETS[outcome][0],) if outcome in _BUDGETS else ()
    idle = run.checkpoint_uri is not None and attempt.has_trained and not attempt.has_progressed
    return (*kind, "attempts_without_progress") if idle else kind


def _failures_in_a_row(run: Run, outcome: Outcome) -> int:
    return sum(1 for _ in takewhile(lambda a: a.outcome is outcome, reversed(run.attempts)))
