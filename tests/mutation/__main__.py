"""Mutate the domain and list the mutants that its tests do not kill: `make mutate`."""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from contextlib import chdir
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mutmut.__main__ import get_diff_for_mutant
from rich.console import Console
from rich.table import Table

from tests.mutation.page import ACCEPTED, PAGE, PageError, insert, read_accepted, render, sort
from tests.mutation.results import change, draw, estimate, figures, read
from tests.mutation.stages import NEAR, QUICK, SLOWEST, STAGE
from tests.mutation.workspace import DOMAIN, prepare

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.mutation.results import Mutant

MUTMUT: Final = Path(sys.executable).with_name("mutmut")
_MEMORY: Final = 6 * 1024**3
_WIDTH: Final = 150
_SMALL: Final = "run.cause"


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", help="modules of the domain, all of whose mutants to try: rules.pace")
    parser.add_argument("--again", action="store_true", help="try the survivors again, with the slow tests as well")
    parser.add_argument("--sample", type=int, help="try so many mutants, drawn at random, with all tests")
    parser.add_argument("--seed", type=int, default=1, help="which ones are drawn (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="try nothing, list the results so far")
    parser.add_argument("--doc", action="store_true", help="write the results into docs/mutation.md")
    parser.add_argument("--children", type=int, default=1, help="how many mutants at a time (default: %(default)s)")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Try mutants and print the results; without modules, try those that have not been tried yet."""
    options = parse_options(arguments)
    place = prepare()
    if options.sample:
        _sample(options, place)
        return 0
    if not options.list:
        _try(options, place)
    mutants = read(MUTMUT, place)
    changes = {mutant: _change(place, mutant) for mutant in mutants if mutant.lives}
    console = Console(width=_WIDTH, highlight=False)
    _show(console, mutants, {mutant: changes[mutant] for mutant in _chosen(changes, options.modules)})
    if options.doc:
        try:
            _write_page(console, mutants, changes.values())
        except PageError as error:
            sys.exit(str(error))
    return 0


def _try(options: argparse.Namespace, place: Path) -> None:
    _limit_memory()
    if options.again:
        survivors = [mutant.name for mutant in _chosen(read(MUTMUT, place), options.modules) if mutant.lives]
        _run_mutmut(options, place, SLOWEST, survivors)
        return
    _run_mutmut(options, place, NEAR, [f"spot_relay.domain.{module}.*" for module in options.modules])
    lives = [mutant for mutant in _chosen(read(MUTMUT, place), options.modules) if mutant.lives]
    accepted = {text for entry in read_accepted(ACCEPTED.read_text("utf-8")) for text in entry.mutants}
    if unexpected := [mutant.name for mutant in lives if _change(place, mutant) not in accepted]:
        _run_mutmut(options, place, QUICK, unexpected)


def _sample(options: argparse.Namespace, place: Path) -> None:
    """Try mutants drawn at random, each with all tests if need be, and print the share that was killed."""
    _limit_memory()
    # It has few mutants, and all are made again before any is tried.
    _run_mutmut(options, place, NEAR, [f"spot_relay.domain.{_SMALL}.*"])
    drawn = draw(read(MUTMUT, place), options.sample, options.seed)
    alive = drawn
    for stage in (NEAR, QUICK, SLOWEST):
        if not alive:  # without names, mutmut would try all mutants
            break
        _run_mutmut(options, place, stage, sorted(alive))
        found = {mutant.name: mutant for mutant in read(MUTMUT, place)}
        alive = [name for name in alive if found[name].lives]
    console = Console(width=_WIDTH, highlight=False)
    for name in alive:
        console.print(_change(place, found[name]), markup=False, soft_wrap=True)
    console.print(estimate(len(drawn) - len(alive), len(drawn)))


def _run_mutmut(options: argparse.Namespace, place: Path, stage: str, names: Sequence[str]) -> None:
    command = [sys.executable, "-m", "tests.mutation.runner", "--children", str(options.children), *names]
    subprocess.run(command, cwd=place, check=True, env=os.environ | {STAGE: stage})


def _change(place: Path, mutant: Mutant) -> str:
    """Return a mutant as `module.function: before -> after`, which stays the same when its number shifts."""
    with chdir(place):
        diff = get_diff_for_mutant(mutant.name, path=f"{DOMAIN}/{mutant.module.replace('.', '/')}.py")
    return f"{mutant.module}.{mutant.function}: {change(diff)}"


def _show(console: Console, mutants: Sequence[Mutant], changes: Mapping[Mutant, str]) -> None:
    for mutant, text in changes.items():
        console.print(f"{mutant.number:4} {text}", markup=False, soft_wrap=True)
    table = Table("module", "mutants", "killed", "of them by timeout", "alive", "not tried", "% killed")
    for row in figures(mutants):
        counts = (row.mutants, row.killed, row.timed_out, row.lives, row.untried)
        table.add_row(row.module, *map(str, counts), row.score)
    console.print(table)


def _write_page(console: Console, mutants: Sequence[Mutant], survivors: Iterable[str]) -> None:
    sorting = sort(survivors, read_accepted(ACCEPTED.read_text("utf-8")))
    PAGE.write_text(insert(PAGE.read_text("utf-8"), render(tuple(figures(mutants)), sorting.groups)), "utf-8")
    for mutant in sorting.stale:
        console.print(f"{ACCEPTED.name}: no longer a survivor: {mutant}", markup=False, soft_wrap=True)


def _chosen(mutants: Iterable[Mutant], modules: Sequence[str]) -> list[Mutant]:
    return [mutant for mutant in mutants if not modules or mutant.module in modules]


def _limit_memory() -> None:
    """Stop a mutant that grows a list for ever before it takes the machine's memory."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))


if __name__ == "__main__":
    sys.exit(main())
