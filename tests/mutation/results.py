"""The results of a mutation run, as mutmut keeps them."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from math import sqrt
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

TIMED_OUT = "timeout"
KILLED = ("killed", TIMED_OUT)
UNTRIED = ("not checked", "check was interrupted by user")
_NAME = re.compile(r"spot_relay\.domain\.(?P<module>\w+(?:\.\w+)?)\.(?P<function>\w+?)__mutmut_(?P<number>\d+)")


@dataclass(frozen=True)
class Mutant:
    """One mutant, and what mutmut reports about it."""

    name: str
    """mutmut's own name, for `mutmut show`."""
    module: str
    """The module inside the domain, such as `rules.pace`."""
    function: str
    """The function, or `Class.method`."""
    number: int
    """mutmut's running number in the function. It shifts whenever the function is edited."""
    fate: str
    """mutmut's word for what happened, such as `survived`."""

    @property
    def untried(self) -> bool:
        """Whether no test has run on it yet."""
        return self.fate in UNTRIED

    @property
    def lives(self) -> bool:
        """Whether it was tried and nothing killed it."""
        return not self.untried and self.fate not in KILLED


@dataclass(frozen=True)
class Figures:
    """The figures of one module, or of all of them."""

    module: str
    mutants: int
    killed: int
    timed_out: int
    """How many of the killed ones ran out of time."""
    lives: int
    untried: int

    @property
    def score(self) -> str:
        """The share of the tried mutants that were killed, in percent."""
        tried = self.killed + self.lives
        return f"{100 * self.killed / tried:.1f}" if tried else "-"


def read(mutmut: Path, place: Path) -> list[Mutant]:
    """Return all mutants with their fates, sorted by module."""
    command = [str(mutmut), "results", "--all", "true"]
    lines = subprocess.run(command, cwd=place, check=True, capture_output=True, text=True).stdout.splitlines()
    return sorted(map(parse, lines), key=lambda mutant: mutant.module)


def parse(line: str) -> Mutant:
    """Return the mutant that a line of `mutmut results` describes."""
    name, _, fate = line.strip().partition(": ")
    found = _NAME.fullmatch(name)
    if found is None:
        message = f"mutmut reports a mutant outside the domain: {line}"
        raise ValueError(message)
    # "x_steer" is a function, "xǁStandingǁdemand" a method.
    function = found["function"].removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
    return Mutant(name, found["module"], function, int(found["number"]), fate)


def figures(mutants: Iterable[Mutant]) -> Iterator[Figures]:
    """Return the figures of each module, then those of all modules together."""
    rows = {module: Counter(map(_kind, group)) for module, group in groupby(mutants, lambda mutant: mutant.module)}
    rows["all"] = sum(rows.values(), Counter())
    for module, kinds in rows.items():
        killed = kinds["killed"] + kinds["timed out"]
        yield Figures(module, kinds.total(), killed, kinds["timed out"], kinds["lives"], kinds["untried"])


def draw(mutants: Sequence[Mutant], count: int, seed: int) -> list[str]:
    """Return the names of so many mutants, drawn at random."""
    names = sorted(mutant.name for mutant in mutants)
    return Random(seed).sample(names, min(count, len(names)))  # noqa: S311 (not a secret)


def estimate(killed: int, tried: int) -> str:
    """Return what a sample says of all mutants: the share that was killed, with Wilson's 95 % interval."""
    share, spread = killed / tried, 1.96**2 / tried
    middle = (share + spread / 2) / (1 + spread)
    half = 1.96 * sqrt(share * (1 - share) / tried + spread / (4 * tried)) / (1 + spread)
    low, high = (f"{100 * bound:.1f}" for bound in (middle - half, min(1.0, middle + half)))
    return f"{killed} of {tried} killed, {100 * share:.1f} %; of all mutants {low} to {high} % (95 % confidence)"


def _kind(mutant: Mutant) -> str:
    if mutant.untried:
        return "untried"
    if mutant.lives:
        return "lives"
    return "timed out" if mutant.fate == TIMED_OUT else "killed"


def change(diff: str) -> str:
    """Return a unified diff as one line, `before -> after`."""
    lines = diff.splitlines()[3:]
    before, after = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return f"{before} -> {after or '(nothing)'}"
