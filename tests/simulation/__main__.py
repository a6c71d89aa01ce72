"""Play seeds: hostile schedules of a stack on virtual time, each checked at every step and at its end."""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.options import parse_positive
from tests.simulation.faults import Fault
from tests.simulation.seeds import Tally, needed_faults, play_seeds, trace

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHUNK = 250
# So many failing seeds are told of; the first one in full.
_TOLD = 20


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=parse_positive, default=2000, help="how many (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="play this one alone, and tell what happens")
    parser.add_argument(
        "--processes",
        type=parse_positive,
        default=os.cpu_count() or 1,
        help="how many at a time (default: %(default)s)",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Play, count and tell; the exit code is 1 if an invariant was violated."""
    options = parse_options(arguments)
    console = Console(width=120, highlight=False, soft_wrap=True)
    if options.seed is not None:
        return _tell_one(options.seed, console)
    began = time.monotonic()
    seeds = range(options.first, options.first + options.seeds)
    tally = _play(seeds, options.processes)
    _report(tally, time.monotonic() - began, options.processes, console)
    for seed, reason in sorted(tally.failures.items())[:_TOLD]:
        console.print(f"seed {seed}: {reason}", markup=False)
    if tally.failures:
        _tell_failure(min(tally.failures), console)
    return 1 if tally.failures else 0


def _play(seeds: range, processes: int) -> Tally:
    tally = Tally()
    chunks = [seeds[start : start + _CHUNK] for start in range(0, len(seeds), _CHUNK)]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        Progress(*columns, console=Console(stderr=True)) as progress,
        ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool,
    ):
        bar = progress.add_task("Playing seeds", total=len(seeds))
        for played in pool.map(play_seeds, chunks):
            tally.add(played)
            progress.advance(bar, played.seeds)
    return tally


def _report(tally: Tally, seconds: float, processes: int, console: Console) -> None:
    table = Table(title=f"{tally.seeds} seeds, {len(tally.failures)} violations")
    table.add_column("what struck")
    table.add_column("times", justify="right")
    for kind in Fault:
        table.add_row(str(kind), str(tally.struck[kind]))
    table.add_row("conflict between writers", str(tally.conflicts))
    table.add_row("message dead after five receives", str(tally.dead))
    console.print(table)
    ends = ", ".join(f"{count} {status}" for status, count in sorted(tally.ends.items()))
    rate, mean = tally.seeds / seconds, tally.observed / max(1, tally.seeds - len(tally.failures))
    console.print(
        f"{ends}. {mean:.1f} events a seed, {rate:.0f} seeds a second in {processes} processes, {seconds:.0f} s."
    )


def _tell_one(seed: int, console: Console) -> int:
    tally = play_seeds([seed])
    if tally.failures:
        _tell_failure(seed, console)
        return 1
    console.print(f"seed {seed}: nothing is violated.")
    return 0


def _tell_failure(seed: int, console: Console) -> None:
    """Print how to play a failing seed again, which faults it needs, and the last of what happens with those alone."""
    reason, needed = needed_faults(seed)
    for line in trace(seed, needed):
        console.print(line, markup=False)
    console.print(f"\nseed {seed}: {reason}", markup=False, style="bold red")
    console.print(f"It needs: {', '.join(needed) or 'no fault at all'}.")
    console.print(f"Again: make simulate SEED={seed}")


if __name__ == "__main__":
    sys.exit(main())
