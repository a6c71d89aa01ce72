"""The arms that see availability: what each promises holds on any market, and none does better than could be done."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.policy.arms import HOUR, ON_DEMAND, Arm, Outcome, Task
from bench.policy.optimum import STEP_S, compute_least_hours
from bench.policy.visible import GREEDY, OURS, UNIFORM_PROGRESS, PaceRules, replay
from tests.bench.markets import tasks, windows_of
from tests.thoroughness import examples

RATIO = 3.0
EVERY_ARM = pytest.mark.parametrize("arm", [ON_DEMAND, GREEDY, UNIFORM_PROGRESS, OURS], ids=lambda arm: arm.name)


def _cost(outcome: Outcome) -> float:
    return outcome.on_demand_hours + (outcome.spot_hours + outcome.canary_hours) / RATIO


@EVERY_ARM
@examples(150)
@given(task=tasks())
def test_no_arm_ever_misses_a_deadline(arm: Arm, task: Task) -> None:
    assert not arm.replay(task).missed_deadline(task)


@EVERY_ARM
@examples(150)
@given(task=tasks())
def test_the_paid_time_is_at_most_the_work_plus_a_changeover_per_launch(arm: Arm, task: Task) -> None:
    outcome = arm.replay(task)
    useful = outcome.useful_on_demand_hours + outcome.useful_spot_hours
    paid = outcome.on_demand_hours + outcome.spot_hours
    assert useful == pytest.approx(task.work_s / HOUR)
    assert useful <= paid + 1e-6
    assert paid <= useful + outcome.launches * task.changeover_s / HOUR + 1e-6
    assert outcome.switches < outcome.launches


@EVERY_ARM
@examples(100)
@given(task=tasks())
def test_no_arm_beats_the_omniscient_optimum(arm: Arm, task: Task) -> None:
    least = float(compute_least_hours(task.windows, task.work_s, task.changeover_s, (task.horizon_s,), (RATIO,))[0, 0])
    # The optimum rounds every edge of a window, the work, the changeover and the horizon to a step.
    rounding = (2 * len(task.windows) + 2 * arm.replay(task).launches + 6) * STEP_S / HOUR
    assert _cost(arm.replay(task)) >= least - rounding


@examples(150)
@given(task=tasks(), hysteresis=st.floats(0.0, 4.0), floor=st.floats(0.0, 1.0))
def test_no_pace_rules_miss_a_deadline(task: Task, hysteresis: float, floor: float) -> None:
    assert not replay(PaceRules(hysteresis=hysteresis, floor=floor), task).missed_deadline(task)


def test_greedy_waits_as_long_as_it_can_and_then_stays_on_demand() -> None:
    task = Task(windows_of("....................####################"), 10 * HOUR, 20 * HOUR, HOUR)
    outcome = GREEDY.replay(task)
    assert (outcome.on_demand_hours, outcome.spot_hours, outcome.launches) == (11.0, 0.0, 1)
    # On-demand at R = C + 2 d: after 20 - 10 - 2 hours, for a changeover and the work.
    assert outcome.finished_after_s == pytest.approx((8 + 11) * HOUR)


def test_uniform_progress_starts_on_demand_and_returns_to_spot_when_it_is_ahead() -> None:
    # C0/R0 = 0.5, d = 0.5 h: after x hours of training C <= 0.5 (R - 2 d) means 10 - x <= 0.5 (20 - 0.5 - x - 1).
    task = Task(((3 * HOUR, 40 * HOUR),), 10 * HOUR, 20 * HOUR, 0.5 * HOUR)
    outcome = UNIFORM_PROGRESS.replay(task)
    assert outcome.on_demand_hours == pytest.approx(3.0)
    assert outcome.spot_hours == pytest.approx(0.5 + 10 - 2.5)
    assert (outcome.switches, outcome.launches) == (1, 2)


def test_a_pace_floor_waits_when_uniform_progress_would_pay_for_on_demand() -> None:
    task = Task(((3 * HOUR, 40 * HOUR),), 10 * HOUR, 20 * HOUR, 0.5 * HOUR)
    outcome = OURS.replay(task)
    assert outcome.on_demand_hours == 0.0
    assert outcome.spot_hours == pytest.approx(10.5)


def test_a_task_never_leaves_spot_while_it_trains_there() -> None:
    # Behind its pace from the start, on spot to the end.
    task = Task(((0.0, 40 * HOUR),), 10 * HOUR, 11 * HOUR, 0.1 * HOUR)
    assert UNIFORM_PROGRESS.replay(task).spot_hours == pytest.approx(10.1)


def test_a_deadline_too_tight_to_lose_a_changeover_uses_no_spot() -> None:
    task = Task(((0.0, 0.4 * HOUR),), 10 * HOUR, 10.5 * HOUR, 0.5 * HOUR)
    outcome = GREEDY.replay(task)
    assert outcome.spot_hours == 0.0
    assert not outcome.missed_deadline(task)


def test_a_task_stays_on_demand_if_the_safety_net_would_fire_immediately_on_spot() -> None:
    # On-demand is launched with R - C just above 2 d, and trains with less; spot flickers, h = 0 lets it go back.
    flicker = tuple((hour * HOUR + 60.0, hour * HOUR + 120.0) for hour in range(40))
    task = Task(flicker, 10 * HOUR, 11.05 * HOUR, 0.5 * HOUR)
    outcome = replay(PaceRules(hysteresis=0.0), task)
    assert (outcome.launches, outcome.switches) == (1, 0)


def test_an_unfinished_outcome_has_missed_its_deadline_and_left_over_on_demand_hours() -> None:
    task = Task((), 10 * HOUR, 20 * HOUR, 0.5 * HOUR)
    outcome = Outcome(0.0, 4.5, 0.0, 4.0, 0.0, None, 0, 1)
    assert outcome.missed_deadline(task)
    assert outcome.compute_left_over_hours(task) == pytest.approx(6.5)


def test_a_late_outcome_has_missed_its_deadline_and_left_nothing_over() -> None:
    task = Task((), 10 * HOUR, 20 * HOUR, 0.5 * HOUR)
    late = partial(Outcome, 10.5, 0.0, 10.0, 0.0, 0.0)
    assert late(21 * HOUR, 0, 1).missed_deadline(task)
    assert late(21 * HOUR, 0, 1).compute_left_over_hours(task) == 0.0
    assert not late(20 * HOUR, 0, 1).missed_deadline(task)


def test_the_on_demand_arm_pays_one_changeover_and_the_work() -> None:
    assert ON_DEMAND.replay(Task((), 48 * HOUR, 60 * HOUR, 0.2 * HOUR)).on_demand_hours == pytest.approx(48.2)
