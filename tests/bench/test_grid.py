"""The grid: the same starts for every arm, wherever and in how many processes they are replayed."""

from __future__ import annotations

import numpy as np
import pytest

from bench.policy.arms import HOUR, ON_DEMAND
from bench.policy.grid import Figure, Grid, measure
from bench.policy.traces import Trace
from bench.policy.visible import GREEDY, OURS

DAY = 24 * HOUR
SMALL = Grid(work_h=6.0, job_fractions=(0.5, 0.9), changeovers_h=(0.2,), price_ratios=(2.0, 3.0), starts=8)


def _trace(name: str, days: int) -> Trace:
    windows = tuple((day * DAY + 2 * HOUR, day * DAY + (day % 20 + 3) * HOUR) for day in range(days))
    return Trace(name, windows, days * DAY)


def test_the_longest_horizon_fits_into_the_trace_after_each_start() -> None:
    starts = Grid(starts=200).draw_starts(_trace("a", 10))
    assert all(0 <= start <= 10 * DAY - 96 * HOUR for start in starts)
    assert max(starts) - min(starts) > 5 * DAY


def test_in_a_trace_shorter_than_the_longest_horizon_starts_may_be_anywhere() -> None:
    starts = Grid(starts=200).draw_starts(_trace("a", 2))
    assert max(starts) > 1.9 * DAY


def test_starts_depend_only_on_the_seed_and_the_trace() -> None:
    trace = _trace("a", 30)
    assert Grid().draw_starts(trace) == Grid(job_fractions=(0.5,), changeovers_h=(1.0,)).draw_starts(trace)
    assert Grid().draw_starts(trace) != Grid(seed=2).draw_starts(trace)
    assert Grid().draw_starts(trace) != Grid().draw_starts(_trace("b", 30))
    assert Grid(starts=70).draw_starts(trace)[:60] == Grid().draw_starts(trace)


def test_starts_in_the_same_week_of_a_trace_form_a_cluster() -> None:
    traces = (_trace("a", 60), _trace("b", 60))
    measured = measure(traces, (ON_DEMAND,), SMALL)
    weeks = [(trace.name, int(start // (7 * DAY))) for trace in traces for start in SMALL.draw_starts(trace)]
    assert (
        len(set(measured.clusters.tolist())) == len(set(weeks)) == len(set(zip(measured.clusters, weeks, strict=True)))
    )


def test_every_arm_and_the_optimum_are_measured_at_every_point() -> None:
    measured = measure((_trace("a", 30),), (ON_DEMAND, GREEDY), SMALL)
    assert measured.figures.shape == (2, 2, 1, len(Figure), 8)
    assert measured.least.shape == (2, 1, 2, 8)
    assert measured.figures[0, :, :, Figure.ON_DEMAND] == pytest.approx(np.full((2, 1, 8), 6.2))
    # With more time to wait nobody pays more, neither greedy nor the optimum.
    assert (measured.figures[1, 0, 0, Figure.ON_DEMAND] <= measured.figures[1, 1, 0, Figure.ON_DEMAND] + 1e-9).all()
    assert (measured.least[0] <= measured.least[1] + 1e-9).all()


def test_the_number_of_processes_does_not_change_the_results() -> None:
    alone = measure((_trace("a", 30),), (GREEDY, OURS), SMALL)
    ticks: list[None] = []
    together = measure((_trace("a", 30),), (GREEDY, OURS), SMALL, processes=2, on_start_done=lambda: ticks.append(None))
    assert np.array_equal(alone.figures, together.figures)
    assert np.array_equal(alone.least, together.least)
    assert len(ticks) == SMALL.starts
