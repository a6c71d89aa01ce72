"""The arithmetic of a deadline: when a run has to go on demand, and when it may return to spot."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import inf
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.rules.pace import (
    BLIND_WAIT_SECONDS,
    LONGEST_WAIT_SECONDS,
    REACTION_SECONDS,
    RETURN_SECONDS,
    SENSING_SECONDS,
    Standing,
    changeovers_of,
    check_deadline,
    earliest_deadline,
    max_wait_of,
    seconds_until_demand,
    standing_of,
)
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.policy import Deadline, ReturnToSpot
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.values import No
from tests.fakes import NOON
from tests.unit.worlds import deadline, submission

PLACEMENT = Placement("ml.m5.xlarge", 1, Market.SPOT)
HOUR = 3600
DAY = 24 * HOUR
# A float's error in a sum of seconds, and what a moment more or less is.
NOISE, MOMENT = 1e-6, 1e-3


def standing(work: float, time: float, **changes: Any) -> Standing:
    """A run that has so much left to do in so much time; a changeover costs 600 s."""
    return Standing(
        **{"work": work, "time": time, "changeover": 600, "reserve": 1500, "pace": 0.8, "hysteresis": 1, **changes}
    )


def a_run(seconds: int = 5 * HOUR, **changes: Any) -> Any:
    """A run that was submitted at noon with a deadline so much later, and needs two hours."""
    return accept(submission(deadline(seconds, **changes)), "one", NOON)


def test_a_return_has_to_be_worth_it_by_what_will_be_left_to_do_then() -> None:
    # In 200 seconds there will be 400 left to do, and a changeover with its stop takes 480.
    small = standing(600, 2200, changeover=300, reserve=900, pace=0.2, hysteresis=0)
    assert small.return_in(ReturnToSpot.CANARY) is None
    enough = standing(720, 2720, changeover=300, reserve=900, pace=0.2, hysteresis=0)
    assert enough.return_in(ReturnToSpot.CANARY) == pytest.approx(220)


standings = st.builds(
    Standing,
    work=st.floats(0, 30 * DAY),
    time=st.floats(-DAY, 60 * DAY),
    changeover=st.floats(0, 2 * HOUR),
    reserve=st.floats(REACTION_SECONDS, 4 * HOUR),
    pace=st.floats(0.05, 1.5),
    hysteresis=st.floats(0, 3),
)
# Those with some slack and a pace below 1, as far as returns go.
roomy = st.builds(
    lambda now, slack, pace: replace(now, time=now.work + now.reserve + slack, pace=pace),
    standings,
    st.floats(0, 20 * DAY),
    st.floats(0.3, 0.99),
)
waits = st.floats(0, 3 * DAY) | st.just(0.0) | st.just(SENSING_SECONDS)


def later(now: Standing, seconds: float) -> Standing:
    """Where the run stands if it waits for so long."""
    return replace(now, time=now.time - seconds)


def trained(now: Standing, seconds: float) -> Standing:
    """Where the run stands if it trains on demand for so long."""
    return replace(now, time=now.time - seconds, work=now.work - seconds)


def test_the_safety_net_fires_when_the_time_left_is_the_work_left_and_the_reserve() -> None:
    assert standing(7200, 7200 + 1500 + 1).demand(0) is None
    assert standing(7200, 7200 + 1500).demand(0) is Cause.SAFETY_NET


def test_a_run_is_behind_its_pace_when_the_work_left_takes_its_share_of_the_time_left() -> None:
    assert standing(7200, 9001).demand(inf) is None
    assert standing(7200, 9000).demand(inf) is Cause.BEHIND_PACE


def test_a_spot_job_gets_five_minutes_to_find_capacity_before_it_is_given_up_for_being_behind() -> None:
    assert standing(7200, 9000).demand(299) is None
    assert standing(7200, 9000).demand(300) is Cause.BEHIND_PACE


def test_the_safety_net_waits_for_nothing() -> None:
    assert standing(7200, 8000).demand(0) is Cause.SAFETY_NET


@pytest.mark.parametrize("time", [0, -1, -90 * DAY])
def test_a_run_past_its_deadline_needs_its_safety_net_even_with_no_work_left(time: float) -> None:
    assert standing(0, time).demand(0) is Cause.SAFETY_NET
    assert standing(0, time).demand_in(0) == 0
    assert standing(0, time).return_in(ReturnToSpot.CANARY) is None


@given(now=standings, waited=waits)
def test_a_demand_comes_when_it_was_foretold_and_no_sooner(now: Standing, waited: float) -> None:
    seconds = now.demand_in(waited)
    assert later(now, seconds + MOMENT).demand(waited + seconds + MOMENT) is not None
    if seconds > MOMENT:
        assert later(now, seconds - MOMENT).demand(waited + seconds - MOMENT) is None
        assert now.demand(waited) is None


@given(now=standings, waited=waits, more=st.floats(0, 30 * DAY))
def test_a_demand_stays_one_for_as_long_as_the_run_waits(now: Standing, waited: float, more: float) -> None:
    if now.demand(waited) is not None:
        assert later(now, more).demand(waited + more) is not None


@given(now=standings)
def test_a_run_with_less_than_the_safety_net_needs_is_never_told_to_wait(now: Standing) -> None:
    if now.time <= now.work + now.reserve:
        assert now.demand(0) is Cause.SAFETY_NET


@given(now=roomy, way=st.sampled_from([ReturnToSpot.CANARY, ReturnToSpot.BLIND]))
def test_a_run_may_return_once_it_has_trained_for_as_long_as_was_foretold(now: Standing, way: ReturnToSpot) -> None:
    seconds = now.return_in(way)
    assume(seconds is not None)
    assert seconds is not None
    risk = BLIND_WAIT_SECONDS if way is ReturnToSpot.BLIND else 0
    then = trained(now, seconds)
    slack = 1e-9 * (abs(now.time) + now.work) + NOISE
    assert then.work <= then.pace * (then.time - then.hysteresis * then.changeover - risk) + slack
    if seconds > 1:
        before = trained(now, seconds - 1)
        assert before.work > before.pace * (before.time - before.hysteresis * before.changeover - risk) - slack


@given(now=standings | roomy, way=st.sampled_from(ReturnToSpot))
def test_a_return_is_worth_it_and_leaves_what_the_safety_net_needs(now: Standing, way: ReturnToSpot) -> None:
    seconds = now.return_in(way)
    if seconds is not None:
        then = trained(now, seconds)
        assert then.work > then.changeover + RETURN_SECONDS
        # The stop of the on-demand job, in which nothing trains.
        assert later(then, RETURN_SECONDS - NOISE).demand(0) is not Cause.SAFETY_NET


@given(now=standings | roomy)
def test_a_blind_return_needs_to_be_further_ahead_than_one_that_a_canary_has_paved(now: Standing) -> None:
    paved, blind = now.return_in(ReturnToSpot.CANARY), now.return_in(ReturnToSpot.BLIND)
    assert now.return_in(ReturnToSpot.NEVER) is None
    if blind is not None:
        assert paved is not None
        assert paved <= blind


def test_a_run_returns_when_on_demand_training_has_brought_it_ahead() -> None:
    # 9 000 of work in 11 000 of time: ahead by a changeover once 0.8 * (R - 600) has caught up, 0.2 s a second.
    now = standing(9000, 11_000)
    assert now.return_in(ReturnToSpot.CANARY) == pytest.approx((9000 - 0.8 * 10_400) / 0.2)
    assert standing(7000, 20_000).return_in(ReturnToSpot.CANARY) == 0


def test_on_the_paces_own_share_of_the_time_a_run_never_gets_ahead() -> None:
    assert standing(9000, 11_000, pace=1).return_in(ReturnToSpot.CANARY) is None


@pytest.mark.parametrize(("work", "returns"), [(781, True), (780, False), (0, False)])
def test_a_return_for_less_work_than_it_costs_is_none(work: float, returns: bool) -> None:
    assert (standing(work, DAY).return_in(ReturnToSpot.CANARY) is not None) == returns


@pytest.mark.parametrize(("time", "returns"), [(30_000 + 1681, True), (30_000 + 1680, False)])
def test_a_return_near_the_safety_net_is_none(time: float, returns: bool) -> None:
    now = standing(30_000, time, pace=0.99)
    assert (now.return_in(ReturnToSpot.CANARY) is not None) == returns


def test_without_a_deadline_a_run_stands_nowhere() -> None:
    run = accept(submission(), "one", NOON)
    assert standing_of(run, NOON) is None
    assert standing_of(replace(run, deadline_at=NOON), NOON) is None
    assert standing_of(replace(a_run(), deadline_at=None), NOON) is None


def test_a_run_stands_where_its_checkpoints_its_clock_and_its_changeovers_put_it() -> None:
    run = replace(a_run(changeover_seconds=300), progress_seconds=2200.0, changeovers=(100, 500))
    assert standing_of(run, NOON + timedelta(hours=1)) == Standing(
        work=5000, time=4 * HOUR, changeover=300, reserve=2 * 500 + REACTION_SECONDS, pace=0.8, hysteresis=0
    )


def test_a_run_that_has_trained_for_longer_than_expected_has_no_work_left_and_no_less() -> None:
    standing_now = standing_of(replace(a_run(), progress_seconds=9000.0), NOON)
    assert standing_now is not None
    assert standing_now.work == 0


@pytest.mark.parametrize(("hours", "pace"), [(10, 0.8), (2.5, 0.8), (2.25, 8 / 9), (2, 1), (1 / HOUR, 7200)])
def test_the_pace_is_the_works_share_of_the_whole_time_and_no_less_than_its_floor(hours: float, pace: float) -> None:
    found = standing_of(a_run(round(hours * HOUR)), NOON)
    assert found is not None
    assert found.pace == pytest.approx(pace)


@pytest.mark.parametrize("seconds", [0, -HOUR])
def test_a_deadline_that_is_not_after_the_submission_makes_every_pace_too_slow(seconds: int) -> None:
    run = replace(a_run(), deadline_at=NOON + timedelta(seconds=seconds))
    found = standing_of(run, NOON)
    assert found is not None
    assert (found.pace, found.demand(0)) == (1, Cause.SAFETY_NET)


DEADLINE = Deadline(7200, within_seconds=5 * HOUR, changeover_seconds=600)


@pytest.mark.parametrize(
    ("measured", "usual", "worst"),
    [
        ((), 600, 600),
        ((100,), 100, 600),  # too few yet to trust that none costs what the user expects
        ((100, 2000), 1050, 2000),
        ((100,) * 9, 100, 600),
        ((100,) * 10, 100, 100),
        ((*(100,) * 98, 900), 108.08, 900),
        ((*(100,) * 98, 700, 900), 114, 700),
    ],
)
def test_a_changeover_costs_what_the_runs_own_have_cost(measured: tuple[int, ...], usual: float, worst: float) -> None:
    mean, longest = changeovers_of(replace(a_run(), changeovers=measured), DEADLINE)
    assert mean == pytest.approx(usual, abs=0.01)
    assert longest == worst


@given(measured=st.lists(st.integers(0, 5000), min_size=1, max_size=100))
def test_the_worst_changeover_is_one_of_those_measured_or_the_expected_one_and_few_are_worse(
    measured: list[int],
) -> None:
    _, worst = changeovers_of(replace(a_run(), changeovers=tuple(measured)), DEADLINE)
    assert worst in {*measured, 600}
    assert sum(seconds > worst for seconds in measured) <= 0.01 * len(measured)


def test_a_spot_attempt_under_a_deadline_may_wait_and_run_until_then() -> None:
    assert max_wait_of(a_run(), PLACEMENT, NOON + timedelta(hours=1)) == 4 * HOUR
    assert max_wait_of(a_run(), PLACEMENT, NOON + timedelta(seconds=0.5)) == 5 * HOUR


@pytest.mark.parametrize("hours", [4.5, 5, 500])
def test_it_may_always_run_for_its_max_runtime(hours: float) -> None:
    assert max_wait_of(a_run(), PLACEMENT, NOON + timedelta(hours=hours)) == HOUR


def test_it_waits_no_longer_than_a_training_job_can_live() -> None:
    assert max_wait_of(a_run(90 * DAY), PLACEMENT, NOON) == LONGEST_WAIT_SECONDS == 30 * DAY


def test_without_a_deadline_the_jobs_own_wait_holds() -> None:
    assert max_wait_of(accept(submission(), "one", NOON), PLACEMENT, NOON) is None


def test_the_earliest_deadline_leaves_the_time_for_the_whole_run_and_one_changeover() -> None:
    assert earliest_deadline(DEADLINE, NOON) == NOON + timedelta(seconds=7800)


def test_a_deadline_that_cannot_be_met_is_refused_with_the_earliest_that_can() -> None:
    earliest = earliest_deadline(DEADLINE, NOON)
    assert check_deadline(earliest, earliest) is None
    assert check_deadline(earliest - timedelta(microseconds=1), earliest) == snapshot(
        No(
            because="The deadline 2026-11-23T14:09:59+00:00 cannot be met, even on-demand: training and one changeover take until 2026-11-23T14:10:00+00:00. Use that time or a later one."
        )
    )


def test_a_run_between_two_attempts_knows_when_its_deadline_asks_for_on_demand() -> None:
    # After an hour, two hours of training at a pace of 0.8 take the two and a half of the four that are left.
    assert seconds_until_demand(a_run(), NOON + timedelta(hours=1)) == 1.5 * HOUR
    assert seconds_until_demand(a_run(), NOON + timedelta(hours=2.5)) == inf
    assert seconds_until_demand(accept(submission(), "one", NOON), NOON) == inf


def test_before_its_first_chance_of_capacity_a_run_is_given_the_time_to_find_some() -> None:
    behind = NOON + timedelta(hours=2.5)
    assert seconds_until_demand(a_run(), behind, 0) == SENSING_SECONDS
    assert seconds_until_demand(a_run(), behind, 100) == SENSING_SECONDS - 100
