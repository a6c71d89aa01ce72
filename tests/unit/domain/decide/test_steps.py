"""The steps that decisions are made of, whole: what each changes about a run, what is owed for it, and what is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from spot_relay.domain.decide.steps import (
    KEPT_DECISIONS,
    LONGEST_EXPLANATION,
    Decision,
    change,
    close_uncreated,
    describe_giving_up,
    explain,
    finish,
    finish_stopped,
    forget_refusals,
    give_up_canary,
    last_word,
    launch_again,
    leave_queue,
    plan,
    record,
    unchanged,
)
from spot_relay.domain.rules.next_place import Onward, Place
from spot_relay.domain.run.attempt import Attempt, AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.hosting import (
    Deployment,
    HostingKind,
    HostingStatus,
    HostingStep,
    HostingTask,
    OnSuccess,
    Registration,
)
from spot_relay.domain.run.outbox import Measure, Outbox, Room
from spot_relay.domain.run.policy import Budgets, Policy, Spent
from spot_relay.domain.run.run import Explanation, Run, RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Checkpoint, Market, Placement
from spot_relay.domain.text import MAX_REASON_BYTES
from tests.fakes import NOON
from tests.unit.paid_runs import M5, accepted
from tests.unit.worlds import deadline

HOUR = 3600
NOW = NOON + timedelta(minutes=10)
PATIENCE = timedelta(seconds=90)
SPOT, ON_DEMAND = Placement(M5, 1, Market.SPOT), Placement(M5, 1, Market.ON_DEMAND)
ROOM = Outbox(freed=(Room(SPOT.pool),))
CANARY = Canary(1, "churn-canary-01", SPOT, NOON, HOUR, CanaryStatus.IN_PROGRESS)


RUN = accepted(status=AttemptStatus.IN_PROGRESS)


def changed(run: Run, reason: str, **changes: Any) -> Run:
    return replace(run, updated_at=NOW, reason=reason, **changes)


def test_a_run_that_stays_as_it_is_is_the_same_object_so_that_nothing_is_saved() -> None:
    decision = unchanged(RUN, "because")
    assert decision == Decision(RUN, Outbox(), "because", rejected=False)
    assert decision.run is RUN
    assert unchanged(RUN, "because", ROOM, rejected=True) == Decision(RUN, ROOM, "because", rejected=True)


@pytest.mark.parametrize(
    ("owes", "all_owed"),
    [
        (None, Outbox(status=True)),
        (ROOM, replace(ROOM, status=True)),
        (Outbox(launch=1), Outbox(launch=1)),
    ],
)
def test_a_change_is_written_to_the_status_document_unless_the_answer_to_a_launch_changes_it_again(
    owes: Outbox | None, all_owed: Outbox
) -> None:
    decision = change(RUN, NOW, "because", owes, check_at=NOON)
    assert decision == Decision(changed(RUN, "because", check_at=NOON), all_owed, "because")


@pytest.mark.parametrize("owes", [None, ROOM])
def test_what_is_only_recorded_waits_for_the_next_status_document(owes: Outbox | None) -> None:
    decision = record(RUN, NOW, "because", owes, check_at=NOON)
    assert decision == Decision(changed(RUN, "because", check_at=NOON), owes or Outbox(), "because")


def test_a_reason_is_clean_and_no_longer_than_there_is_room_for() -> None:
    decision = record(RUN, NOW, "a\n\x1b[31mred\x1b[0m" + "b" * MAX_REASON_BYTES)
    assert decision.reason == decision.run.reason == "a red" + "b" * (MAX_REASON_BYTES - 8) + "…"


def test_an_explanation_counts_with_the_last_two_and_no_earlier_one() -> None:
    entries = tuple(Explanation(NOON, "Due", reason) for reason in ("first", "second", "third"))
    run = replace(RUN, decisions=entries)
    again = replace(entries[1], times=2, until=NOW)
    assert explain(run, "Due", "second", NOW).decisions == (entries[0], again, entries[2])
    again = replace(entries[2], times=2, until=NOW)
    assert explain(run, "Due", "third", NOW).decisions == (*entries[:2], again)
    assert explain(run, "Due", "first", NOW).decisions == (*entries, Explanation(NOW, "Due", "first"))
    alone = replace(RUN, decisions=entries[:1])
    assert explain(alone, "Due", "first", NOW).decisions == (replace(entries[0], times=2, until=NOW),)
    assert explain(replace(RUN, decisions=()), "Due", "a", NOW).decisions == (Explanation(NOW, "Due", "a"),)


def test_a_long_explanation_is_shortened_and_still_counts_as_the_same() -> None:
    run = explain(explain(RUN, "Due", "a" * 900, NOON), "Due", "a" * 900, NOW)
    [entry] = run.decisions
    assert entry == Explanation(NOON, "Due", "a" * (LONGEST_EXPLANATION - 3) + "…", times=2, until=NOW)


def test_the_oldest_explanation_makes_way_once_there_are_forty() -> None:
    entries = tuple(Explanation(NOON, "Due", str(number)) for number in range(KEPT_DECISIONS))
    new = Explanation(NOW, "Due", "new")
    assert explain(replace(RUN, decisions=entries), "Due", "new", NOW).decisions == (*entries[1:], new)
    assert explain(replace(RUN, decisions=entries[1:]), "Due", "new", NOW).decisions == (*entries[1:], new)


@pytest.mark.parametrize(
    ("before", "after", "owes"),
    [
        (accepted(waits_for_room=True), accepted(), ROOM),
        (accepted(waits_for_room=True), accepted(waits_for_any_room=True), ROOM),
        (accepted(waits_for_room=True), accepted(waits_for_room=True), Outbox()),
        (accepted(), accepted(waits_for_room=True), Outbox()),
    ],
)
def test_a_run_that_leaves_the_queue_of_its_pool_lets_the_next_one_try(before: Run, after: Run, owes: Outbox) -> None:
    assert leave_queue(before, after) == owes


ENDED_WITH = (Measure("RunsFailed", 1, Market.SPOT, M5),)


@pytest.mark.parametrize("owes", [None, Outbox(freed=ROOM.freed, measures=(Measure("First", 1, Market.SPOT, M5),))])
def test_an_end_is_measured_told_to_all_who_wait_for_it_and_needs_no_further_look(owes: Outbox | None) -> None:
    run = replace(RUN, canaries=(CANARY,), waiting_tasks=("token",), on_success=ON_SUCCESS)
    before = owes or Outbox()
    expected = changed(
        run,
        "because",
        status=RunStatus.FAILED,
        ended_at=NOW,
        check_at=None,
        waiting_tasks=(),
        canaries=(replace(CANARY, status=CanaryStatus.ENDED),),
    )
    duties = replace(
        before,
        stop_canary="churn-canary-01",
        status=True,
        tell_followers=True,
        tasks=("token",),
        measures=(*before.measures, *ENDED_WITH),
    )
    assert finish(run, RunStatus.FAILED, NOW, "because", owes) == Decision(expected, duties, "because")


def test_an_end_after_the_deadline_is_measured_by_its_own_time() -> None:
    run = replace(RUN, deadline_at=NOW - timedelta(seconds=1))
    names = [measure.name for measure in finish(run, RunStatus.FAILED, NOW, "because").owes.measures]
    assert names == ["RunsFailed", "RunsPastDeadline"]


DEPLOYS = OnSuccess(deploy=Deployment("live", "image:1", "a-role", {}, M5, 1))
ON_SUCCESS = replace(DEPLOYS, register_model=Registration("models", "image:1"))


def test_a_run_that_completes_begins_what_is_to_be_done_with_its_model() -> None:
    run = replace(accepted(model_artifacts="s3://model"), on_success=ON_SUCCESS)
    decision = finish(run, RunStatus.COMPLETED, NOW, "because")
    assert [(task.kind, task.status, task.began_at) for task in decision.run.hosting] == [
        (HostingKind.REGISTER_MODEL, HostingStatus.IN_PROGRESS, NOW),
        (HostingKind.DEPLOY, HostingStatus.IN_PROGRESS, NOW),
    ]
    assert decision.owes == Outbox(
        status=True,
        tell_followers=True,
        host=(HostingKind.REGISTER_MODEL, HostingKind.DEPLOY),
        measures=(Measure("RunsCompleted", 1, Market.SPOT, M5),),
    )


def test_a_run_that_completes_without_a_model_has_failed_to_do_anything_with_it() -> None:
    decision = finish(replace(RUN, on_success=DEPLOYS), RunStatus.COMPLETED, NOW, "because")
    assert [(task.status, task.settled_at) for task in decision.run.hosting] == [(HostingStatus.FAILED, NOW)]
    assert decision.owes.host == ()
    assert decision.owes.measures == (
        Measure("RunsCompleted", 1, Market.SPOT, M5),
        Measure("HostingFailed", 1, Market.SPOT, M5),
    )


@pytest.mark.parametrize(
    ("failing_because", "status", "reason"),
    [
        (None, RunStatus.STOPPED, "Stopped by request."),
        ("It is too large.", RunStatus.FAILED, "It is too large."),
    ],
)
def test_a_stopped_run_fails_if_it_was_not_its_user_who_asked(
    failing_because: str | None, status: RunStatus, reason: str
) -> None:
    run = replace(RUN, failing_because=failing_because)
    assert finish_stopped(run, NOW) == finish(run, status, NOW, reason)
    more = finish_stopped(run, NOW, ROOM, " No job is left.")
    assert more == finish(run, status, NOW, f"{reason} No job is left.", ROOM)


def settled(seconds: float | None) -> HostingTask:
    """A part of what is done with a model, settled so many seconds ago."""
    at = None if seconds is None else NOW - timedelta(seconds=seconds)
    status = HostingStatus.SUCCEEDED if at else HostingStatus.IN_PROGRESS
    return HostingTask(HostingKind.DEPLOY, HostingStep.MODEL, status, "so", NOON, NOON, None, settled_at=at)


def ended(seconds: float, *hosting: HostingTask) -> Run:
    """A run that ended so many seconds ago."""
    return replace(RUN, status=RunStatus.COMPLETED, ended_at=NOW - timedelta(seconds=seconds), hosting=hosting)


@pytest.mark.parametrize(
    ("run", "writes"),
    [
        (ended(0), True),
        (ended(89.999), True),
        (ended(90), False),
        (ended(90, settled(89)), True),
        (ended(90, settled(None), settled(89)), True),
        (ended(90, settled(90)), False),
        (replace(ended(0), ended_at=None), False),
        (replace(ended(0), status=RunStatus.IN_PROGRESS), False),
    ],
)
def test_the_document_of_an_end_is_written_again_as_long_as_a_stalled_function_may_have_overwritten_it(
    run: Run, writes: bool
) -> None:
    assert last_word(run, NOW) == Outbox(status=writes)


NEWEST = Checkpoint("churn/checkpoints/b", NOON)


@pytest.mark.parametrize(
    ("checkpoint", "placement", "rung", "start"),
    [
        (None, SPOT, 0, "starts from the beginning"),
        (NEWEST, SPOT, 2, "continues from the checkpoint churn/checkpoints/b"),
        (NEWEST, ON_DEMAND, 1, "continues from the checkpoint churn/checkpoints/b on 1 x ml.m5.xlarge (on-demand)"),
    ],
)
@pytest.mark.parametrize("owes", [None, ROOM])
def test_the_next_attempt_is_planned_from_the_newest_checkpoint_and_its_launch_is_owed(
    checkpoint: Checkpoint | None, placement: Placement, rung: int, start: str, owes: Outbox | None
) -> None:
    run = replace(accepted(deadline(5 * HOUR), status=AttemptStatus.ENDED), canaries=(CANARY,))
    decision = plan(run, checkpoint, Onward(Place(rung, placement), Cause.STOPPED), NOW, "It ended.", owes)
    attempt = Attempt(
        number=2,
        job_name="churn-relay-02",
        placement=placement,
        planned_at=NOW,
        cause=Cause.STOPPED,
        resumes_from=checkpoint,
        rung=rung,
        max_wait_seconds=5 * HOUR - 600 if placement is SPOT else None,
    )
    reason = f"It ended. churn-relay-02 {start}."
    expected = changed(
        run,
        reason,
        status=RunStatus.PENDING,
        attempts=(run.current, attempt),
        canaries=(replace(CANARY, status=CanaryStatus.ENDED),),
        check_at=NOW + PATIENCE,
    )
    duties = replace(owes or Outbox(), stop_canary="churn-canary-01", launch=2)
    assert decision == Decision(expected, duties, reason)


@pytest.mark.parametrize(
    ("moved_to", "kept"), [(None, None), (Market.SPOT, None), (Market.ON_DEMAND, Market.ON_DEMAND)]
)
def test_a_move_to_spot_is_over_with_the_next_attempt_and_one_on_demand_lasts(
    moved_to: Market | None, kept: Market | None
) -> None:
    run = replace(accepted(status=AttemptStatus.ENDED), moved_to=moved_to)
    assert plan(run, None, Onward(Place(0, SPOT), Cause.MOVED), NOW, "So.").run.moved_to is kept


def test_a_run_that_cannot_pay_for_the_next_attempt_fails_with_what_it_owes() -> None:
    run = accepted(Policy(Budgets(money_usd=0.05)), status=AttemptStatus.ENDED)
    decision = plan(run, None, Onward(Place(0, SPOT), Cause.STOPPED), NOW, "It ended.", ROOM)
    reason = (
        "It ended. policy.budgets.money_usd is 0.0500 USD. 0.00 USD is spent, and an attempt on 1 x ml.m5.xlarge "
        "(spot) may cost up to 0.0800 USD (MaxRuntimeInSeconds 3600). Resume the run with policy.budgets.money_usd set "
        "to 0.0800 or more."
    )
    assert decision == finish(run, RunStatus.FAILED, NOW, reason, ROOM)


@pytest.mark.parametrize(("reason", "said"), [(None, "Trying to launch churn-relay-01 again."), ("So.", "So.")])
def test_a_launch_that_may_never_have_happened_is_owed_again(reason: str | None, said: str) -> None:
    run = replace(RUN, status=RunStatus.IN_PROGRESS)
    again = replace(run.current, refusals=3)
    expected = changed(
        run.with_attempt(replace(again, status=AttemptStatus.PLANNED)),
        said,
        status=RunStatus.PENDING,
        check_at=NOW + PATIENCE,
    )
    assert launch_again(run, again, NOW, reason) == Decision(expected, Outbox(launch=1), said)


def test_a_launch_that_succeeded_gives_back_the_budget_of_refusals_and_no_other() -> None:
    run = replace(RUN, spent=Spent(1, 2, 3, 4, 5, 6))
    assert forget_refusals(run) == replace(run, spent=Spent(1, 2, 3, 4, 5, 0))


QUOTA = "The account-level service limit 'ml.m5.xlarge for processing job usage' is 1 Instances."
LIMIT = "policy.budgets.refusals allows no further try (limit: 7)."
ADVICE = "Resume the run when the cause is gone, or submit a corrected spec under another name."


@pytest.mark.parametrize(
    ("message", "unrecognized", "reason"),
    [
        ("Odd.", 9, f"Odd. {LIMIT} {ADVICE}"),
        (
            "Odd.",
            10,
            "Odd. SageMaker has refused it 10 times with an error that Spot Relay does not know. " + ADVICE,
        ),
        (None, 0, f" {LIMIT} {ADVICE}"),
        (
            QUOTA,
            0,
            f"{QUOTA} {LIMIT} Ask AWS to raise the service quota 'ml.m5.xlarge for processing job usage', or wait "
            "until less of it is in use, and resume the run.",
        ),
    ],
)
def test_an_attempt_that_is_launched_no_more_says_how_often_it_was_refused(
    message: str | None, unrecognized: int, reason: str
) -> None:
    run = accepted(Policy(Budgets(refusals=7)), failure_reason=message, unrecognized_refusals=unrecognized)
    assert describe_giving_up(run, run.current) == f"Could not create churn-relay-01: {reason}"


@pytest.mark.parametrize("why", [None, "No."])
def test_an_attempt_that_was_never_created_ended_when_that_was_known_and_waits_for_nothing(why: str | None) -> None:
    waits = accepted(waits_for_room=True, waits_for_any_room=True, failure_reason="Earlier.").current
    assert close_uncreated(waits, NOW, why) == replace(
        waits,
        status=AttemptStatus.ENDED,
        outcome=Outcome.NEVER_CREATED,
        failure_reason=why,
        ended_at=NOW,
        waits_for_room=False,
        waits_for_any_room=False,
    )


@pytest.mark.parametrize("status", [CanaryStatus.PLANNED, CanaryStatus.IN_PROGRESS])
def test_a_canary_that_is_given_up_is_stopped(status: CanaryStatus) -> None:
    run = replace(RUN, canaries=(replace(CANARY, status=status),))
    over = replace(RUN, canaries=(replace(CANARY, status=CanaryStatus.ENDED),))
    assert give_up_canary(run) == (over, Outbox(stop_canary="churn-canary-01"))
    assert give_up_canary(over) == (over, Outbox())
    assert give_up_canary(RUN) == (RUN, Outbox())
