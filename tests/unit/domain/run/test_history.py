"""A run can do without its history, the oldest of it first, and without nothing that a decision depends on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from spot_relay.domain.run.attempt import Attempt, AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.history import drop_history
from spot_relay.domain.run.news import News, NewsKind
from spot_relay.domain.run.run import Explanation
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Checkpoint, Market, Transition, attempt_name
from spot_relay.domain.sagemaker.phase import Phase, Stage, merge_oldest, read_phases
from spot_relay.domain.text import encoded_size
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
            # One of them has failed for a reason that SageMaker did not give.
            failure_reason=None if number == 3 else f"AlgorithmError: {'x' * 900}",
            status_message="Training failed.",
            training_seconds=60,
            billable_seconds=20,
            checkpoint=saved,
            transitions=TRANSITIONS,
            ended_at=NOON + timedelta(seconds=900),
        )
        for number in range(1, 13)
    )
    decisions = tuple(Explanation(NOON, "Due", f"Decision {number}.") for number in range(47))
    news = (News(1, NewsKind.RUN, "Pending", NOON, reason="It waits."),)
    outbox = replace(run.outbox, news=news)
    return replace(run, attempts=attempts, decisions=decisions, reason="r" * 900, outbox=outbox)


def size(run: Run) -> tuple[str, str, str, int, int]:
    """What is left of a run's news, of its attempts' transitions, phases and failures, and of its decisions.

    Of each attempt there is a digit or a sign: the number of its phases, and how long the text of its failure is.
    """
    lengths = {916: "x", 512: "h", 100: "s", 0: "-"}
    return (
        "".join("t" if attempt.transitions else "-" for attempt in run.attempts),
        "".join(str(len(attempt.phases)) for attempt in run.attempts),
        "".join(lengths[encoded_size(attempt.failure_reason or "")] for attempt in run.attempts),
        len(run.decisions),
        encoded_size(run.reason),
    )


def test_transitions_go_first_then_explanations_and_then_the_texts_of_attempts_the_oldest_of_each() -> None:
    run = an_old_run()
    steps = list(drop_history(run))
    assert size(run) == ("t" * 12, "0" * 12, "xx-xxxxxxxxx", 47, 900)
    assert [size(step) for step in steps] == [
        ("tttttttttttt", "000000000000", "xx-xxxxxxxxx", 47, 900),
        ("--tttttttttt", "880000000000", "xx-xxxxxxxxx", 47, 900),
        ("---------ttt", "888888888000", "xx-xxxxxxxxx", 47, 900),
        ("------------", "888888888888", "xx-xxxxxxxxx", 47, 900),
        ("------------", "666666666688", "xx-xxxxxxxxx", 47, 900),
        ("------------", "666666666688", "xx-xxxxxxxxx", 20, 900),
        ("------------", "666666666688", "xx-xxxxxxxxx", 10, 900),
        ("------------", "111111111188", "xx-xxxxxxxxx", 10, 900),
        ("------------", "111111111188", "xx-xxxxxxxxx", 5, 900),
        ("------------", "111111111188", "hh-hhhhhhhxx", 5, 900),
        ("------------", "111111111188", "ss-sssssssxx", 5, 900),
        ("------------", "111111111188", "----------xx", 5, 900),
        ("------------", "111111111188", "----------xx", 0, 100),
    ]
    assert steps[8].decisions == run.decisions[-5:]
    untold = (News(1, NewsKind.RUN, "Pending", NOON),)
    assert steps[0] == replace(run, outbox=replace(run.outbox, news=untold))
    dropped = {"transitions": (), "phases": (Phase(Stage.EARLIER, 0, 900),)}
    whole = {"transitions": (), "phases": LIFE}
    assert steps[8].attempts == tuple(replace(one, **(whole if one.number > 10 else dropped)) for one in run.attempts)  # type: ignore[arg-type]


def test_a_short_run_keeps_its_newest_two_attempts_whole_and_its_newest_decisions() -> None:
    for amount in (1, 2):
        old = an_old_run()
        run = replace(old, attempts=old.attempts[:amount], decisions=old.decisions[:7])
        *steps, least = drop_history(run)
        assert [len(step.decisions) for step in steps] == [7] * 8 + [5] * 4
        assert least.attempts == tuple(replace(one, transitions=(), phases=LIFE) for one in run.attempts)


def test_a_run_that_is_failing_keeps_no_texts_of_its_attempts() -> None:
    *_, before, least = drop_history(replace(an_old_run(), failing_because="It is too large."))
    dropped = {"failure_reason": None, "resumes_from": None, "checkpoint": None, "status_message": None, "arn": None}
    assert least == replace(before, attempts=tuple(replace(one, **dropped) for one in before.attempts))  # type: ignore[arg-type]


def test_the_newest_attempts_and_all_that_was_paid_stay() -> None:
    run, *_, least = an_old_run(), *drop_history(an_old_run())
    whole = [replace(attempt, transitions=(), phases=LIFE) for attempt in run.attempts]
    assert least.attempts[-2:] == tuple(whole[-2:])
    for old, kept in zip(whole[:-2], least.attempts[:-2], strict=True):
        merged = merge_oldest(old.phases, 1)
        texts = {"failure_reason": None, "status_message": None, "arn": None}
        assert kept == replace(old, resumes_from=None, checkpoint=None, phases=merged, **texts)  # type: ignore[arg-type]
    untold = replace(run.outbox, news=tuple(replace(news, reason="") for news in run.outbox.news))
    others = replace(run, attempts=(), decisions=(), reason="", outbox=untold)
    assert replace(least, attempts=(), decisions=(), reason="") == others
