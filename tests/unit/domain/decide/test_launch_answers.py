"""What the answer to a launch makes of a run, whole: the job exists, or it was refused, for now or for good."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.decide.launch_answers import follow_launch, follow_refusal, go_on_demand
from spot_relay.domain.decide.steps import Decision
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.observation import Due, Launched, Refused
from spot_relay.domain.run.outbox import Measure, Outbox, Room
from spot_relay.domain.run.policy import Backoff, Budgets, Policy, Rung, Spent
from spot_relay.domain.run.run import Run, RunStatus
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.fakes import NOON
from tests.unit.paid_runs import M5, P3, accepted
from tests.unit.worlds import deadline

if TYPE_CHECKING:
    from spot_relay.domain.run.cause import Demand

HOUR = 3600
NOW = NOON + timedelta(minutes=10)
EVERY = timedelta(minutes=7)
SPOT_M5, SPOT_P3 = Placement(M5, 1, Market.SPOT), Placement(P3, 1, Market.SPOT)
ON_DEMAND_M5, ON_DEMAND_P3 = Placement(M5, 1, Market.ON_DEMAND), Placement(P3, 1, Market.ON_DEMAND)
LADDER = (Rung(SPOT_M5), Rung(SPOT_P3))
# What may keep an attempt from being launched, and the same without it.
KEPT_BACK: dict[str, Any] = {
    "refusals": 3,
    "unrecognized_refusals": 2,
    "waits_for_room": True,
    "waits_for_any_room": True,
    "waiting_since": NOON,
    "turn_at": NOON,
}
FREE: dict[str, Any] = {
    "refusals": 0,
    "unrecognized_refusals": 0,
    "waits_for_room": False,
    "waits_for_any_room": False,
    "waiting_since": None,
    "turn_at": None,
}
SECRET = "Role very-secret does not exist"


def changed(run: Run, decision: Decision, **attempt: Any) -> Run:
    """The run with its newest attempt changed, and with the time and the reason of a decision."""
    return replace(run.with_attempt(replace(run.current, **attempt)), updated_at=NOW, reason=decision.reason)


def refuse(
    run: Run, refusal: Refusal, message: str = "No", draw: float = 0.5, turn_at: datetime | None = None
) -> Decision:
    return follow_refusal(run, Refused(1, refusal, message, turn_at), Facts(Due(), draw=draw, check_every=EVERY), NOW)


def test_a_job_that_was_created_lives_where_it_is_and_nothing_is_left_of_what_kept_it_back() -> None:
    run = replace(
        accepted(Policy(ladder=LADDER), **KEPT_BACK, gives_up=True), spent=Spent(service_errors=1, refusals=7)
    )
    decision = follow_launch(run, Launched(1, "arn", SPOT_P3), Facts(Due()), NOW)
    lives = {
        **FREE,
        "gives_up": False,
        "status": AttemptStatus.IN_PROGRESS,
        "arn": "arn",
        "launched_at": NOW,
        "waiting_since": NOW,
    }
    expected = replace(
        changed(run, decision, **lives, placement=SPOT_P3, rung=1),
        status=RunStatus.IN_PROGRESS,
        spent=Spent(service_errors=1),
        check_at=NOW + timedelta(seconds=30),
    )
    measures = (Measure("AttemptsLaunched", 1, Market.SPOT, M5),)
    reason = "Created churn-relay-01 for the submitted spec."
    assert decision == Decision(expected, Outbox(status=True, measures=measures), reason)


@pytest.mark.parametrize(
    ("known", "look"),
    [
        ({}, EVERY),
        ({"unrecognized_refusals": 1}, EVERY),
        ({"refusals": 1}, timedelta(seconds=30)),
        ({"switch_to": Market.ON_DEMAND}, timedelta(seconds=30)),
        ({"switch_to": Market.SPOT}, EVERY),
    ],
)
def test_a_job_is_looked_at_soon_if_it_may_be_older_than_its_answer_or_has_to_switch(
    known: dict[str, Any], look: timedelta
) -> None:
    decision = follow_launch(accepted(**known), Launched(1, "arn"), Facts(Due(), check_every=EVERY), NOW)
    assert decision.run.check_at == NOW + look
    assert decision.run.current.placement == SPOT_M5


def test_a_job_of_a_run_that_is_being_stopped_is_stopped_once_it_is_known_to_exist() -> None:
    run = replace(accepted(), stop_requested=True, status=RunStatus.STOPPING)
    decision = follow_launch(run, Launched(1, "arn"), Facts(Due(), check_every=EVERY), NOW)
    assert (decision.run.status, decision.run.check_at) == (RunStatus.STOPPING, NOW + timedelta(seconds=30))
    measures = (Measure("AttemptsLaunched", 1, Market.SPOT, M5),)
    assert decision.owes == Outbox(stop="churn-relay-01", status=True, measures=measures)
    assert decision.reason == "Created churn-relay-01 for the submitted spec. Stopping it as requested."


@pytest.mark.parametrize(
    ("run", "attempt", "owes", "reason"),
    [
        (accepted(), 7, Outbox(), "The run has no attempt 7."),
        (accepted(status=AttemptStatus.IN_PROGRESS), 1, Outbox(), "churn-relay-01 is already known to exist."),
        (
            accepted(status=AttemptStatus.ENDED, outcome=Outcome.NEVER_CREATED),
            1,
            Outbox(stop="churn-relay-01"),
            "The run no longer needs churn-relay-01. Stopping it.",
        ),
    ],
)
def test_the_answer_to_a_launch_that_is_over_changes_nothing(run: Run, attempt: int, owes: Outbox, reason: str) -> None:
    assert follow_launch(run, Launched(attempt, "arn"), Facts(Due()), NOW) == Decision(run, owes, reason)


@pytest.mark.parametrize(
    "run",
    [
        replace(accepted(), attempts=()),
        replace(accepted(), status=RunStatus.FAILED),
        accepted(status=AttemptStatus.IN_PROGRESS),
        accepted(status=AttemptStatus.ENDED),
    ],
)
def test_the_refusal_of_a_launch_that_is_over_changes_nothing(run: Run) -> None:
    assert refuse(run, Refusal.INVALID) == Decision(run, Outbox(), "The refusal is out of date and changes nothing.")


def test_a_refusal_for_good_ends_the_run_with_the_message_and_frees_its_room() -> None:
    run = accepted(**KEPT_BACK)
    decision = refuse(run, Refusal.INVALID, SECRET)
    ended = {
        "status": AttemptStatus.ENDED,
        "outcome": Outcome.NEVER_CREATED,
        "failure_reason": "Role [hidden] does not exist.",
        "ended_at": NOW,
        "waits_for_room": False,
        "waits_for_any_room": False,
        "turn_at": None,
    }
    expected = replace(changed(run, decision, **ended), status=RunStatus.FAILED, ended_at=NOW, check_at=None)
    owes = Outbox(
        freed=(Room(SPOT_M5.pool, "churn-relay-01"),),
        status=True,
        tell_followers=True,
        measures=(Measure("RunsFailed", 1, Market.SPOT, M5),),
    )
    reason = (
        "SageMaker refused to create churn-relay-01: Role [hidden] does not exist. Correct what the message names and "
        "resume the run, or submit a corrected spec under another name."
    )
    assert decision == Decision(expected, owes, reason)


@pytest.mark.parametrize(
    ("stop_requested", "failing_because", "status"),
    [
        (False, None, RunStatus.FAILED),
        (True, None, RunStatus.STOPPED),
        (True, "Too large.", RunStatus.FAILED),
    ],
)
def test_a_refusal_for_good_stops_a_run_that_its_user_wants_stopped(
    stop_requested: bool, failing_because: str | None, status: RunStatus
) -> None:
    run = replace(accepted(), stop_requested=stop_requested, failing_because=failing_because)
    decision = refuse(run, Refusal.QUOTA_TOO_SMALL)
    assert decision.run.status is status
    assert decision.run.closed == (() if stop_requested else (SPOT_M5,))


def test_a_refused_placement_is_closed_once_and_the_attempt_goes_to_the_next() -> None:
    policy = replace(deadline(40 * HOUR), ladder=LADDER)
    known = {**KEPT_BACK, "switch_to": Market.SPOT}
    run = replace(accepted(policy, **known), closed=(SPOT_M5,))
    decision = refuse(run, Refusal.PLACEMENT_REJECTED)
    moved = {**FREE, "switch_to": None, "placement": SPOT_P3, "rung": 1, "cause": Cause.AHEAD_OF_PACE}
    expected = replace(
        changed(run, decision, **moved, max_wait_seconds=40 * HOUR - 600),
        status=RunStatus.PENDING,
        check_at=NOW + timedelta(seconds=90),
    )
    reason = "SageMaker refused to create churn-relay-01: No. Launching it on 1 x ml.p3.2xlarge (spot) instead."
    assert decision == Decision(expected, Outbox(launch=1), reason)


# It is behind its pace 645 seconds after its submission.
TIGHT = replace(deadline(9645, changeover_seconds=60), ladder=LADDER)


@pytest.mark.parametrize(
    ("policy", "max_wait", "seconds"),
    [(Policy(ladder=LADDER), None, 60), (TIGHT, 9045, 45)],
    ids=["without a deadline", "behind its pace soon"],
)
def test_an_attempt_that_goes_to_a_pool_without_capacity_rests_before_as_long_as_the_deadline_allows(
    policy: Policy, max_wait: int | None, seconds: int
) -> None:
    run = accepted(replace(policy, backoff=Backoff(40, 900)))
    failed = replace(
        run.current,
        placement=SPOT_P3,
        rung=1,
        status=AttemptStatus.ENDED,
        outcome=Outcome.CAPACITY_ERROR,
        ended_at=NOW,
    )
    third = replace(run.current, number=3, job_name="churn-relay-03")
    run = replace(run, attempts=(failed, failed, third))
    answer = Refused(3, Refusal.QUOTA_TOO_SMALL, "No")
    decision = follow_refusal(run, answer, Facts(Due(), draw=0.75), NOW)
    closed = replace(run, closed=(SPOT_M5,))
    expected = replace(
        changed(closed, decision, placement=SPOT_P3, rung=1, max_wait_seconds=max_wait),
        status=RunStatus.PENDING,
        check_at=NOW + timedelta(seconds=seconds),
    )
    reason = (
        "SageMaker refused to create churn-relay-03: No. Launching it on 1 x ml.p3.2xlarge (spot) instead, in "
        f"{seconds} s."
    )
    assert decision == Decision(expected, Outbox(status=True), reason)


def test_no_run_goes_to_a_placement_that_it_cannot_pay() -> None:
    run = accepted(Policy(Budgets(money_usd=1), ladder=LADDER))
    decision = refuse(run, Refusal.QUOTA_TOO_SMALL)
    assert decision.run.status is RunStatus.FAILED
    assert decision.reason == (
        "SageMaker refused to create churn-relay-01: No. Its next placement costs too much. policy.budgets.money_usd "
        "is 1.00 USD. 0.00 USD is spent, and an attempt on 1 x ml.p3.2xlarge (spot) may cost up to 3.60 USD "
        "(MaxRuntimeInSeconds 3600). Set policy.budgets.money_usd to 3.60 or more, or lower MaxRuntimeInSeconds."
    )


@pytest.mark.parametrize(
    ("refusal", "queued", "draw", "seconds"),
    [
        (Refusal.QUOTA_FULL, False, 0.75, 60),
        (Refusal.LIMIT_REACHED, True, 0.75, 60),
        (Refusal.QUEUED_BEHIND, False, 0.0, 60),
        (Refusal.QUEUED_BEHIND, False, 0.75, 105),
        (Refusal.QUEUED_BEHIND, True, 0.0, 900),
        (Refusal.QUEUED_BEHIND, True, 0.75, 1575),
    ],
)
def test_a_run_that_waits_for_room_looks_each_minute_and_one_behind_others_each_quarter_of_an_hour(
    refusal: Refusal, queued: bool, draw: float, seconds: int
) -> None:
    known = {**KEPT_BACK, "waits_for_room": queued, "waits_for_any_room": False, "waiting_since": None}
    run = accepted(**known)
    decision = refuse(run, refusal, draw=draw)
    waits = {**known, "waits_for_room": True, "refusals": 0, "unrecognized_refusals": 0, "waiting_since": NOW}
    expected = replace(changed(run, decision, **{**waits, "turn_at": None}), check_at=NOW + timedelta(seconds=seconds))
    assert (decision.run, decision.owes) == (expected, Outbox(status=True))


def test_an_attempt_that_waited_for_any_pool_waits_for_its_own_since_then() -> None:
    decision = refuse(accepted(waits_for_any_room=True, waiting_since=NOON), Refusal.QUOTA_FULL)
    attempt = decision.run.current
    assert (attempt.waits_for_room, attempt.waits_for_any_room, attempt.waiting_since) == (True, False, NOON)


@pytest.mark.parametrize(("seconds", "look"), [(9000 - 29, 30), (9000 - 31, 31), (9000 - 59, 59), (9000 - 61, 60)])
def test_a_run_behind_its_pace_looks_when_it_has_to_go_on_demand(seconds: int, look: int) -> None:
    now = NOON + timedelta(seconds=seconds)
    run = accepted(deadline(5 * HOUR), waits_for_room=True, waiting_since=NOON)
    decision = follow_refusal(run, Refused(1, Refusal.QUOTA_FULL, "Full"), Facts(Due()), now)
    assert decision.run.check_at == now + timedelta(seconds=look)


QUOTA = "The account-level service limit 'ml.m5.xlarge for spot training job usage' is 1,200 Instances"


@pytest.mark.parametrize(
    ("refusal", "message", "reason"),
    [
        (Refusal.QUEUED_BEHIND, "Two wait before", "Two wait before. churn-relay-01 starts when its turn comes."),
        (
            Refusal.LIMIT_REACHED,
            "Two run",
            "Two run. churn-relay-01 starts when one of them ends. Trying again every minute.",
        ),
        (
            Refusal.QUOTA_FULL,
            f"{QUOTA}, with current utilization of 1,190 Instances and a request delta of 1,010 Instances.",
            "The quota for ml.m5.xlarge (spot) has no room (1,190 of 1,200 in use, 1,010 needed). churn-relay-01 is "
            "next in the queue and starts when enough instances are free. Trying again every minute.",
        ),
        *(
            (
                Refusal.QUOTA_FULL,
                message,
                f"The quota for ml.m5.xlarge (spot) has no room: {message} churn-relay-01 is next in the queue and "
                "starts when enough instances are free. Trying again every minute.",
            )
            for message in (
                "Full.",
                f"{QUOTA}.",
                f"{QUOTA}, with current utilization of 1,190 Instances.",
                f"{QUOTA}, with a request delta of 1,010 Instances.",
            )
        ),
    ],
)
def test_a_wait_for_room_says_what_it_waits_for(refusal: Refusal, message: str, reason: str) -> None:
    assert refuse(accepted(), refusal, message).reason == reason


@pytest.mark.parametrize(
    ("is_woken", "look"), [(False, timedelta(seconds=-1.5)), (True, timedelta(minutes=1))], ids=["tick", "message"]
)
def test_a_launch_whose_turn_is_to_come_keeps_it_and_its_place_in_the_queue(is_woken: bool, look: timedelta) -> None:
    run, turn_at = accepted(**{**KEPT_BACK, "turn_at": None}), NOW + timedelta(minutes=5)
    answer = Refused(1, Refusal.AWAITS_TURN, "Others first", turn_at, is_woken)
    decision = follow_refusal(run, answer, Facts(Due()), NOW)
    expected = replace(changed(run, decision, turn_at=turn_at), check_at=turn_at + look)
    reason = "Others first. churn-relay-01 is launched at 2026-11-23 12:15:00 UTC."
    assert decision == Decision(expected, Outbox(status=True), reason)


def test_a_launch_whose_turn_is_to_come_takes_it_no_more_once_its_run_is_being_stopped() -> None:
    run, turn_at = replace(accepted(), stop_requested=True), NOW + timedelta(minutes=1)
    decision = refuse(run, Refusal.AWAITS_TURN, "Others first", turn_at=turn_at)
    expected = replace(changed(run, decision, turn_at=turn_at), check_at=NOW + timedelta(minutes=5))
    reason = "Others first. Checking in 5 minutes whether it exists, to stop it."
    assert decision == Decision(expected, Outbox(status=True), reason)


# By refusal: what it changes about an attempt that had three refusals and waits for room; how many seconds later the
# next try comes, by a draw of a half; and what is said of that.
TRIES: list[tuple[Refusal, dict[str, Any], float, str]] = [
    (Refusal.THROTTLED, {"refusals": 4}, 60, "Trying again within 110 s, or sooner if instances become free."),
    (
        Refusal.UNDESCRIBED,
        {},
        60,
        "Trying again within 110 s, or sooner if instances become free.",
    ),
    (Refusal.UNAVAILABLE, {"refusals": 4}, 20, "Trying again within 40 s, or sooner if instances become free."),
    (
        Refusal.UNRECOGNIZED,
        {"refusals": 4, "unrecognized_refusals": 3, "waits_for_room": False, "waits_for_any_room": False},
        20,
        "Trying again within 40 s.",
    ),
    (
        Refusal.SHARED_QUOTA_FULL,
        {"refusals": 4, "waits_for_room": False},
        20,
        "Trying again within 40 s, or sooner if instances become free.",
    ),
    (
        Refusal.OTHER_QUOTA_FULL,
        {"refusals": 4, "waits_for_room": False, "waits_for_any_room": False},
        20,
        "Trying again within 40 s.",
    ),
]


@pytest.mark.parametrize(("refusal", "counted", "seconds", "then"), TRIES)
def test_a_refusal_that_passes_is_counted_and_tried_again(
    refusal: Refusal, counted: dict[str, Any], seconds: float, then: str
) -> None:
    run = accepted(Policy(Budgets(refusals=8), Backoff(5, 40)), **KEPT_BACK)
    run = replace(run, spent=Spent(expired_waits=1, refusals=7))
    decision = refuse(run, refusal, SECRET)
    expected = replace(
        changed(run, decision, **{"turn_at": None, **counted}),
        spent=Spent(expired_waits=1, refusals=7 if refusal is Refusal.UNDESCRIBED else 8),
        check_at=NOW + timedelta(seconds=seconds),
    )
    reason = f"Could not create churn-relay-01 yet: Role [hidden] does not exist. {then}"
    assert decision == Decision(expected, Outbox(status=True), reason)


@pytest.mark.parametrize(("draw", "seconds"), [(0.0, 20), (0.5, 65), (0.75, 87.5)])
@pytest.mark.parametrize("refusal", [Refusal.THROTTLED, Refusal.UNDESCRIBED])
def test_a_launch_that_was_throttled_does_not_back_off(refusal: Refusal, draw: float, seconds: float) -> None:
    assert refuse(accepted(refusals=9), refusal, draw=draw).run.check_at == NOW + timedelta(seconds=seconds)


def test_a_run_that_is_being_stopped_counts_no_refusal_and_looks_for_its_job_in_five_minutes() -> None:
    policy = Policy(Budgets(refusals=0))
    run = replace(accepted(policy, unrecognized_refusals=9, refusals=9), stop_requested=True)
    decision = refuse(run, Refusal.UNRECOGNIZED)
    expected = replace(
        changed(run, decision, refusals=10, unrecognized_refusals=10), check_at=NOW + timedelta(minutes=5)
    )
    reason = "Could not create churn-relay-01 yet: No. Checking in 5 minutes whether it exists, to stop it."
    assert decision == Decision(expected, Outbox(status=True), reason)


def test_a_run_whose_budget_of_refusals_is_spent_gives_up_its_attempt() -> None:
    run = accepted(Policy(Budgets(refusals=7)), **KEPT_BACK)
    run = replace(run, spent=Spent(refusals=7))
    decision = refuse(run, Refusal.UNAVAILABLE)
    last = {
        "refusals": 4,
        "gives_up": True,
        "failure_reason": "No.",
        "waits_for_room": False,
        "waits_for_any_room": False,
        "turn_at": None,
    }
    expected = replace(changed(run, decision, **last), check_at=NOW + timedelta(minutes=5))
    reason = (
        "Could not create churn-relay-01: No. policy.budgets.refusals allows no further try (limit: 7). Resume the run "
        "when the cause is gone, or submit a corrected spec under another name. Checking in 5 minutes that it does not "
        "exist."
    )
    assert decision == Decision(expected, Outbox(status=True), reason)


def test_a_launch_that_is_not_understood_for_the_tenth_time_goes_elsewhere_or_is_given_up() -> None:
    policy = replace(deadline(40 * HOUR), budgets=Budgets(refusals=0), ladder=LADDER)
    elsewhere = accepted(policy, refusals=20, unrecognized_refusals=9)
    decision = refuse(elsewhere, Refusal.UNRECOGNIZED)
    moved = {"placement": SPOT_P3, "rung": 1, "refusals": 0, "unrecognized_refusals": 0}
    expected = replace(
        changed(elsewhere, decision, **moved, max_wait_seconds=40 * HOUR - 600),
        status=RunStatus.PENDING,
        closed=(SPOT_M5,),
        check_at=NOW + timedelta(seconds=90),
    )
    reason = (
        "SageMaker has refused to create churn-relay-01 10 times: No. Launching it on 1 x ml.p3.2xlarge (spot) instead."
    )
    assert decision == Decision(expected, Outbox(launch=1), reason)
    nowhere = accepted(unrecognized_refusals=9)
    decision = refuse(nowhere, Refusal.UNRECOGNIZED)
    last = {"refusals": 1, "unrecognized_refusals": 10, "gives_up": True, "failure_reason": "No."}
    expected = replace(changed(nowhere, decision, **last), closed=(SPOT_M5,), check_at=NOW + timedelta(minutes=5))
    assert (decision.run, decision.owes) == (expected, Outbox(status=True))


DEMANDS = [
    (Cause.SAFETY_NET, "The deadline leaves no more time for churn-relay-01 to wait for spot."),
    (Cause.BEHIND_PACE, "churn-relay-01 has waited so long for spot that the deadline is at risk."),
]


@pytest.mark.parametrize(("demand", "why"), DEMANDS)
def test_an_attempt_that_waits_too_long_for_room_on_spot_is_launched_on_demand(demand: Demand, why: str) -> None:
    run = accepted(replace(deadline(40 * HOUR), ladder=LADDER), **{**KEPT_BACK, "switch_to": Market.SPOT})
    run = replace(run, closed=(ON_DEMAND_M5,))
    decision = go_on_demand(run, run.current, demand, NOW)
    moved = {**FREE, "turn_at": NOON, "switch_to": None}
    expected = replace(
        changed(run, decision, **moved, placement=ON_DEMAND_P3, rung=1, cause=demand, max_wait_seconds=None),
        status=RunStatus.PENDING,
        check_at=NOW + timedelta(seconds=90),
    )
    reason = f"{why} Launching it on 1 x ml.p3.2xlarge (on-demand) instead."
    assert decision == Decision(expected, Outbox(launch=1), reason)


def test_an_attempt_that_cannot_go_on_demand_is_launched_where_it_waits() -> None:
    run = replace(accepted(deadline(5 * HOUR), **KEPT_BACK), closed=(ON_DEMAND_M5,))
    decision = go_on_demand(run, run.current, Cause.BEHIND_PACE, NOW)
    expected = replace(changed(run, decision), status=RunStatus.PENDING, check_at=NOW + timedelta(seconds=90))
    assert decision == Decision(expected, Outbox(launch=1), "Trying to launch churn-relay-01 again.")


def test_a_relaunch_is_measured_from_the_end_before_it_once_it_has_succeeded() -> None:
    run = accepted(status=AttemptStatus.ENDED, ended_at=NOON)
    second = replace(run.current, number=2, status=AttemptStatus.PLANNED, ended_at=None, cause=Cause.STOPPED)
    decision = follow_launch(run.with_attempt(second), Launched(2, "arn"), Facts(Due()), NOW)
    found = [(measure.name, measure.value) for measure in decision.owes.measures]
    assert found == [("AttemptsLaunched", 1), ("RelaunchesAfterStopped", 1), ("EventToRelaunchSeconds", 600)]
