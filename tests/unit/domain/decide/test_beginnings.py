"""What a run waits for before its first launch: when it begins, when it looks again, and when it never can begin."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from inline_snapshot import snapshot

from spot_relay.domain.decide.acceptance import Objection, accept
from spot_relay.domain.decide.beginnings import (
    LONGEST_BURST,
    begin_or_wait,
    describe_wait,
    follow_copy,
    follow_data,
    follow_predecessor,
    needs_place,
    object_to_start,
)
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.decide.steps import Decision
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.checkpoint_copy import CheckpointCopy, Copied, CopyPaused
from spot_relay.domain.run.observation import CheckpointsCopied, DataArrived, Due, PredecessorEnded
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import Run, RunStatus
from spot_relay.domain.run.start import LONGEST_AHEAD, OnFailure, Start
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Checkpoint, Market
from tests.fakes import NOON
from tests.unit.worlds import deadline, submission

if TYPE_CHECKING:
    from collections.abc import Mapping

SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LATER = NOON + DAY
FROM_PREP: dict[str, Any] = {"continue_from": "prep"}
COPY = CheckpointCopy("s3://models/prep/")
ONE_AT_ONCE: dict[str, Any] = {"template": "templates/churn.yaml", "at_most": 1}


def a_run(name: str, start: Start | None = None, **changes: Any) -> Run:
    """A run as it was submitted at noon."""
    wanted = submission(name=name, CheckpointConfig={"S3Uri": f"s3://models/{name}/"})
    return replace(accept(replace(wanted, start=start or Start()), "one", NOON), outbox=Outbox(), **changes)


def waits(*after: str, **start: Any) -> Run:
    """The run `train`, which waits to begin."""
    return a_run("train", Start(after=after, **start))


def completed(*names: str) -> dict[str, Run | None]:
    """These runs, which have completed and left a model."""
    runs = {name: a_run(name, status=RunStatus.COMPLETED) for name in names}
    model = {name: f"s3://models/{name}/output/model.tar.gz" for name in names}
    return {name: run.with_attempt(replace(run.current, model_artifacts=model[name])) for name, run in runs.items()}


def looks(run: Run, now: datetime = LATER, known: Mapping[str, Run | None] | None = None, **facts: Any) -> Decision:
    """What follows a look at a run that waits to begin."""
    return begin_or_wait(run, Facts(Due(), predecessors=known or {}, **facts), now)


def begins(run: Run, now: datetime, reason: str, **changes: Any) -> Decision:
    """The run launches its first attempt, which is planned for this moment."""
    first = replace(run.current, planned_at=now, resumes_from=run.copying.newest if run.copying else None)
    launched = run.with_attempt(first)
    state: dict[str, Any] = {"waits_to_begin": False, "status": RunStatus.PENDING, "check_at": now + 90 * SECOND}
    return Decision(replace(launched, **state, updated_at=now, reason=reason, **changes), Outbox(launch=1), reason)


def waits_on(run: Run, now: datetime, reason: str, check_at: datetime, **changes: Any) -> Decision:
    """The run waits on until it looks again."""
    state: dict[str, Any] = {"status": RunStatus.PENDING, "check_at": check_at}
    return Decision(replace(run, **state, updated_at=now, reason=reason, **changes), Outbox(status=True), reason)


def assert_ends(decision: Decision, status: RunStatus, now: datetime, because: str | None) -> None:
    """The run has ended, its job was never created, and those that wait for its end are told."""
    run = decision.run
    assert (run.status, run.ended_at, run.updated_at, run.check_at) == (status, now, now, None)
    assert run.reason == decision.reason
    assert (run.current.status, run.current.outcome) == (AttemptStatus.ENDED, Outcome.NEVER_CREATED)
    assert (run.current.ended_at, run.current.failure_reason) == (now, because)
    assert replace(decision.owes, measures=()) == Outbox(tell_followers=True, status=True)


def test_a_run_begins_once_nothing_is_left_to_wait_for_and_says_what_has_come() -> None:
    one = waits("prep")
    both = waits("prep", "labels")
    timed = waits(at=LATER)
    placed = waits(**ONE_AT_ONCE)
    assert [
        looks(one, known=completed("prep")),
        looks(both, known=completed("prep", "labels")),
        looks(timed),
        looks(placed, has_place=True),
    ] == [
        begins(one, LATER, "The run prep has completed. Launching train-relay-01.", completed=("prep",)),
        begins(
            both,
            LATER,
            "All runs that it comes after have completed. Launching train-relay-01.",
            completed=("prep", "labels"),
        ),
        begins(timed, LATER, "Its time has come. Launching train-relay-01."),
        begins(placed, LATER, "No other run of templates/churn.yaml is under way. Launching train-relay-01."),
    ]


@pytest.mark.parametrize(("hours", "market"), [(27, Market.SPOT), (26, Market.ON_DEMAND)])
def test_a_run_begins_on_demand_if_its_wait_has_left_no_time_for_spot(hours: int, market: Market) -> None:
    timed = replace(submission(deadline(hours * 3600)), start=Start(at=LATER))
    run = accept(timed, "one", NOON)
    assert run.current.placement.market is Market.SPOT
    assert looks(run).run.current.placement.market is market


def test_a_run_with_one_thing_left_to_wait_for_waits_on() -> None:
    timed = waits("prep", at=LATER + SECOND)
    placed = waits(at=LATER, **ONE_AT_ONCE)
    one_left = waits("prep", "labels")
    prep, labels = completed("prep"), {"labels": a_run("labels")}
    assert [
        looks(timed, known=prep),
        looks(placed),
        looks(one_left, known=prep | labels),
    ] == [
        waits_on(
            timed,
            LATER,
            "Waiting until 2026-11-24T12:00:01Z, when the run starts.",
            LATER + SECOND,
            completed=("prep",),
        ),
        waits_on(placed, LATER, "Waiting until no other run of templates/churn.yaml is under way.", LATER + MINUTE),
        waits_on(
            one_left,
            LATER,
            "Waiting for the run labels to complete (1 of 2 have completed).",
            LATER + MINUTE,
            completed=("prep",),
        ),
    ]


@pytest.mark.parametrize(
    ("start", "age", "wait"),
    [
        (Start(after=("prep",)), timedelta(0), MINUTE),
        (Start(after=("prep",)), MINUTE - SECOND, MINUTE),
        (Start(after=("prep",)), MINUTE, HOUR),
        (Start(after=("prep",), at=NOON + DAY), timedelta(0), MINUTE),
        (Start(after=("prep",), at=NOON + DAY), 2 * HOUR, HOUR),
        (Start(after=("prep",), at=NOON + DAY), 23.5 * HOUR, 0.5 * HOUR),
        (Start(after=("prep",), at=NOON + DAY), DAY, HOUR),
        (Start(at=NOON + DAY), 2 * HOUR, 22 * HOUR),
        (Start(at=NOON + DAY, **ONE_AT_ONCE), 2 * HOUR, 22 * HOUR),
        (Start(**ONE_AT_ONCE), MINUTE - SECOND, MINUTE),
        (Start(**ONE_AT_ONCE), MINUTE, HOUR),
    ],
)
def test_a_run_looks_again_when_its_time_comes_and_else_in_a_minute_at_first_and_then_every_hour(
    start: Start, age: timedelta, wait: timedelta
) -> None:
    now = NOON + age
    run = a_run("train", start, updated_at=now)
    looked = looks(run, now, {"prep": a_run("prep")}).run
    assert (looked.check_at, looked.waits_to_begin) == (now + wait, True)


def test_a_run_that_comes_to_wait_for_its_place_looks_again_in_a_minute_because_the_index_lags() -> None:
    run = waits(at=LATER, **ONE_AT_ONCE)
    first = looks(run, LATER).run
    assert (run.waits_for_place, first.waits_for_place) == (False, True)
    assert first.check_at == LATER + MINUTE
    assert looks(first, LATER + MINUTE).run.check_at == LATER + MINUTE + HOUR


@pytest.mark.parametrize(
    ("age", "wait"), [(timedelta(0), MINUTE), (2 * HOUR, 0.5 * HOUR), (2.5 * HOUR - SECOND, SECOND)]
)
def test_a_run_whose_predecessor_is_unknown_looks_again_when_it_has_to_be_known(
    age: timedelta, wait: timedelta
) -> None:
    run = waits("prep", "labels", known_within_seconds=9000)
    now = NOON + age
    assert looks(run, now, {"prep": a_run("prep"), "labels": None}).run.check_at == now + wait


def test_a_run_fails_once_the_time_is_over_by_which_its_predecessor_has_to_be_known() -> None:
    run = waits("prep", known_within_seconds=9000)
    decision = looks(run, NOON + 2.5 * HOUR, {"prep": None})
    because = "There is no run prep, which this one comes after. Submit that one first, then resume this one."
    assert decision.reason == because
    assert_ends(decision, RunStatus.FAILED, NOON + 2.5 * HOUR, because)


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.STOPPED])
def test_a_run_fails_with_one_that_it_comes_after_unless_it_may_wait_for_that(status: RunStatus) -> None:
    known = completed("labels") | {"prep": a_run("prep", status=status)}
    decision = looks(waits("labels", "prep"), known=known)
    because = (
        f"This run comes after prep, which is {status}. Once that one has completed, resume this one. To have a run "
        "wait for that, write after.on_failure: wait."
    )
    assert decision.reason == because
    assert decision.run.completed == ("labels",)
    assert_ends(decision, RunStatus.FAILED, LATER, because)
    patient = looks(waits("labels", "prep", on_failure=OnFailure.WAIT), known=known)
    assert patient.reason == "Waiting for the run prep to complete (1 of 2 have completed)."


def test_runs_that_come_to_wait_for_each_other_fail_and_name_the_way_round() -> None:
    decision = looks(waits("prep"), known={"prep": a_run("prep", Start(after=("train",)))})
    because = "Runs wait for each other, so none of them can begin: train → prep → train."
    assert decision.reason == because
    assert_ends(decision, RunStatus.FAILED, LATER, because)


def test_a_run_whose_predecessors_were_not_all_looked_at_is_left_as_it_is() -> None:
    run = waits("prep", "labels")
    assert looks(run, known=completed("prep")) == Decision(run, Outbox(), "The run is not due yet.")


def test_a_run_that_is_stopped_before_it_begins_ends_without_a_job() -> None:
    run = replace(waits("prep"), stop_requested=True)
    decision = looks(run, known=completed("prep"))
    assert decision.reason == "Stopped by request."
    assert_ends(decision, RunStatus.STOPPED, LATER, None)


def test_a_run_that_continues_from_a_model_gets_it_as_an_input_channel() -> None:
    run = waits("labels", "PREP", continue_from="Prep", channel="base")
    known = completed("labels") | {"PREP": completed("prep")["prep"]}
    began = looks(run, known=known).run
    assert began.completed == ("labels", "PREP")
    assert began.training_job["InputDataConfig"] == snapshot(
        [
            {
                "ChannelName": "base",
                "ContentType": "application/x-sagemaker-model",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": "s3://models/prep/output/model.tar.gz",
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
                "CompressionType": "None",
                "InputMode": "File",
            }
        ]
    )
    assert (began.copying, began.waits_to_begin) == (None, False)


def test_a_run_gets_no_model_of_a_run_that_it_only_comes_after() -> None:
    run = waits("labels")
    assert looks(run, known=completed("labels")).run.training_job == run.training_job


def test_a_run_fails_if_the_one_that_it_continues_from_left_no_model() -> None:
    decision = looks(waits("prep", **FROM_PREP), known={"prep": a_run("prep", status=RunStatus.COMPLETED)})
    because = "This run continues from prep, which has completed but left no model. Name one that has."
    assert decision.reason == because
    assert_ends(decision, RunStatus.FAILED, LATER, because)


def test_a_run_that_continues_from_checkpoints_copies_them_before_it_begins() -> None:
    run = waits("prep", checkpoint=True, **FROM_PREP)
    reason = "Copying the checkpoints of prep to s3://models/train/."
    assert looks(run, known=completed("prep")) == Decision(
        replace(
            run,
            completed=("prep",),
            copying=COPY,
            updated_at=LATER,
            reason=reason,
            check_at=LATER + 90 * SECOND,
        ),
        Outbox(copy=True, status=True),
        reason,
    )


@pytest.mark.parametrize("status", [RunStatus.IN_PROGRESS, RunStatus.COMPLETED])
def test_checkpoints_that_can_never_be_copied_fail_the_run_before_the_other_one_has_ended(status: RunStatus) -> None:
    bare = replace(a_run("prep", status=status), training_job={})
    decision = looks(waits("prep", checkpoint=True, **FROM_PREP), known={"prep": bare})
    assert decision.reason == snapshot(
        "This run continues from the checkpoints of prep, which keeps none: its training job has no "
        "CheckpointConfig. Name a run that has."
    )
    assert decision.run.status is RunStatus.FAILED
    model = looks(waits("prep", **FROM_PREP), known={"prep": replace(bare, status=RunStatus.IN_PROGRESS)})
    assert model.run.status is RunStatus.PENDING
    other = looks(
        waits("prep", "labels", checkpoint=True, continue_from="labels"),
        known={"prep": bare, "labels": a_run("labels")},
    )
    assert other.run.status is RunStatus.PENDING


def test_a_run_begins_from_the_newest_checkpoint_of_its_copy() -> None:
    newest = Checkpoint("train/7.pt", NOON)
    copying = replace(COPY, done=3, after="6.pt", upload="part", tries=2)
    run = replace(waits("prep", checkpoint=True, **FROM_PREP), completed=("prep",), copying=copying)
    decision = follow_copy(run, CheckpointsCopied(copying, Copied(newest)), Facts(Due()), LATER)
    done = replace(run, copying=replace(COPY, done=3, newest=newest))
    reason = "The run prep has completed. Launching train-relay-01. It starts from the checkpoint train/7.pt."
    assert decision == begins(done, LATER, reason)


def test_a_copy_that_the_run_no_longer_waits_for_changes_nothing() -> None:
    run = replace(waits("prep", checkpoint=True, **FROM_PREP), completed=("prep",), copying=COPY)
    paused = CheckpointsCopied(COPY, CopyPaused(1, "1.pt"))
    for one in (
        replace(run, copying=replace(COPY, done=1)),
        replace(run, waits_to_begin=False),
        replace(run, status=RunStatus.STOPPED),
    ):
        decision = follow_copy(one, paused, Facts(paused), LATER)
        assert decision == Decision(one, Outbox(), "The run is not waiting for this copy of checkpoints.")
    stopping = follow_copy(replace(run, stop_requested=True), paused, Facts(paused), LATER)
    assert stopping.reason == "Stopped by request."
    assert_ends(stopping, RunStatus.STOPPED, LATER, None)


@pytest.mark.parametrize(
    "changes", [{"status": RunStatus.FAILED}, {"stop_requested": True}, {"waits_to_begin": False}], ids=str
)
def test_a_run_that_no_longer_waits_is_told_nothing_new_by_an_end_or_by_data(changes: dict[str, Any]) -> None:
    run = replace(waits("prep", at=NOON + MINUTE), **changes)
    told = follow_predecessor(run, Facts(PredecessorEnded(), predecessors=completed("prep")), LATER)
    assert told == Decision(run, Outbox(), "The run is not waiting for another run.")
    data = follow_data(run, DataArrived(NOON + HOUR), NOON)
    assert data == Decision(run, Outbox(), "The run no longer waits for more data.")


def test_the_end_of_a_run_lets_the_next_one_begin() -> None:
    run = waits("prep")
    facts = Facts(PredecessorEnded(), predecessors=completed("prep"))
    assert follow_predecessor(run, facts, LATER) == begin_or_wait(run, facts, LATER)
    assert not follow_predecessor(run, facts, LATER).run.waits_to_begin


def test_more_data_puts_the_start_off_but_not_for_longer_than_a_day() -> None:
    run = waits(at=NOON + MINUTE)
    now, reason = NOON + SECOND, "More data has arrived. Waiting until no more does."

    def put_off(to: datetime) -> Decision:
        later = replace(run, start=replace(run.start, at=to), check_at=to, updated_at=now, reason=reason)
        return Decision(later, Outbox(), reason)

    enough = Decision(run, Outbox(), "The run waits long enough for this data already.")
    settled = [NOON + MINUTE, NOON + MINUTE + SECOND, NOON + LONGEST_BURST, NOON + LONGEST_BURST + SECOND]
    assert [follow_data(run, DataArrived(at), now) for at in settled] == [
        enough,
        put_off(NOON + MINUTE + SECOND),
        put_off(NOON + DAY),
        put_off(NOON + DAY),
    ]


def test_more_data_leaves_the_look_at_other_runs_as_it_is() -> None:
    run = replace(waits("prep", at=NOON + MINUTE), check_at=NOON + 30 * SECOND)
    settled = DataArrived(NOON + HOUR)
    assert follow_data(run, settled, NOON).run.check_at == NOON + 30 * SECOND
    assert follow_data(replace(run, check_at=None), settled, NOON).run.check_at == NOON + HOUR
    assert follow_data(replace(run, completed=("prep",)), settled, NOON).run.check_at == NOON + HOUR


def test_data_that_arrives_for_a_run_without_a_time_or_one_that_copies_already_comes_too_late() -> None:
    timed = waits("prep", at=NOON + MINUTE)
    copying = replace(timed, copying=replace(COPY, done=1))
    for run in (waits("prep"), copying):
        decision = follow_data(run, DataArrived(NOON + HOUR), NOON)
        assert decision == Decision(run, Outbox(), "The run no longer waits for more data.")
    assert follow_data(replace(timed, copying=COPY), DataArrived(NOON + HOUR), NOON).run.start.at == NOON + HOUR


def test_a_place_matters_to_a_run_that_waits_for_nothing_else() -> None:
    facts = Facts(Due(), predecessors=completed("prep") | {"labels": a_run("labels")})
    needs = {
        "no limit": needs_place(waits("prep"), facts, LATER),
        "nothing else": needs_place(waits("prep", at=LATER, **ONE_AT_ONCE), facts, LATER),
        "a run": needs_place(waits("labels", **ONE_AT_ONCE), facts, LATER),
        "a time": needs_place(waits(at=LATER + SECOND, **ONE_AT_ONCE), facts, LATER),
    }
    assert needs == {"no limit": False, "nothing else": True, "a run": False, "a time": False}


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        (waits("prep"), "Waiting for the run prep to complete."),
        (waits("a", "b"), "Waiting for the runs a and b to complete (0 of 2 have completed)."),
        (waits("a", "b", "c"), "Waiting for the runs a, b and c to complete (0 of 3 have completed)."),
        (
            replace(waits("a", "b", "c", at=LATER + SECOND), completed=("b",)),
            "Waiting for the runs a and c to complete (1 of 3 have completed), and until 2026-11-24T12:00:01Z.",
        ),
        (waits("prep", at=LATER), "Waiting for the run prep to complete."),
        (waits(at=LATER + timedelta(seconds=1.5)), "Waiting until 2026-11-24T12:00:01Z, when the run starts."),
        (waits(at=LATER, **ONE_AT_ONCE), "Waiting until no other run of templates/churn.yaml is under way."),
        (
            replace(waits("prep", **(ONE_AT_ONCE | {"at_most": 3})), completed=("prep",)),
            "Waiting until fewer than 3 other runs of templates/churn.yaml are under way.",
        ),
    ],
)
def test_a_run_says_what_it_waits_for(run: Run, sentence: str) -> None:
    assert describe_wait(run, LATER) == sentence


def test_a_start_may_be_a_year_ahead_and_no_more() -> None:
    last = NOON + LONGEST_AHEAD
    assert object_to_start(waits(at=last), {}, NOON) == ()
    assert object_to_start(waits(at=NOON - DAY), {}, NOON) == ()
    assert object_to_start(waits(at=last + SECOND), {}, NOON) == (
        Objection("start_at", "2027-11-24T12:00:01Z is more than 366 days from now. Use an earlier time."),
    )


def test_a_submission_that_would_wait_for_itself_is_refused() -> None:
    known = {"b": a_run("b", Start(after=("train",)))}
    assert object_to_start(waits("b"), known, NOON) == (
        Objection("after", "Runs would wait for each other: train → b → train. Leave one of them out."),
    )


def test_a_submission_may_wait_for_fewer_than_a_hundred_runs() -> None:
    known = {f"run-{number}": a_run(f"run-{number}") for number in range(99)}
    assert object_to_start(waits("run-0"), known, NOON) == ()
    assert object_to_start(waits("run-0"), known | {"one-more": None}, NOON) == (
        Objection(
            "after",
            "The run would wait for 100 others or more, with those that they wait for. Submit it once some of them "
            "have completed.",
        ),
    )


def test_a_submission_is_told_of_every_run_that_it_can_never_come_after() -> None:
    known = {"prep": None, "labels": a_run("labels", status=RunStatus.FAILED), "good": a_run("good")}
    assert object_to_start(waits("prep", "good", "labels"), known, NOON) == (
        Objection(
            "after",
            "There is no run prep, which this one comes after. Submit that one first, then submit this one again.",
        ),
        Objection(
            "after",
            "This run comes after labels, which is Failed. Once that one has completed, submit this one again. To have "
            "a run wait for that, write after.on_failure: wait.",
        ),
    )
    assert object_to_start(waits("prep", known_within_seconds=60), {"prep": None}, NOON) == ()
