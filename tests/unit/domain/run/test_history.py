"""A run can do without its history, the oldest of it first, and without nothing that a decision depends on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from spot_relay.domain.run.attempt import Attempt, AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.history import drop_history
from spot_relay.domain.run.run import Explanation
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Checkpoint, Transition, attempt_name
from tests.fakes import NOON
from tests.unit.paid_runs import a_run

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run


def an_old_run() -> Run:
    run = a_run()
    saved = Checkpoint("churn/checkpoints/a", NOON)
    attempts = tuple(
        Attempt(
            number,
            attempt_name(run.id, number),
            run.current.placement,
            NOON,
            Cause.USER_ERROR,
            AttemptStatus.ENDED,
            resumes_from=saved,
            arn="arn",
            outcome=Outcome.USER_ERROR,
            failure_reason=f"AlgorithmError: {'x' * 200}",
            training_seconds=60,
            billable_seconds=20,
            checkpoint=saved,
            transitions=(Transition("Starting", NOON),),
        )
        for number in range(1, 13)
    )
    decisions = tuple(Explanation(NOON, "Due", f"Decision {number}.") for number in range(40))
    return replace(run, attempts=attempts, decisions=decisions, reason="r" * 900)


def test_transitions_go_first_then_explanations_and_then_the_texts_of_attempts_the_oldest_of_each() -> None:
    run = an_old_run()
    steps = list(drop_history(run))
    assert [[a.number for a in step.attempts if a.transitions] for step in steps[:3]] == [
        [3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        [10, 11, 12],
        [],
    ]
    assert [len(step.decisions) for step in steps] == [40, 40, 40, 20, 10, 5, 5, 5, 0]
    assert steps[5].decisions == run.decisions[-5:]
    assert steps[5].attempts == tuple(replace(attempt, transitions=()) for attempt in run.attempts)
    assert [len(step.attempts[0].failure_reason or "") for step in steps] == [216] * 6 + [98, 0, 0]
    assert steps[-1].reason == "r" * 97 + "…"


def test_a_run_that_failing_because_needs_none_of_it() -> None:
    least = list(drop_history(replace(an_old_run(), failing_because="It is too large.")))[-1]
    assert {(a.failure_reason, a.checkpoint, a.billable_seconds) for a in least.attempts} == {(None, None, 20)}


def test_the_newest_attempts_and_all_that_was_paid_stay() -> None:
    run, *_, least = an_old_run(), *drop_history(an_old_run())
    whole = [replace(attempt, transitions=()) for attempt in run.attempts]
    assert least.attempts[-2:] == tuple(whole[-2:])
    for old, kept in zip(whole[:-2], least.attempts[:-2], strict=True):
        assert kept == replace(old, failure_reason=None, resumes_from=None, checkpoint=None, arn=None)
    assert replace(least, attempts=(), decisions=(), reason="") == replace(run, attempts=(), decisions=(), reason="")
