"""Replay the relaunch policy on traces of spot availability, beside what else one could do."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.options import above_zero
from bench.policy import arms, replay, report, statistics, visible
from bench.policy.grid import Grid, measure
from bench.policy.traces import Reading, TraceError, read_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.policy.arms import Arm
    from bench.policy.grid import Measured
    from bench.policy.traces import Trace

ARMS: Final[tuple[Arm, ...]] = (
    arms.ON_DEMAND,
    replay.SAGEMAKER_ALONE,
    replay.FIXED_WAIT,
    replay.GREEDY,
    replay.UNIFORM_PROGRESS,
    replay.OURS_BLIND,
    replay.OURS,
    visible.UNIFORM_PROGRESS,
    visible.OURS,
)
OUT: Final = Path(".local/bench")
_WIDTH: Final = 150


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.policy", description=__doc__)
    parser.add_argument("traces", type=Path, metavar="folder", help="the traces: .csv and .json files, see README.md")
    parser.add_argument("--json", action="store_true", help="print all figures as a JSON list, and nothing else")
    parser.add_argument("--out", type=Path, default=OUT, help="where figures and plot go (default: %(default)s)")
    parser.add_argument("--starts", type=above_zero, default=60, help="random starts a trace (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="what the starts are drawn from (default: %(default)s)")
    parser.add_argument("--nodes", type=above_zero, default=1, help="nodes needed at once (default: %(default)s)")
    parser.add_argument(
        "--ones", choices=("available", "preempted"), help="what a 1 in a .json file means (default: available)"
    )
    parser.add_argument(
        "--processes", type=above_zero, default=os.cpu_count() or 1, help="how many at a time (default: %(default)s)"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write."""
    options = parse_options(arguments)
    narrator = Console(stderr=True, highlight=False)
    try:
        traces = read_folder(options.traces, Reading(options.nodes, options.ones))
    except TraceError as error:
        narrator.print(str(error), style="bold red", markup=False, soft_wrap=True)
        return 1
    grid = Grid(starts=options.starts, seed=options.seed)
    _remark(traces, grid, narrator)
    measured = _measure(traces, grid, options.processes, narrator)
    rows = statistics.rows(measured, options.traces.resolve().name)
    if options.json:
        sys.stdout.write(report.document(rows) + "\n")
    else:
        Console(width=_WIDTH, highlight=False).print(report.table(rows, measured))
    for arm in report.broken_promises(rows, measured):
        narrator.print(f"{arm} missed a deadline in spite of its safety net.", style="bold red", markup=False)
    files = report.write(rows, measured, options.out)
    narrator.print(f"Written: {', '.join(map(str, files))}", markup=False, soft_wrap=True)
    return 0


def _measure(traces: Sequence[Trace], grid: Grid, processes: int, narrator: Console) -> Measured:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=narrator) as progress:
        bar = progress.add_task(f"Replaying {len(ARMS)} arms", total=len(traces) * grid.starts)
        return measure(traces, ARMS, grid, processes, lambda: progress.advance(bar))


def _remark(traces: Sequence[Trace], grid: Grid, narrator: Console) -> None:
    longest = max(grid.horizons_s)
    for trace in traces:
        if trace.doubt:
            narrator.print(f"{trace.name}: {trace.doubt}", style="yellow", markup=False, soft_wrap=True)
        if trace.end_s < longest:
            narrator.print(
                f"{trace.name}: {trace.end_s / 3600:.1f} h, shorter than the longest time to a deadline, "
                f"{longest / 3600:g} h; it begins again at its end.",
                style="yellow",
                markup=False,
                soft_wrap=True,
            )
