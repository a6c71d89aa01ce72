"""Compute figures from replays: means, shares of the gap, and confidence intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from bench.policy.arms import BASELINE
from bench.policy.grid import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from bench.policy.grid import Measured

OMNISCIENT: Final = "omniscient"
_DRAWS: Final = 2000
# If greedy is this close to the optimum, there is no gap to close.
_NO_GAP: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Row:
    """One arm at one point of the grid. Costs are relative to on-demand; meaningless figures are ``None``.

    ``starts`` is the number of tasks, ``launches_mean`` the mean number of periods on instances.
    """

    trace_set: str
    arm: str
    job_fraction: float
    changeover_h: float
    price_ratio: float
    cost_ratio_mean: float
    ci95: tuple[float, float]
    cost_ratio_p95: float
    gap_closed: float | None
    gap_closed_ci95: tuple[float, float] | None
    missed_deadlines: int
    starts: int
    switches_mean: float | None
    launches_mean: float | None
    on_demand_hours_mean: float | None
    spot_hours_mean: float | None


class Bootstrap:
    """Computes means over resampled clusters of starts.

    Starts in the same week of a trace see the same spot market, so whole clusters are drawn, with replacement.
    """

    def __init__(self, clusters: NDArray[np.int64], seed: int, draws: int = _DRAWS) -> None:
        names, self._members = np.unique(clusters, return_inverse=True)
        generator = np.random.default_rng(seed)
        self._drawn = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
        self._sizes = self._drawn @ np.bincount(self._members)

    def compute_means(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the mean of ``values`` in each draw."""
        means: NDArray[np.float64] = (self._drawn @ np.bincount(self._members, weights=values)) / self._sizes
        return means


def compute_interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    """Return the middle 95 % of ``draws``."""
    low, high = np.quantile(draws, (0.025, 0.975))
    return float(low), float(high)


def compute_rows(measured: Measured, trace_set: str) -> tuple[Row, ...]:
    """Return a row for each arm, and for the optimum, at each point of the grid."""
    return tuple(_rows(measured, trace_set))


def _rows(measured: Measured, trace_set: str) -> Iterator[Row]:
    grid = measured.grid
    bootstrap = Bootstrap(measured.clusters, grid.seed)
    for i, fraction in enumerate(grid.job_fractions):
        for j, changeover in enumerate(grid.changeovers_h):
            for k, ratio in enumerate(grid.price_ratios):
                point = _Point(measured, bootstrap, (i, j, k))
                for arm in (*(arm.name for arm in measured.arms), OMNISCIENT):
                    yield point.row(arm, (trace_set, arm, fraction, changeover, ratio))


class _Point:
    """One point of the grid, with the costs to compare with."""

    def __init__(self, measured: Measured, bootstrap: Bootstrap, place: tuple[int, int, int]) -> None:
        self._measured = measured
        self._bootstrap = bootstrap
        self._place = place
        self._names = [arm.name for arm in measured.arms]
        self._baseline = self._compute_costs(BASELINE) if BASELINE in self._names else None
        self._least = self._compute_costs(OMNISCIENT)

    def row(self, arm: str, key: tuple[str, str, float, float, float]) -> Row:
        costs = self._compute_costs(arm)
        closed, closed_draws = self._compute_closed(costs)
        return Row(
            *key,
            cost_ratio_mean=float(costs.mean()),
            ci95=compute_interval(self._bootstrap.compute_means(costs)),
            cost_ratio_p95=float(np.quantile(costs, 0.95)),
            gap_closed=closed,
            gap_closed_ci95=closed_draws,
            missed_deadlines=0 if arm == OMNISCIENT else int(self._figures(arm, Figure.MISSED).sum()),
            starts=len(costs),
            switches_mean=self._compute_mean(arm, Figure.SWITCHES),
            launches_mean=self._compute_mean(arm, Figure.LAUNCHES),
            on_demand_hours_mean=self._compute_mean(arm, Figure.ON_DEMAND),
            spot_hours_mean=self._compute_mean(arm, Figure.SPOT),
        )

    def _compute_costs(self, arm: str) -> NDArray[np.float64]:
        i, j, k = self._place
        grid = self._measured.grid
        costs: NDArray[np.float64]
        if arm == OMNISCIENT:
            costs = self._measured.least[i, j, k]
        else:
            spot = self._figures(arm, Figure.SPOT) / grid.price_ratios[k]
            costs = self._figures(arm, Figure.ON_DEMAND) + spot + self._figures(arm, Figure.LEFT_OVER)
        return costs / (grid.work_h + grid.changeovers_h[j])

    def _compute_closed(self, costs: NDArray[np.float64]) -> tuple[float | None, tuple[float, float] | None]:
        if self._baseline is None:
            return None, None
        gap, closed = self._baseline - self._least, self._baseline - costs
        gaps = self._bootstrap.compute_means(gap)
        if gap.mean() <= _NO_GAP or gaps.min() <= _NO_GAP:
            return None, None
        return float(closed.mean() / gap.mean()), compute_interval(self._bootstrap.compute_means(closed) / gaps)

    def _figures(self, arm: str, figure: Figure) -> NDArray[np.float64]:
        i, j, _ = self._place
        figures: NDArray[np.float64] = self._measured.figures[self._names.index(arm), i, j, figure]
        return figures

    def _compute_mean(self, arm: str, figure: Figure) -> float | None:
        return None if arm == OMNISCIENT else float(self._figures(arm, figure).mean())
