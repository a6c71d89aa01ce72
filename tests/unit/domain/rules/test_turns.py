"""Turns: launches are equally spaced, in order, and some turns are kept for those that come first."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.rules.turns import (
    EXPRESS_EVERY,
    LATEST,
    SLACK,
    Lane,
    LaunchRate,
    TakenTurns,
    drop_missed_turn,
    lane_of,
)
from spot_relay.domain.run.run import OUTBOX_PATIENCE
from spot_relay.domain.values import replace
from tests.fakes import NOON, MemoryTurns
from tests.thoroughness import examples
from tests.unit.worlds import World, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.run import Run

ONCE = LaunchRate(1)
STEP = 1.05


def seconds(*moments: datetime) -> list[float]:
    return [(moment - NOON).total_seconds() for moment in moments]


def test_a_turn_is_now_if_no_other_is_taken() -> None:
    turn, taken = ONCE.take(TakenTurns(), Lane.LINE, NOON)
    assert turn == NOON
    later = NOON + timedelta(hours=1)
    assert ONCE.take(taken, Lane.LINE, later)[0] == later


def test_a_lane_is_taken_until_its_next_turn_and_no_longer() -> None:
    noon = round(NOON.timestamp() * 1000)
    _, taken = ONCE.take(TakenTurns(), Lane.LINE, NOON)
    assert taken == TakenTurns(origin=noon, line=noon + 1050, express=noon)
    for _ in range(EXPRESS_EVERY):
        _, taken = ONCE.take(taken, Lane.LINE, NOON)
    _, taken = ONCE.take(taken, Lane.EXPRESS, NOON)
    assert taken == TakenTurns(origin=noon, line=noon + 12 * 1050, express=noon + 10 * 1050)
    assert not taken.are_over(NOON + timedelta(milliseconds=12 * 1050 - 1))
    assert taken.are_over(NOON + timedelta(milliseconds=12 * 1050))


def test_turns_that_are_taken_at_once_follow_each_other_and_leave_out_those_that_are_kept() -> None:
    turns = MemoryTurns(ONCE)
    taken = seconds(*(turns.take(Lane.LINE, NOON) for _ in range(12)))
    kept = EXPRESS_EVERY - 1
    assert taken == pytest.approx([STEP * number for number in range(13) if number != kept])


def test_a_launch_that_comes_first_takes_the_next_turn_that_is_kept() -> None:
    turns = MemoryTurns(ONCE)
    for _ in range(1000):
        turns.take(Lane.LINE, NOON)
    first = seconds(*(turns.take(Lane.EXPRESS, NOON) for _ in range(3)))
    assert first == pytest.approx([9 * STEP, 19 * STEP, 29 * STEP])
    assert seconds(turns.take(Lane.EXPRESS, NOON + timedelta(seconds=32 * STEP))) == pytest.approx([39 * STEP])
    assert seconds(turns.take(Lane.EXPRESS, NOON + timedelta(seconds=59.5 * STEP))) == pytest.approx([69 * STEP])


def test_launches_that_come_first_use_every_turn_if_nobody_is_in_line() -> None:
    turns = MemoryTurns(ONCE)
    taken = seconds(*(turns.take(Lane.EXPRESS, NOON) for _ in range(25)))
    assert taken == pytest.approx([STEP * number for number in range(25)])


def test_a_thousand_launches_take_less_than_a_fifth_longer_than_the_rate_allows() -> None:
    turns = MemoryTurns(ONCE)
    last = [turns.take(Lane.LINE, NOON) for _ in range(1000)][-1]
    assert 1000 < (last - NOON).total_seconds() < 1200


@pytest.mark.parametrize(("rate", "milliseconds"), [(0.01, 105_000), (1, 1050), (10, 105), (1000, 1)])
def test_the_time_between_turns_is_a_little_more_than_the_rate_requires(rate: float, milliseconds: int) -> None:
    assert LaunchRate(rate).milliseconds == milliseconds
    assert SLACK > 1


def test_turns_that_were_taken_at_another_rate_are_kept_and_no_more() -> None:
    fast, slow = LaunchRate(10), ONCE
    taken = TakenTurns()
    for _ in range(100):
        last, taken = fast.take(taken, Lane.LINE, NOON)
    after, taken = slow.take(taken, Lane.LINE, NOON)
    assert timedelta() < after - last <= timedelta(seconds=2 * STEP)
    again, _ = fast.take(taken, Lane.LINE, NOON)
    assert timedelta() < again - after <= timedelta(seconds=2 * STEP)


@given(
    st.lists(
        st.tuples(st.sampled_from(Lane), st.floats(min_value=0, max_value=30, allow_nan=False)), min_size=1, max_size=60
    ),
    st.sampled_from((0.25, 1.0, 7.0, 1000.0)),
)
@examples(200)
def test_no_two_turns_are_closer_than_the_rate_allows_and_none_is_in_the_past(
    takes: list[tuple[Lane, float]], rate: float
) -> None:
    turns, now, taken = MemoryTurns(LaunchRate(rate)), NOON, []
    for lane, pause in takes:
        now += timedelta(seconds=pause)
        taken.append(turns.take(lane, now))
        assert taken[-1] >= now
    ordered = sorted(taken)
    step = timedelta(milliseconds=turns.rate.milliseconds)
    assert all(after - before >= step for before, after in pairwise(ordered))


@given(st.lists(st.floats(min_value=0, max_value=3, allow_nan=False), min_size=2, max_size=60))
@examples(100)
def test_turns_of_a_lane_come_in_the_order_in_which_they_were_taken(pauses: list[float]) -> None:
    turns, now, taken = MemoryTurns(ONCE), NOON, []
    for pause in pauses:
        now += timedelta(seconds=pause)
        taken.append(turns.take(Lane.LINE, now))
    assert taken == sorted(taken)


def test_only_the_first_try_of_a_new_run_stands_in_line() -> None:
    world = World()
    run = world.service.submit(submission())
    assert lanes(run) == {
        "new": Lane.LINE,
        "refused before": Lane.EXPRESS,
        "waits for room": Lane.EXPRESS,
        "a relaunch": Lane.EXPRESS,
        "missed its turn": Lane.EXPRESS,
    }


@pytest.mark.parametrize("late", [timedelta(milliseconds=1), timedelta(minutes=20)])
def test_a_turn_that_has_passed_is_dropped_but_one_that_is_a_little_late_is_used(late: timedelta) -> None:
    run, planned = waiting_for(timedelta(minutes=5), taken_after=timedelta(seconds=3))
    assert planned.turn_at is not None
    assert drop_missed_turn(run, planned, planned.turn_at + LATEST) == planned
    assert drop_missed_turn(run, planned, planned.turn_at + LATEST + late) == replace(planned, turn_at=None)


def test_a_turn_that_was_taken_instead_of_a_missed_one_is_used_however_late_it_is() -> None:
    run, planned = waiting_for(timedelta(minutes=5), taken_after=OUTBOX_PATIENCE)
    assert planned.turn_at is not None
    assert drop_missed_turn(run, planned, planned.turn_at + timedelta(hours=1)) == planned


def test_an_attempt_without_a_turn_has_missed_none() -> None:
    run, planned = waiting_for(None, taken_after=timedelta())
    assert drop_missed_turn(run, planned, NOON + timedelta(hours=1)) == planned


def waiting_for(turn: timedelta | None, taken_after: timedelta) -> tuple[Run, Attempt]:
    """A run that took its turn so long after its attempt was planned, and that attempt."""
    world = World()
    run = world.service.submit(submission())
    turn_at = None if turn is None else NOON + turn
    planned = replace(run.current, status=type(run.current.status).PLANNED, turn_at=turn_at)
    return replace(run.with_attempt(planned), updated_at=planned.planned_at + taken_after), planned


def lanes(run: Run) -> dict[str, Lane]:
    planned = replace(run.current, status=type(run.current.status).PLANNED)
    waiting = replace(planned, waits_for_room=True)
    second = replace(planned, number=2)
    return {
        "new": lane_of(run.with_attempt(planned), planned),
        "refused before": lane_of(run, replace(planned, refusals=1)),
        "waits for room": lane_of(run.with_attempt(waiting), waiting),
        "a relaunch": lane_of(run.with_attempt(second), second),
        "missed its turn": lane_of(replace(run, updated_at=planned.planned_at + timedelta(seconds=20)), planned),
    }
