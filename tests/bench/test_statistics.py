"""Figures: means, shares of the gap, and intervals that know which starts belong together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.policy.arms import BASELINE, ON_DEMAND, Arm, Outcome, Task
from bench.policy.grid import Figure, Grid, Measured
from bench.policy.statistics import OMNISCIENT, Bootstrap, Row, compute_interval, compute_rows

GRID = Grid(work_h=10.0, job_fractions=(0.5,), changeovers_h=(0.0,), price_ratios=(2.0,), starts=4)


def _never_replayed(task: Task) -> Outcome:
    raise AssertionError(task)


def _measured(**costs: list[float]) -> Measured:
    """On-demand hours by arm and start; ``least`` is the optimum."""
    least = np.array(costs.pop("least"))
    figures = np.zeros((len(costs), 1, 1, len(Figure), len(least)))
    for place, hours in enumerate(costs.values()):
        figures[place, 0, 0, Figure.ON_DEMAND] = hours
    arms = tuple(Arm(name, name, _never_replayed) for name in costs)
    return Measured(GRID, arms, np.arange(len(least)), figures, least.reshape(1, 1, 1, -1))


def _row(measured: Measured, arm: str) -> Row:
    (row,) = (row for row in compute_rows(measured, "set") if row.arm == arm)
    return row


def test_costs_are_relative_to_the_cost_of_on_demand() -> None:
    row = _row(_measured(greedy=[5.0, 10.0], least=[4.0, 6.0]), "greedy")
    assert row.cost_ratio_mean == pytest.approx(0.75)
    assert row.cost_ratio_p95 == pytest.approx(0.975)
    assert (row.starts, row.on_demand_hours_mean) == (2, 7.5)


def test_spot_hours_are_cheaper_by_the_price_ratio_and_unfinished_work_costs_as_much_as_on_demand() -> None:
    measured = _measured(greedy=[0.0], least=[4.0])
    measured.figures[0, 0, 0, Figure.SPOT] = 6.0
    measured.figures[0, 0, 0, Figure.LEFT_OVER] = 2.0
    assert _row(measured, "greedy").cost_ratio_mean == pytest.approx((6.0 / 2.0 + 2.0) / 10.0)


def test_greedy_closes_none_of_the_gap_and_the_optimum_all_of_it() -> None:
    measured = _measured(greedy=[8.0, 6.0], ours=[6.0, 5.0], least=[4.0, 4.0])
    assert _row(measured, BASELINE).gap_closed == 0.0
    assert _row(measured, OMNISCIENT).gap_closed == 1.0
    assert _row(measured, "ours").gap_closed == pytest.approx(0.5)


def test_if_greedy_is_optimal_there_is_no_gap_to_close() -> None:
    row = _row(_measured(greedy=[4.0, 4.0], ours=[5.0, 4.0], least=[4.0, 4.0]), "ours")
    assert (row.gap_closed, row.gap_closed_ci95) == (None, None)


def test_without_greedy_there_is_no_gap() -> None:
    assert _row(_measured(ours=[5.0, 4.0], least=[4.0, 4.0]), "ours").gap_closed is None


def test_the_optimum_has_costs_but_no_hours_or_switches() -> None:
    row = _row(_measured(greedy=[8.0], least=[4.0]), OMNISCIENT)
    assert row.cost_ratio_mean == pytest.approx(0.4)
    assert (row.switches_mean, row.launches_mean, row.spot_hours_mean) == (None, None, None)
    assert row.missed_deadlines == 0


def test_each_point_of_the_grid_has_a_row_for_each_arm_and_the_optimum() -> None:
    grid = Grid(job_fractions=(0.5, 0.8), changeovers_h=(0.1, 0.2, 0.3), price_ratios=(2.0, 3.0))
    measured = Measured(
        grid, (ON_DEMAND,), np.zeros(1, dtype=int), np.ones((1, 2, 3, len(Figure), 1)), np.ones((2, 3, 2, 1))
    )
    keys = [(row.arm, row.job_fraction, row.changeover_h, row.price_ratio) for row in compute_rows(measured, "set")]
    assert len(set(keys)) == len(keys) == 2 * 3 * 2 * 2


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30), st.integers(0, 5))
def test_an_interval_lies_within_the_values(values: list[float], seed: int) -> None:
    clusters = np.arange(len(values)) % 7
    low, high = compute_interval(Bootstrap(clusters, seed).compute_means(np.array(values)))
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9


def test_the_same_seed_yields_the_same_interval() -> None:
    values, clusters = np.arange(60.0) ** 2, np.arange(60) % 30
    assert compute_interval(Bootstrap(clusters, 3).compute_means(values)) == compute_interval(
        Bootstrap(clusters, 3).compute_means(values)
    )
    assert compute_interval(Bootstrap(clusters, 3).compute_means(values)) != compute_interval(
        Bootstrap(clusters, 4).compute_means(values)
    )


def test_starts_in_the_same_market_count_as_one() -> None:
    values = np.repeat([0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0], 50)
    together = compute_interval(Bootstrap(np.repeat(np.arange(8), 50), 1).compute_means(values))
    apart = compute_interval(Bootstrap(np.arange(400), 1).compute_means(values))
    assert together[1] - together[0] > 4 * (apart[1] - apart[0])


def test_the_interval_of_a_mean_is_about_two_standard_errors_wide_on_either_side() -> None:
    values = np.random.default_rng(1).normal(size=400)
    low, high = compute_interval(Bootstrap(np.arange(400), 1).compute_means(values))
    error = values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.2 * error)
