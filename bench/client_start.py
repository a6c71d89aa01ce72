"""Measure what `spot-relay --help` takes, beside a floor: a command of click with nothing behind it."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from bench.options import parse_positive

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).parents[1]
PAIRS: Final = 21
COMMANDS: Final = {
    "--help": "from spot_relay_client.cli import main; main(['--help'])",
    "ls --help": "from spot_relay_client.cli import main; main(['ls', '--help'])",
    "--version": "from spot_relay_client.cli import main; main(['--version'])",
}
FLOOR: Final = "import click; click.command()(lambda: None).main(['--help'], prog_name='floor')"


@dataclass(frozen=True)
class Figures:
    """A command beside the floor: medians over pairs that ran one after the other."""

    command: str
    cpu_ratio: float
    cpu_seconds: float
    floor_cpu_seconds: float


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.client_start", description=__doc__)
    parser.add_argument("--pairs", type=parse_positive, default=PAIRS, help="pairs of starts (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the figures as a JSON list, and nothing else")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the starts and print the figures."""
    options = parse_options(arguments)
    figures = [measure(name, options.pairs) for name in COMMANDS]
    if options.json:
        sys.stdout.write(json.dumps([asdict(one) for one in figures], indent=2) + "\n")
    else:
        Console(highlight=False).print(_build_table(figures))
    return 0


def measure(name: str, pairs: int) -> Figures:
    """Measure pairs of starts of a command and the floor, one after the other."""
    start(COMMANDS[name]), start(FLOOR)  # so that all files are compiled and in the page cache
    return compare(name, [(start(COMMANDS[name]), start(FLOOR)) for _ in range(pairs)])


def compare(name: str, pairs: Sequence[tuple[float, float]]) -> Figures:
    """Return the figures of pairs of CPU times; the ratio is the median of each pair's own, which saw one machine."""
    return Figures(
        command=name,
        cpu_ratio=round(median(own / floor for own, floor in pairs), 3),
        cpu_seconds=round(median(own for own, _ in pairs), 4),
        floor_cpu_seconds=round(median(floor for _, floor in pairs), 4),
    )


def start(code: str) -> float:
    """Run code in a new process, and return its CPU time in seconds, user and system."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONDONTWRITEBYTECODE", "PYTHONPATH"}}
    path = os.pathsep.join(str(ROOT / folder) for folder in ("client", "layers/spot_relay"))
    process = subprocess.Popen(  # noqa: S603 (the code is ours)
        [sys.executable, "-c", code], env={**kept, "PYTHONPATH": path}, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"it failed with {process.returncode}: {code}")
    return used.ru_utime + used.ru_stime


def _build_table(figures: Sequence[Figures]) -> Table:
    table = Table("spot-relay", "CPU, ratio", "CPU, s", "floor's CPU, s")
    for one in figures:
        table.add_row(one.command, f"{one.cpu_ratio:.2f}", f"{one.cpu_seconds:.3f}", f"{one.floor_cpu_seconds:.3f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
