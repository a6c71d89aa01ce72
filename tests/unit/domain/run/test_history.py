"""A run can do without its history, the oldest of it first, and without nothing that a decision depends on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from spot_relay.domain.run.attempt import Attempt, AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.history import drop_history
from spot_relay.domain.run.run import Explanation
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Checkpoint, Market, Transition, attempt_name
from spot_relay.domain.sagemaker.phase import Phase, Stage, merge_oldest, read_phases
from tests.fakes import NOON
from tests.unit.paid_runs import a_run

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run


STAGES = ("Starting", "Training", "Interrupted", "Training", "Interrupted", "Downloading", "Training", "Stopping")
TRANSITIONS = tuple(Transition(status, NOON + timedelta(seconds=100 * n)) for n, status in enumerate(STAGES))
LIFE = read_phases(TRANSITIONS, Market.SPOT, NOON, until=NOON + timedelta(seconds=900))


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
            transitions=TRANSITIONS,
            ended_at=NOON + timedelta(seconds=900),
        )
        for number in range(1, 13)
    )
    decisions = tuple(Explanation(NOON, "Due", f"Decision {number}.") for number in range(40))
    return replace(run, attempts=attempts, decisions=decisions, reason="r" * 900)


def test_transitions_go_first_then_explanations_and_then_the_texts_of_attempts_the_oldest_of_each() -> None:
    run = an_old_run()
    _, *steps = drop_history(run)
    assert [[a.number for a in step.attempts if a.transitions] for step in steps[:3]] == [
        [3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        [10, 11, 12],
        [],
    ]
    assert [len(step.decisions) for step in steps] == [40, 40, 40, 40, 20, 10, 10, 5, 5, 5, 5, 0]
    assert steps[7].decisions == run.decisions[-5:]
    dropped = {"transitions": (), "phases": (Phase(Stage.EARLIER, 0, 900),)}
    whole = {"transitions": (), "phases": LIFE}
    assert steps[7].attempts == tuple(replace(one, **(whole if one.number > 10 else dropped)) for one in run.attempts)  # type: ignore[arg-type]
    assert [len(step.attempts[0].phases) for step in steps[:7]] == [8, 8, 8, 6, 6, 6, 1]
    assert [len(step.attempts[0].failure_reason or "") for step in steps] == [216] * 9 + [98, 0, 0]
    assert steps[-1].reason == "r" * 97 + "…"


def test_a_run_that_failing_because_needs_none_of_it() -> None:
    least = list(drop_history(replace(an_old_run(), failing_because="It is too large.")))[-1]
    assert {(a.failure_reason, a.checkpoint, a.billable_seconds) for a in least.attempts} == {(None, None, 20)}


def test_the_newest_attempts_and_all_that_was_paid_stay() -> None:
    run, *_, least = an_old_run(), *drop_history(an_old_run())
    whole = [replace(attempt, transitions=(), phases=LIFE) for attempt in run.attempts]
    assert least.attempts[-2:] == tuple(whole[-2:])
    for old, kept in zip(whole[:-2], least.attempts[:-2], strict=True):
        merged = merge_oldest(old.phases, 1)
        assert kept == replace(old, failure_reason=None, resumes_from=None, checkpoint=None, arn=None, phases=merged)
    untold = replace(run.outbox, news=tuple(replace(news, reason="") for news in run.outbox.news))
    others = replace(run, attempts=(), decisions=(), reason="", outbox=untold)
    assert replace(least, attempts=(), decisions=(), reason="") == others
