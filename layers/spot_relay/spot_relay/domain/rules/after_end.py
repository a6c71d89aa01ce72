"""What follows the end of an attempt: the table of ends, and whether a budget allows another attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from itertools import takewhile
from typing import Final

from spot_relay.domain.run.attempt import Attempt
from spot_relay.domain.run.policy import Budget, Spent
from spot_relay.domain.run.run import MAX_ATTEMPTS, Run
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.values import No, as_sentence, dataclass


class Then(Enum):
    """What happens to the run after an end, unless the user has asked it to stop."""

    COMPLETE = auto()
    RELAUNCH = auto()
    STOP = auto()
    FAIL = auto()


@dataclass(frozen=True)
class End:
    """What one kind of end means."""

    happened: str
    """What the job did, in words that follow its name."""
    then: Then
    budget: Budget | None = None
    """The budget that a relaunch draws on."""
    at_once: bool = False
    """Whether the relaunch is immediate; otherwise a backoff comes first."""
    moves_down: bool = False
    """Whether it counts as a failure to get capacity, after a number of which the run moves down its ladder."""
    advice: str = ""
    """What the user can do if the run ends with it."""


# docs/lifecycle.md shows this table; a test compares the two.
ENDS: Final[Mapping[Outcome, End]] = {
    Outcome.COMPLETED: End("completed the training", Then.COMPLETE),
    # Only a waiting job shows when there is capacity again, so the next one is launched at once.
    Outcome.MAX_WAIT_TIME_EXCEEDED: End(
        "reached MaxWaitTimeInSeconds before it finished",
        Then.RELAUNCH,
        budget=Budget.EXPIRED_WAITS,
        at_once=True,
        moves_down=True,
    ),
    # Like an expired wait, it has shown for long enough that there is no capacity.
    Outcome.MAX_PENDING_TIME_EXCEEDED: End(
        "was pending for MaxPendingTimeInSeconds and got no capacity",
        Then.RELAUNCH,
        budget=Budget.CAPACITY_FAILURES,
        at_once=True,
        moves_down=True,
    ),
    Outcome.MAX_RUNTIME_EXCEEDED: End(
        "reached MaxRuntimeInSeconds before it finished",
        Then.RELAUNCH,
        at_once=True,
    ),
    Outcome.STOPPED: End("was stopped outside Spot Relay", Then.STOP, advice="Resume the run to continue."),
    Outcome.CAPACITY_ERROR: End(
        "failed because SageMaker had no capacity",
        Then.RELAUNCH,
        budget=Budget.CAPACITY_FAILURES,
        moves_down=True,
    ),
    Outcome.SERVICE_ERROR: End(
        "failed because SageMaker had an internal error",
        Then.RELAUNCH,
        budget=Budget.SERVICE_ERRORS,
    ),
    Outcome.USER_ERROR: End(
        "failed because the training code or its configuration has an error",
        Then.RELAUNCH,
        budget=Budget.USER_ERRORS,
        advice="Fix it and resume the run, or submit a corrected spec under another name.",
    ),
    Outcome.UNKNOWN_FAILURE: End(
        "failed for a reason that Spot Relay does not know",
        Then.FAIL,
        advice="Resume the run to try again.",
    ),
    Outcome.NEVER_CREATED: End("was never created", Then.FAIL),
}


@dataclass(frozen=True)
class Relaunch:
    """Another attempt may follow: why, and the counts of the budgets once it does."""

    because: str
    spent: Spent


def end_of(attempt: Attempt) -> End:
    """Return the row of the table for an attempt's end."""
    return ENDS[attempt.outcome or Outcome.UNKNOWN_FAILURE]


def describe_end(attempt: Attempt) -> str:
    """Return how an attempt ended, as a sentence, with SageMaker's FailureReason if there is one."""
    text = f"{attempt.job_name} {end_of(attempt).happened}"
    return as_sentence(f"{text}: {attempt.failure_reason}" if attempt.failure_reason else text)


def describe_last_end(attempt: Attempt) -> str:
    """Return how the attempt that ends the run ended, and what the user can do about it."""
    return f"{describe_end(attempt)} {end_of(attempt).advice}".rstrip()


def relaunch_after(run: Run, attempt: Attempt) -> Relaunch | No:
    """Return the relaunch that follows an attempt's bad end, or why the run fails instead."""
    end, because = end_of(attempt), describe_end(attempt)
    if end.then is not Then.RELAUNCH:
        return No(describe_last_end(attempt))
    if attempt.outcome is Outcome.USER_ERROR and run.policy.budgets.user_errors == 0:
        return No(describe_last_end(attempt))
    if attempt.outcome is Outcome.MAX_RUNTIME_EXCEEDED and (no := _check_max_runtime(run, attempt)):
        return No(f"{because} {no.because}")
    if no := check_relaunch(run):
        return No(f"{because} {no.because}")
    spent = run.spent
    for budget in _budgets_of(run, attempt, end):
        limit = run.policy.budgets.count(budget)
        if spent.count(budget) >= limit:
            return No(
                f"{because} policy.budgets.{budget} allows no further relaunch (limit: {limit}). Resume the run to "
                "count from zero again, with a higher limit if needed."
            )
        spent = spent.draw(budget)
    return Relaunch(because, spent)


def check_relaunch(run: Run) -> No | None:
    """Return what forbids any further attempt, however the last one ended, or None."""
    if len(run.attempts) >= MAX_ATTEMPTS:
        return No(
            f"The run has had {MAX_ATTEMPTS} attempts, the most a run can have. Submit the spec under another name to "
            "continue."
        )
    if run.checkpoint_uri is None and not run.policy.restart_from_scratch:
        return No(
            "The training job has no CheckpointConfig, so another attempt would start from zero. Add one, or set "
            "policy.restart_from_scratch to true, and submit the spec under another name."
        )
    return None


def count_in_a_row(attempts: Sequence[Attempt], outcome: Outcome) -> int:
    """Return how many attempts in a row, counted back from the newest, ended with this outcome."""
    return sum(1 for _ in takewhile(lambda attempt: attempt.outcome is outcome, reversed(attempts)))


def _check_max_runtime(run: Run, attempt: Attempt) -> No | None:
    # Under a deadline, interruptions and changeovers may add up to MaxRuntime; a run that makes progress continues.
    if not run.policy.relaunch_on_max_runtime and run.policy.deadline is None:
        return No("Raise it, or set policy.relaunch_on_max_runtime to true, and submit the spec under another name.")
    if not attempt.has_progressed:
        return No(
            "It left no checkpoint newer than its start, so another attempt would end the same way. Raise it, or save "
            "checkpoints more often, and submit the spec under another name."
        )
    return None


def _budgets_of(run: Run, attempt: Attempt, end: End) -> tuple[Budget, ...]:
    """Return the budgets that an end draws on. An attempt that never trained had no chance to make progress."""
    own = () if end.budget is None else (end.budget,)
    idle = run.checkpoint_uri is not None and attempt.has_trained and not attempt.has_progressed
    return (*own, Budget.ATTEMPTS_WITHOUT_PROGRESS) if idle else own
