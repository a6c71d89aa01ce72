"""Replay the relaunch policy on traces of spot availability, and compare it with the alternatives."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.options import parse_positive
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
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.policy", description=__doc__)
    parser.add_argument(
        "traces", type=Path, metavar="folder", help="the folder of traces: .csv and .json files, see README.md"
    )
    parser.add_argument("--json", action="store_true", help="print only a JSON list of all figures")
    parser.add_argument("--out", type=Path, default=OUT, help="the folder for figures and plot (default: %(default)s)")
    parser.add_argument(
        "--starts", type=parse_positive, default=60, help="random starts per trace (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="the seed for the random starts (default: %(default)s)")
    parser.add_argument("--nodes", type=parse_positive, default=1, help="nodes needed at once (default: %(default)s)")
    parser.add_argument(
        "--ones", choices=("available", "preempted"), help="what a 1 in a .json file means (default: available)"
    )
    parser.add_argument(
        "--processes",
        type=parse_positive,
        default=os.cpu_count() or 1,
        help="number of processes (default: %(default)s)",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, then print and write the figures."""
    options = parse_options(arguments)
    console = Console(stderr=True, highlight=False)
    try:
        traces = read_folder(options.traces, Reading(options.nodes, options.ones))
    except TraceError as error:
        console.print(str(error), style="bold red", markup=False, soft_wrap=True)
        return 1
    grid = Grid(starts=options.starts, seed=options.seed)
    _warn(traces, grid, console)
    measured = _measure(traces, grid, options.processes, console)
    rows = statistics.compute_rows(measured, options.traces.resolve().name)
    if options.json:
        sys.stdout.write(report.to_json(rows) + "\n")
    else:
        Console(width=_WIDTH, highlight=False).print(report.build_table(rows, measured))
    for arm in report.find_broken_promises(rows, measured):
        console.print(f"{arm} missed a deadline despite its safety net.", style="bold red", markup=False)
    files = report.write(rows, measured, options.out)
    console.print(f"Written: {', '.join(map(str, files))}", markup=False, soft_wrap=True)
    return 0


def _measure(traces: Sequence[Trace], grid: Grid, processes: int, console: Console) -> Measured:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(f"Replaying {len(ARMS)} arms", total=len(traces) * grid.starts)
        return measure(traces, ARMS, grid, processes, lambda: progress.advance(bar))


def _warn(traces: Sequence[Trace], grid: Grid, console: Console) -> None:
    longest = max(grid.horizons_s)
    for trace in traces:
        if trace.doubt:
            console.print(f"{trace.name}: {trace.doubt}", style="yellow", markup=False, soft_wrap=True)
        if trace.end_s < longest:
            console.print(
                f"{trace.name}: {trace.end_s / 3600:.1f} h is shorter than the longest time to a deadline, "
                f"{longest / 3600:g} h. The trace is repeated.",
                style="yellow",
                markup=False,
                soft_wrap=True,
            )
