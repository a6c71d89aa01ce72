"""Spot markets for tests: drawn at random, or written as a string of steps."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

from hypothesis import strategies as st

from bench.policy.arms import HOUR, Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.policy.traces import Window

_LONG: Final = 400 * HOUR


def windows_of(steps: str | Sequence[bool], step_s: float = HOUR) -> tuple[Window, ...]:
    """Return the windows of a market written as steps: ``#`` or true where spot can be had."""
    windows = []
    begins = 0
    for available, run in groupby(step in ("#", True) for step in steps):
        ends = begins + len(list(run))
        if available:
            windows.append((begins * step_s, ends * step_s))
        begins = ends
    return tuple(windows)


@st.composite
def tasks(draw: st.DrawFn, tightest: float = 0.95) -> Task:
    """Draw a task, and a market that is there and not there by turns of a few minutes to days."""
    turns = draw(st.lists(st.floats(180.0, 40 * HOUR), min_size=1, max_size=40))
    edges = [draw(st.sampled_from([0.0, 500.0]))]
    for turn in turns:
        edges.append(edges[-1] + turn)
    edges = [edge for edge in edges if edge < _LONG]
    windows = tuple(zip(edges[::2], edges[1::2], strict=False))
    work_s = draw(st.floats(20 * HOUR, 48 * HOUR))
    changeover_s = draw(st.floats(0.0, 0.4)) * HOUR
    # The safety net can promise nothing unless it holds at the beginning.
    least = max(work_s / tightest, work_s + 2 * changeover_s)
    return Task(windows, work_s, draw(st.floats(least, 2 * work_s)), changeover_s)


@st.composite
def small_tasks(draw: st.DrawFn) -> Task:
    """Draw a task of a few hours with a deadline that on-demand alone can meet, if only just, and a market for it."""
    turns = draw(st.lists(st.integers(10, 4 * 3600) | st.integers(10, 900), max_size=30))
    edges = [draw(st.sampled_from([0.0, 500.0]))]
    for turn in turns:
        edges.append(edges[-1] + turn)
    work_s = draw(st.integers(3600, 6 * 3600))
    changeover_s = draw(st.integers(0, 1800))
    slack_s = draw(st.integers(0, 3600) | st.integers(0, 6 * 3600))
    horizon_s = work_s + changeover_s + slack_s
    return Task(tuple(zip(edges[::2], edges[1::2], strict=False)), float(work_s), float(horizon_s), float(changeover_s))
