"""Compute the omniscient optimum: the lowest cost that was possible if the whole trace had been known.

It uses dynamic programming over the windows of availability, with the work done so far as the state. Few choices
matter, because moving a period of work in time changes neither its cost nor its progress:

* Spot is taken when its window opens and kept until it closes, or until the work is done.
* On-demand runs in one piece between two such windows, until the later one opens. It may start at any time.

An on-demand start is recorded as a debt of work, the changeover, which running pays off, so a changeover may extend
across a boundary. Time and work advance in steps; prices are relative to the on-demand price.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.ndimage import minimum_filter1d

from bench.policy.arms import HOUR

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from bench.policy.traces import Window

STEP_S: Final = 45.0


@dataclass(frozen=True, slots=True)
class _Costs:
    """The lowest costs so far, in on-demand steps; one row per price ratio, one column per step of work.

    Column 0 is the largest debt. ``idle``: nothing runs, ``on_demand``: on-demand runs, ``done``: the work is done.
    """

    idle: NDArray[np.float64]
    on_demand: NDArray[np.float64]
    done: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Span:
    """A period in which spot is available or not, in steps."""

    begins: int
    ends: int
    available: bool


def compute_least_hours(
    windows: Sequence[Window],
    work_s: float,
    changeover_s: float,
    horizons_s: Sequence[float],
    price_ratios: Sequence[float],
    step_s: float = STEP_S,
) -> NDArray[np.float64]:
    """Return the lowest cost for each horizon (row) and price ratio (column), in on-demand hours.

    Infinite where the work cannot be done in time. All times are rounded to steps, horizons down.
    """
    changeover = round(changeover_s / step_s)
    spot = 1 / np.asarray(price_ratios, dtype=np.float64)[:, np.newaxis]
    horizons = [int(horizon / step_s + 1e-9) for horizon in horizons_s]
    costs = _nothing_done(len(price_ratios), round(work_s / step_s) + changeover + 1, changeover)
    least = np.full((len(horizons), len(price_ratios)), np.inf)
    for span in _spans(windows, max(horizons), step_s):
        for row, horizon in enumerate(horizons):
            if span.begins < horizon <= span.ends:
                least[row] = _advance(costs, replace(span, ends=horizon), changeover, spot).done
        costs = _advance(costs, span, changeover, spot)
    return least * step_s / HOUR


def _nothing_done(rows: int, columns: int, changeover: int) -> _Costs:
    idle = np.full((rows, columns), np.inf)
    idle[:, changeover] = 0.0
    return _Costs(idle, np.full((rows, columns), np.inf), np.full(rows, np.inf))


def _spans(windows: Sequence[Window], until: int, step_s: float) -> Iterator[_Span]:
    edges = [0]
    for window in windows:
        edges += (min(until, max(edges[-1], round(edge / step_s))) for edge in window)
    for place, (begins, ends) in enumerate(pairwise([*edges, until])):
        if begins < ends:
            yield _Span(begins, ends, available=place % 2 == 1)


def _advance(costs: _Costs, span: _Span, changeover: int, spot: NDArray[np.float64]) -> _Costs:
    steps = span.ends - span.begins
    idle = np.minimum(costs.idle, costs.on_demand)
    on_demand, done_on_demand = _run_on_demand(idle, costs.on_demand, steps, changeover)
    done = np.minimum(costs.done, done_on_demand)
    if span.available and steps > changeover:
        done = np.minimum(done, _finish(idle, steps - changeover, spot, changeover))
        trained = idle[:, : changeover - steps] + steps * spot
        idle[:, steps - changeover :] = np.minimum(idle[:, steps - changeover :], trained)
    return _Costs(idle, on_demand, done)


def _run_on_demand(
    idle: NDArray[np.float64], running: NDArray[np.float64], steps: int, changeover: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    columns = idle.shape[1]
    steps_in = min(steps, columns - 1)
    place = np.arange(columns + changeover)
    # Starting late: this state can be reached in any number of steps, up to the length of the span.
    reachable = np.pad(idle, ((0, 0), (0, changeover)), constant_values=np.inf) - place
    started = minimum_filter1d(reachable, steps_in + 1, axis=1, mode="constant", cval=np.inf, origin=steps_in // 2)
    after = (started + place)[:, changeover:]
    if steps < columns:
        after[:, steps:] = np.minimum(after[:, steps:], running[:, : columns - steps] + steps)
    finished = np.minimum(after[:, -1], _finish(running, steps, np.ones((1, 1)), 0))
    return after, finished


def _finish(
    costs: NDArray[np.float64], progress: int, price: NDArray[np.float64], changeover: int
) -> NDArray[np.float64]:
    """Return the lowest cost of finishing the work within a period that allows up to ``progress``."""
    columns = costs.shape[1]
    near = costs[:, max(0, columns - 1 - progress) :]
    left = np.arange(near.shape[1])[::-1]
    least: NDArray[np.float64] = (near + (left + changeover) * price).min(axis=1)
    return least
