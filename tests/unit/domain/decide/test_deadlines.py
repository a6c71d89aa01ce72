"""What follows exactly when a user changes or removes a deadline: the new one, the next look, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.decide.deadlines import change_deadline, follow_request
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.decide.steps import Decision
from spot_relay.domain.run.attempt import AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.observation import DeadlineChange, DeadlineRequested
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import Deadline, Policy, ReturnToSpot
from spot_relay.domain.run.run import Run, RunStatus
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.job import Absent, Checkpoint, Job, Market, Placement, Transition
from spot_relay.domain.values import No
from tests.fakes import NOON
from tests.unit.worlds import deadline, submission

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
LATER = NOON + HOUR
# Two hours of training, and a changeover of ten minutes.
KNOWN = deadline(20 * 3600)
NEEDED = 2 * HOUR + 10 * MINUTE
CANARY = Canary(1, "churn-canary-01", Placement("ml.m5.xlarge", 1, Market.SPOT), NOON, 3600)
TOO_EARLY = (
    "The deadline {} cannot be met, even on-demand: training and one changeover take until {}. Use that time or a "
    "later one."
)


def a_run(policy: Policy | None = KNOWN, start: Start | None = None, **changes: Any) -> Run:
    """A run that was submitted at noon, and is next looked at after six hours."""
    spec = replace(submission(policy, **changes), start=start or Start())
    return replace(accept(spec, "one", NOON), outbox=Outbox(), check_at=NOON + 6 * HOUR)


def lives(run: Run, **changes: Any) -> Run:
    """The same with a live job, which trains."""
    attempt = replace(run.current, status=AttemptStatus.IN_PROGRESS, launched_at=NOON, **changes)
    return replace(run.with_attempt(attempt), status=RunStatus.IN_PROGRESS)


def ended(run: Run) -> Run:
    """The same between two attempts."""
    return run.with_attempt(replace(run.current, status=AttemptStatus.ENDED))


def asks(run: Run, now: datetime = LATER, facts: dict[str, Any] | None = None, **change: Any) -> Decision:
    request = DeadlineRequested(DeadlineChange(**change))
    return follow_request(run, request, Facts(request, **facts or {}), now)


def removes(run: Run, now: datetime = LATER) -> Decision:
    request = DeadlineRequested(None)
    return follow_request(run, request, Facts(request), now)


def adopted(run: Run, policy: Deadline, at: datetime, reason: str, check_at: datetime = LATER) -> Decision:
    """The run has another deadline from now on."""
    kept = replace(run, policy=replace(run.policy, deadline=policy), deadline_at=at)
    return Decision(
        replace(kept, updated_at=LATER, reason=reason, check_at=check_at), Outbox(status=True), reason, rejected=False
    )


def refused(run: Run, reason: str) -> Decision:
    return Decision(run, Outbox(), reason, rejected=True)


def known() -> Deadline:
    assert KNOWN.deadline is not None
    return KNOWN.deadline


def test_a_deadline_moves_to_an_instant_or_to_a_time_from_now_and_keeps_its_other_terms() -> None:
    run = lives(a_run())
    at = NOON + 30 * HOUR
    assert asks(run, at=at) == adopted(
        run,
        replace(known(), at=at, within_seconds=None),
        at,
        "The deadline was changed from 2026-11-24T08:00:00Z to 2026-11-24T18:00:00Z by request.",
    )
    assert asks(run, within_seconds=5 * 3600) == adopted(
        run,
        replace(known(), within_seconds=5 * 3600),
        NOON + 6 * HOUR,
        "The deadline was changed from 2026-11-24T08:00:00Z to 2026-11-23T18:00:00Z by request.",
    )
    instant = lives(a_run(deadline(0, at=at, within_seconds=None)))
    moved = asks(instant, within_seconds=5 * 3600).run
    assert (moved.policy.deadline, moved.deadline_at) == (replace(known(), within_seconds=5 * 3600), NOON + 6 * HOUR)


@pytest.mark.parametrize(
    "change",
    [{"expected_runtime_seconds": 9000}, {"changeover_seconds": 60}, {"return_to_spot": ReturnToSpot.BLIND}],
    ids=lambda change: next(iter(change)),
)
def test_other_terms_change_and_leave_the_moment_as_it_is(change: dict[str, Any]) -> None:
    run = lives(a_run())
    reason = "The deadline stays 2026-11-24T08:00:00Z. Its other terms were changed by request."
    assert asks(run, **change) == adopted(run, replace(known(), **change), NOON + 20 * HOUR, reason)


def test_a_first_deadline_is_set_with_the_terms_that_are_given() -> None:
    run = lives(a_run(None))
    assert asks(run, within_seconds=5 * 3600, expected_runtime_seconds=7200, changeover_seconds=60) == adopted(
        run,
        Deadline(7200, within_seconds=5 * 3600, changeover_seconds=60),
        NOON + 6 * HOUR,
        "The deadline 2026-11-23T18:00:00Z was set by request.",
    )


def test_a_first_deadline_of_a_job_that_can_have_no_canary_returns_blindly_unless_it_says_otherwise() -> None:
    built_in = {"AlgorithmName": "arn:aws:sagemaker:us-east-1:1:algorithm/x", "TrainingInputMode": "File"}
    run = lives(a_run(None, AlgorithmSpecification=built_in))
    first: dict[str, Any] = {"within_seconds": 5 * 3600, "expected_runtime_seconds": 7200}

    def way(decision: Decision) -> ReturnToSpot | None:
        terms = decision.run.policy.deadline
        return terms.return_to_spot if terms else None

    assert way(asks(run, **first)) is ReturnToSpot.BLIND
    assert way(asks(run, **first, return_to_spot=ReturnToSpot.NEVER)) is ReturnToSpot.NEVER
    because = "return_to_spot cannot be canary. A canary needs a TrainingImage, and the job has an AlgorithmName."
    assert asks(run, **first, return_to_spot=ReturnToSpot.CANARY) == refused(run, because)
    blind = lives(a_run(deadline(20 * 3600, return_to_spot=ReturnToSpot.NEVER), AlgorithmSpecification=built_in))
    assert way(asks(blind, changeover_seconds=60)) is ReturnToSpot.NEVER
    assert way(asks(lives(a_run(None)), **first)) is ReturnToSpot.CANARY


@pytest.mark.parametrize(
    ("status", "more"),
    [
        (RunStatus.COMPLETED, ""),
        (RunStatus.FAILED, " Resume it with a new deadline."),
        (RunStatus.STOPPED, " Resume it with a new deadline."),
    ],
)
def test_a_run_that_has_ended_keeps_its_deadline(status: RunStatus, more: str) -> None:
    run = replace(a_run(), status=status)
    reason = f"Only the deadline of an open run can be changed, and this run is {status}.{more}"
    assert asks(run, within_seconds=5 * 3600) == refused(run, reason)
    assert removes(run) == refused(run, reason)


def test_what_cannot_be_is_refused_and_the_run_is_left_as_it_is() -> None:
    stopping = replace(lives(a_run()), stop_requested=True)
    bare = lives(a_run(None, CheckpointConfig=None))
    free = lives(a_run(None))
    first = "The run has no deadline yet. A first one needs both deadline and expected_runtime."
    assert [
        asks(stopping, within_seconds=5 * 3600),
        asks(bare, within_seconds=5 * 3600, expected_runtime_seconds=7200),
        asks(free, within_seconds=5 * 3600),
        asks(free, at=NOON + 9 * HOUR),
        asks(free, expected_runtime_seconds=7200),
    ] == [
        refused(stopping, "The run is being stopped. Resume it once it has stopped, with a new deadline."),
        refused(bare, "The run cannot have a deadline, because its training job has no CheckpointConfig."),
        refused(free, first),
        refused(free, first),
        refused(free, first),
    ]


def test_a_deadline_that_the_run_has_already_changes_nothing() -> None:
    run = lives(a_run(deadline(0, at=NOON + 20 * HOUR, within_seconds=None)))
    assert asks(run, at=NOON + 20 * HOUR) == Decision(
        run, Outbox(), "The run has the deadline 2026-11-24T08:00:00Z already."
    )
    same = asks(lives(a_run()), at=NOON + 20 * HOUR)
    assert same.reason == "The deadline stays 2026-11-24T08:00:00Z. Its other terms were changed by request."


@pytest.mark.parametrize("progress", [0.0, 3600.4, 7200.0, 9000.0])
def test_a_new_deadline_needs_time_for_the_training_that_is_left_and_one_changeover(progress: float) -> None:
    run = replace(lives(a_run()), progress_seconds=progress)
    soonest = LATER + max(0, 7200 - int(progress)) * SECOND + 10 * MINUTE
    changed = change_deadline(run, DeadlineChange(at=soonest), LATER)
    assert isinstance(changed, Run)
    assert changed.deadline_at == soonest
    assert change_deadline(run, DeadlineChange(at=soonest - SECOND), LATER) == No(
        TOO_EARLY.format((soonest - SECOND).isoformat(), soonest.isoformat())
    )


def test_other_terms_are_refused_if_the_deadline_can_no_longer_be_met_with_them() -> None:
    run = lives(a_run(deadline(5 * 3600)))
    enough = 4 * 3600 - 600
    assert asks(run, expected_runtime_seconds=enough).run.deadline_at == NOON + 5 * HOUR
    because = TOO_EARLY.format("2026-11-23T17:00:00+00:00", "2026-11-23T17:00:01+00:00")
    assert asks(run, expected_runtime_seconds=enough + 1) == refused(run, because)


def test_a_run_that_has_yet_to_begin_needs_the_time_after_its_start() -> None:
    run = a_run(start=Start(at=NOON + 3 * HOUR))
    assert asks(run, at=NOON + 3 * HOUR + NEEDED).run.deadline_at == NOON + 3 * HOUR + NEEDED
    assert asks(run, at=NOON + 3 * HOUR + NEEDED - SECOND).rejected
    begun = lives(replace(run, waits_to_begin=False))
    assert asks(begun, at=LATER + NEEDED).run.deadline_at == LATER + NEEDED


def test_a_deadline_that_is_removed_leaves_no_canary_and_no_limit_of_a_wait() -> None:
    run = a_run().with_canary(CANARY)
    assert run.current.max_wait_seconds == 20 * 3600
    reason = "The deadline 2026-11-24T08:00:00Z was removed by request."
    free = run.with_canary(replace(CANARY, status=CanaryStatus.ENDED))
    free = free.with_attempt(replace(run.current, max_wait_seconds=None))
    free = replace(free, policy=Policy(), deadline_at=None, updated_at=LATER, reason=reason)
    assert removes(run) == Decision(free, Outbox(stop_canary="churn-canary-01", status=True), reason)
    none = lives(a_run(None))
    assert removes(none) == Decision(none, Outbox(), "The run has no deadline.")


@pytest.mark.parametrize("way", ReturnToSpot)
def test_a_canary_is_given_up_if_the_run_returns_another_way(way: ReturnToSpot) -> None:
    run = lives(a_run()).with_canary(CANARY)
    decision = asks(run, within_seconds=5 * 3600, return_to_spot=way)
    stays = way is ReturnToSpot.CANARY
    assert decision.owes == Outbox(stop_canary=None if stays else "churn-canary-01", status=True)
    assert decision.run.canary == replace(CANARY, status=CanaryStatus.PLANNED if stays else CanaryStatus.ENDED)


def test_a_launch_that_is_still_to_come_gets_the_limit_of_its_wait_from_the_new_deadline() -> None:
    run = a_run()
    assert asks(run, within_seconds=5 * 3600).run.current == replace(run.current, max_wait_seconds=5 * 3600)
    live = lives(run)
    assert asks(live, within_seconds=5 * 3600).run.current == live.current


def trained(**changes: Any) -> dict[str, Any]:
    """Facts of a live job that has trained from noon on, and of its checkpoint of half an hour later."""
    since = Transition("Training", NOON)
    job = Job("churn-relay-01", "arn", "InProgress", "Training", NOON, LATER, CANARY.placement, transitions=(since,))
    return {"job": replace(job, **changes), "checkpoint": Checkpoint("a", NOON + 30 * MINUTE), "ignored_objects": 2}


def test_the_training_that_the_live_job_has_in_checkpoints_counts() -> None:
    run = lives(a_run())
    changed = asks(run, facts=trained(), within_seconds=5 * 3600).run
    assert changed.progress_seconds == 1800
    assert changed.current.checkpoint == Checkpoint("a", NOON + 30 * MINUTE)
    assert (changed.current.ignored_objects, changed.current.counted_until) == (2, NOON + 30 * MINUTE)
    assert asks(run, facts=trained(), at=LATER + NEEDED - 30 * MINUTE).run.deadline_at == LATER + NEEDED - 30 * MINUTE
    assert asks(run, facts=trained(), at=LATER + NEEDED - 30 * MINUTE - SECOND).run == run


@pytest.mark.parametrize(
    "facts",
    [
        trained() | {"job": None},
        trained() | {"job": Absent()},
        trained(status="Completed"),
        trained() | {"unlisted": "The checkpoints cannot be found."},
    ],
    ids=["not described", "not found", "ended", "not listed"],
)
def test_what_cannot_be_known_of_the_training_does_not_count(facts: dict[str, Any]) -> None:
    run = lives(a_run())
    changed = asks(run, facts=facts, within_seconds=5 * 3600).run
    assert (changed.progress_seconds, changed.current) == (0.0, run.current)


def next_look(run: Run, within: timedelta, **facts: Any) -> datetime | None:
    return asks(run, facts=facts, within_seconds=round(within.total_seconds())).run.check_at


def test_a_live_job_is_looked_at_at_once_and_a_run_that_has_yet_to_begin_no_sooner_than_before() -> None:
    assert next_look(lives(a_run()), 5 * HOUR) == LATER
    assert next_look(a_run(start=Start(at=NOON + 6 * HOUR)), 9 * HOUR) == NOON + 6 * HOUR
    assert next_look(replace(a_run(), check_at=None, waits_to_begin=True), 9 * HOUR) == LATER


def test_a_launch_that_waits_is_tried_again_when_the_deadline_may_require_that_and_not_within_half_a_minute() -> None:
    # The safety net keeps two changeovers and five minutes beside the training, so it is due after a while.
    net = 2 * HOUR + 25 * MINUTE
    every: dict[str, Any] = {"check_every": 9 * HOUR}
    waits = a_run()
    assert next_look(waits, net + HOUR, **every) == LATER + HOUR
    assert next_look(waits, net + 2 * HOUR, check_every=20 * MINUTE) == LATER + 20 * MINUTE
    assert next_look(waits, net + 10 * SECOND, **every) == LATER + MINUTE
    soon = replace(waits, check_at=LATER + 10 * SECOND)
    assert next_look(soon, net + HOUR, **every) == LATER + 10 * SECOND
    assert next_look(replace(waits, check_at=None), net + HOUR, **every) == LATER
    switching = waits.with_attempt(replace(waits.current, switch_to=Market.ON_DEMAND))
    assert next_look(switching, net + HOUR, check_every=10 * SECOND) == LATER + 30 * SECOND


def test_a_run_between_two_attempts_waits_no_longer_than_the_deadline_allows() -> None:
    net = 2 * HOUR + 25 * MINUTE
    run = ended(a_run())
    # With four fifths of the time, the pace would require 2 h of training within 2.5 h.
    assert next_look(run, 2.5 * HOUR + MINUTE) == LATER + MINUTE
    assert next_look(run, net + 5 * MINUTE) == LATER
    assert next_look(run, net) == LATER
    assert next_look(run, 9 * HOUR) == NOON + 6 * HOUR
