"""The tick has each run looked at when it is due, and spreads those that are late."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.rules.due import spread_looks
from spot_relay.domain.run.run import DueRun
from tests.fakes import NOON
from tests.thoroughness import examples


def looks(*seconds: float) -> list[int]:
    due = [DueRun(f"run-{number}", NOON + timedelta(seconds=after)) for number, after in enumerate(seconds)]
    return [delay for _, delay in spread_looks(due, NOON)]


def test_a_run_that_is_due_already_is_looked_at_now() -> None:
    assert looks(-300.0) == looks(-5.0) == [0]


def test_a_run_that_has_just_become_due_is_left_to_the_message_of_the_tick_before_which_is_under_way() -> None:
    assert looks(-4.9, -0.1, 0.0, 0.1) == [5, 5, 5, 1]


def test_a_run_that_is_due_before_the_next_tick_is_looked_at_then_and_no_sooner() -> None:
    assert looks(0.001, 1.0, 29.5, 60.0) == [1, 1, 30, 60]


def test_a_few_late_runs_come_five_a_second_and_many_fill_the_minute_evenly() -> None:
    assert looks(*[-30.0] * 11) == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2]
    many = looks(*[-30.0] * 1000)
    assert many == sorted(many)
    assert max(many) < 50
    assert {many.count(second) for second in range(50)} == {20}


def test_runs_that_become_due_are_not_held_up_by_those_that_are_late() -> None:
    assert looks(*[-30.0] * 500, 5.0)[-1] == 5


@given(st.lists(st.floats(min_value=-10_000, max_value=60), max_size=300))
@examples(100)
def test_every_run_is_looked_at_once_within_what_sqs_can_delay_and_before_the_tick_after_the_next(
    seconds: list[float],
) -> None:
    found = looks(*sorted(seconds))
    assert len(found) == len(seconds)
    assert all(isinstance(delay, int) and 0 <= delay <= 60 for delay in found)
