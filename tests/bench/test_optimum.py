"""The omniscient optimum: held against trying everything, and against the arms."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bench.policy.arms import HOUR
from bench.policy.optimum import STEP_S, compute_least_hours
from tests.bench.markets import windows_of
from tests.thoroughness import examples

INFINITE = float("inf")
RATIOS = (1.1, 2.2, 5.0)


def _try_everything(market: tuple[bool, ...], work: int, changeover: int, ratio: float) -> float:
    """At each step wait, run on spot or run on-demand; a change of instances costs ``changeover`` steps first."""

    @cache
    def least(step: int, done: int, runs: str, owed: int) -> float:
        if done == work:
            return 0.0
        if step == len(market):
            return INFINITE
        best = least(step + 1, done, "", 0)
        for choice, price in (("spot", 1 / ratio), ("on-demand", 1.0)):
            if choice == "spot" and not market[step]:
                continue
            debt = owed if choice == runs else changeover
            after = (done, choice, debt - 1) if debt else (done + 1, choice, 0)
            best = min(best, price + least(step + 1, *after))
        return best

    return least(0, 0, "", 0)


@st.composite
def markets(draw: st.DrawFn) -> tuple[bool, ...]:
    turns = draw(st.lists(st.integers(1, 6), min_size=1, max_size=8))
    first = draw(st.booleans())
    return tuple(first ^ bool(place % 2) for place, turn in enumerate(turns) for _ in range(turn))[:24]


@examples(200)
@given(market=markets(), work=st.integers(1, 12), changeover=st.integers(0, 4), cut=st.integers(0, 6))
@example(market=(False,) * 8, work=4, changeover=2, cut=1)
@example(market=(True, False, True, True, False, False, True, True, True), work=5, changeover=1, cut=0)
def test_no_schedule_is_cheaper_than_the_optimum_and_one_is_as_cheap(
    market: tuple[bool, ...], work: int, changeover: int, cut: int
) -> None:
    horizons = sorted({len(market), max(1, len(market) - cut)})
    found = compute_least_hours(
        windows_of(market), work * HOUR, changeover * HOUR, [HOUR * horizon for horizon in horizons], RATIOS, HOUR
    )
    tried = [[_try_everything(market[:horizon], work, changeover, ratio) for ratio in RATIOS] for horizon in horizons]
    assert np.allclose(found, tried)


def test_work_longer_than_the_horizon_has_infinite_cost() -> None:
    assert compute_least_hours((), 4 * HOUR, HOUR, (4.9 * HOUR, 5 * HOUR), (2.0,)).tolist() == [[INFINITE], [5.0]]


def test_if_spot_is_always_available_only_spot_is_paid() -> None:
    found = compute_least_hours(((0.0, 96 * HOUR),), 48 * HOUR, 0.2 * HOUR, (60 * HOUR,), (1.5, 5.0))
    assert found.tolist() == [[pytest.approx(48.2 / 1.5), pytest.approx(48.2 / 5)]]


def test_on_demand_runs_only_for_the_work_that_spot_leaves_over() -> None:
    # Ten hours of work, a window of seven: on-demand pays its changeover and the three and a half left.
    found = compute_least_hours(((10 * HOUR, 17 * HOUR),), 10 * HOUR, 0.5 * HOUR, (17 * HOUR,), (2.0,))
    assert found.tolist() == [[pytest.approx(7 / 2 + 0.5 + 3.5)]]


def test_the_default_grid_consists_of_whole_steps() -> None:
    for seconds in (0.05 * HOUR, 0.2 * HOUR, 0.4 * HOUR, 48 * HOUR):
        assert seconds / STEP_S == pytest.approx(round(seconds / STEP_S))
