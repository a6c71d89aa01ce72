"""What became of the mutants, as mutmut keeps it."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from contextlib import chdir
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from mutmut.__main__ import get_diff_for_mutant

from tests.mutation.workspace import DOMAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

KILLED = ("killed", "timeout")
LIVING = ("survived", "no tests")
NOT_TRIED = "not checked"
_NAME = re.compile(r"spot_relay\.domain\.(?P<module>\w+(?:\.\w+)?)\.(?P<function>\w+?)__mutmut_(?P<number>\d+)")


@dataclass(frozen=True)
class Mutant:
    """A mutant: its name, the module it is in, the function or method with a number, and mutmut's word for its fate."""

    name: str
    module: str
    place: str
    fate: str

    @property
    def lives(self) -> bool:
        """Whether it was tried, and no test has failed."""
        return self.fate in LIVING


def read(mutmut: Path, place: Path) -> list[Mutant]:
    """Read the fates of all mutants."""
    command = [str(mutmut), "results", "--all", "true"]
    lines = subprocess.run(command, cwd=place, check=True, capture_output=True, text=True).stdout.splitlines()
    return sorted(map(_mutant, lines), key=lambda mutant: mutant.module)


def _mutant(line: str) -> Mutant:
    name, _, fate = line.strip().partition(": ")
    found = _NAME.fullmatch(name)
    if found is None:
        message = f"mutmut speaks of a mutant that is not of the domain: {line}"
        raise ValueError(message)
    # "x_steer" is a function, "xǁStandingǁdemand" a method.
    function = found["function"].removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
    return Mutant(name, found["module"], f"{function} {found['number']}", fate)


def figures(mutants: Iterable[Mutant]) -> Iterator[tuple[str, ...]]:
    """Give a row for each module and one for all: mutants, killed, survived, without tests, not tried, % killed."""
    rows = {module: Counter(mutant.fate for mutant in group) for module, group in groupby(mutants, lambda m: m.module)}
    rows["all"] = sum(rows.values(), Counter())
    for name, fates in rows.items():
        tried = fates.total() - fates[NOT_TRIED]
        killed = sum(fates[fate] for fate in KILLED)
        share = f"{100 * killed / tried:.1f}" if tried else "-"
        counts = (fates.total(), killed, fates["timeout"], fates["survived"], fates["no tests"], fates[NOT_TRIED])
        yield (name, *map(str, counts), share)


def survivors(place: Path, mutants: Iterable[Mutant]) -> Iterator[str]:
    """Give a line for each mutant that lives: where it is, and what it changes."""
    with chdir(place):
        for mutant in mutants:
            if mutant.lives:
                diff = get_diff_for_mutant(
                    mutant.name, path=f"{DOMAIN}/{mutant.module.replace('.', '/')}.py"
                ).splitlines()[3:]
                yield f"{mutant.module}.{mutant.place}: {_side(diff, '-')} -> {_side(diff, '+') or '(nothing)'}"


def _side(diff: Sequence[str], sign: str) -> str:
    return " ".join(line[1:].strip() for line in diff if line.startswith(sign))
