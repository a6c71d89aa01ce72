"""Measure every arm and the optimum on a grid of tasks, from the same starts on every trace."""

from __future__ import annotations

import gc
import random
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Final

import numpy as np

from bench.policy.arms import HOUR, Arm, Task
from bench.policy.optimum import compute_least_hours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from bench.policy.traces import Trace, Window

_WEEK_S: Final = 7 * 24 * HOUR
# A run without a safety net may continue past its deadline, for up to this many of the longest horizons.
_REACH: Final = 4


@dataclass(frozen=True, slots=True)
class Grid:
    """What is varied: C0/R0, the changeover, and the ratio of on-demand to spot prices; and the starts per trace."""

    work_h: float = 48.0
    job_fractions: tuple[float, ...] = (0.5, 0.6, 0.8, 0.9, 0.95)
    changeovers_h: tuple[float, ...] = (0.05, 0.2, 0.4)
    price_ratios: tuple[float, ...] = (1.5, 2.2, 3.14, 5.0)
    starts: int = 60
    seed: int = 1

    @property
    def horizons_s(self) -> tuple[float, ...]:
        """The time from submission to the deadline, for each job fraction."""
        return tuple(self.work_h * HOUR / fraction for fraction in self.job_fractions)

    def draw_starts(self, trace: Trace) -> tuple[float, ...]:
        """Return random times of submission, which depend only on the seed and the name of the trace.

        The longest horizon fits into the trace after each of them. A trace shorter than that is repeated.
        """
        draws = random.Random(f"{self.seed} {trace.name}")
        last = trace.end_s - max(self.horizons_s)
        return tuple(draws.uniform(0.0, last if last > 0 else trace.end_s) for _ in range(self.starts))


class Figure(IntEnum):
    """The figures of an outcome, in this order. The first three are in hours; ``SPOT`` includes canaries."""

    ON_DEMAND = 0
    SPOT = 1
    LEFT_OVER = 2
    MISSED = 3
    SWITCHES = 4
    LAUNCHES = 5


@dataclass(frozen=True, slots=True)
class Measured:
    """The results by start, which is the last axis; starts in the same trace and week share a number in ``clusters``.

    The axes of ``figures`` are arm, job fraction, changeover, ``Figure`` and start. Those of ``least``, the optimum
    in on-demand hours, are job fraction, changeover, price ratio and start.
    """

    grid: Grid
    arms: tuple[Arm, ...]
    clusters: NDArray[np.int64]
    figures: NDArray[np.float64]
    least: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Start:
    windows: tuple[Window, ...]
    cluster: int


@dataclass(frozen=True, slots=True)
class _FromStart:
    figures: NDArray[np.float64]
    least: NDArray[np.float64]


def measure(
    traces: Sequence[Trace],
    arms: Sequence[Arm],
    grid: Grid,
    processes: int = 1,
    on_start_done: Callable[[], None] = lambda: None,
) -> Measured:
    """Replay every arm from every start; ``on_start_done`` is called after each start."""
    starts = list(_list_starts(traces, grid))
    results: list[_FromStart] = []
    with _open_pool(processes) as mapping:
        for result in mapping(partial(_measure_start, tuple(arms), grid), starts):
            results.append(result)
            on_start_done()
    return Measured(
        grid,
        tuple(arms),
        clusters=np.array([start.cluster for start in starts]),
        figures=np.stack([result.figures for result in results], axis=-1),
        least=np.stack([result.least for result in results], axis=-1),
    )


@contextmanager
def _open_pool(
    processes: int,
) -> Iterator[Callable[[Callable[[_Start], _FromStart], Iterable[_Start]], Iterator[_FromStart]]]:
    if processes == 1:
        yield map
        return
    # Forking is unsafe because threads draw the progress bar.
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=_disable_garbage_collection
    ) as pool:
        try:
            yield partial(pool.map, chunksize=4)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _disable_garbage_collection() -> None:
    # The objects of a replay contain no cycles, so reference counting frees them all. This saves 5 % of the time.
    gc.disable()


def _list_starts(traces: Sequence[Trace], grid: Grid) -> Iterator[_Start]:
    reach = _REACH * max(grid.horizons_s)
    known: dict[tuple[int, int], int] = {}
    for place, trace in enumerate(traces):
        for start in grid.draw_starts(trace):
            cluster = known.setdefault((place, int(start // _WEEK_S)), len(known))
            yield _Start(trace.cut_windows(start, reach), cluster)


def _measure_start(arms: Sequence[Arm], grid: Grid, start: _Start) -> _FromStart:
    work_s = grid.work_h * HOUR
    figures = np.zeros((len(arms), len(grid.job_fractions), len(grid.changeovers_h), len(Figure)))
    least = np.zeros((len(grid.job_fractions), len(grid.changeovers_h), len(grid.price_ratios)))
    for column, changeover_h in enumerate(grid.changeovers_h):
        changeover_s = changeover_h * HOUR
        least[:, column] = compute_least_hours(start.windows, work_s, changeover_s, grid.horizons_s, grid.price_ratios)
        for row, horizon_s in enumerate(grid.horizons_s):
            task = Task(start.windows, work_s, horizon_s, changeover_s)
            for place, arm in enumerate(arms):
                figures[place, row, column] = _replay_arm(arm, task)
    return _FromStart(figures, least)


def _replay_arm(arm: Arm, task: Task) -> list[float]:
    outcome = arm.replay(task)
    figures = {
        Figure.ON_DEMAND: outcome.on_demand_hours,
        Figure.SPOT: outcome.spot_hours + outcome.canary_hours,
        Figure.LEFT_OVER: outcome.compute_left_over_hours(task),
        Figure.MISSED: float(outcome.missed_deadline(task)),
        Figure.SWITCHES: float(outcome.switches),
        Figure.LAUNCHES: float(outcome.launches),
    }
    return [figures[figure] for figure in Figure]
