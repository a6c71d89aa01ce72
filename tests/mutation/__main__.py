"""Mutate the domain, and see which mutants its tests let live: `make mutate`."""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from tests.mutation.plugin import QUICK
from tests.mutation.results import figures, read, survivors
from tests.mutation.workspace import prepare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.mutation.results import Mutant

MUTMUT: Final = Path(sys.executable).with_name("mutmut")
_MEMORY: Final = 6 * 1024**3
_WIDTH: Final = 150


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument(
        "modules", nargs="*", help="modules of the domain, such as rules.pace, all of whose mutants are tried"
    )
    parser.add_argument(
        "--again", action="store_true", help="try those that have lived again, with the slow tests, too"
    )
    parser.add_argument("--list", action="store_true", help="try none: tell what is known")
    parser.add_argument("--children", type=int, default=1, help="how many mutants at a time (default: %(default)s)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Try mutants, and tell what became of all; without modules those are tried that have not been yet."""
    options = parse_options(arguments)
    place = prepare()
    if not options.list:
        names = [f"spot_relay.domain.{module}.*" for module in options.modules]
        if options.again:
            names = [mutant.name for mutant in _chosen(read(MUTMUT, place), options.modules) if mutant.lives]
        _limit_memory()
        command = [str(MUTMUT), "run", "--max-children", str(options.children), *names]
        quick = {} if options.again else {QUICK: "1"}
        subprocess.run(command, cwd=place, check=True, env=os.environ | quick)
    mutants = read(MUTMUT, place)
    console = Console(width=_WIDTH, highlight=False)
    for line in survivors(place, _chosen(mutants, options.modules)):
        console.print(line, markup=False, soft_wrap=True)
    table = Table("module", "mutants", "killed", "of them by time", "survived", "no tests", "not tried", "% killed")
    for row in figures(mutants):
        table.add_row(*row)
    console.print(table)
    return 0


def _chosen(mutants: Sequence[Mutant], modules: Sequence[str]) -> list[Mutant]:
    return [mutant for mutant in mutants if not modules or mutant.module in modules]


def _limit_memory() -> None:
    """Have a mutant that grows a list for ever end before the machine does."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


if __name__ == "__main__":
    sys.exit(main())
