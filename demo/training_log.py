"""Read the training script's log: where each process started, and which rounds it trained."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from examples.images.xgboost.train import CHECKPOINT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROUND = re.compile(r"\[(\d+)\] (.+)")
_BEGINNINGS = ("Training from the beginning", "Resuming from ")


@dataclass(frozen=True)
class Stretch:
    """The rounds that one process trained in a row, from ``first`` to ``last``."""

    first: int
    last: int


@dataclass(frozen=True)
class TrainingLog:
    """The stretches of an attempt, in order, and the metrics of its latest round."""

    stretches: tuple[Stretch, ...] = ()
    metrics: str = ""
    rounds: frozenset[int] = field(default=frozenset(), repr=False)

    @property
    def resumed_from(self) -> int | None:
        """The round after which the attempt started to train; None if it trained no rounds."""
        return self.stretches[0].first - 1 if self.stretches else None

    @property
    def reached(self) -> int:
        """The highest round that the attempt trained; 0 if it trained none."""
        return max(self.rounds, default=0)


def read_log(lines: Iterable[str]) -> TrainingLog:
    """Read the log lines of an attempt, oldest first; unknown lines are ignored."""
    stretches: list[Stretch] = []
    rounds: set[int] = set()
    metrics = ""
    starts_new = True
    for line in lines:
        if line.startswith(_BEGINNINGS):
            starts_new = True
        elif match := _ROUND.match(line):
            number, metrics = int(match[1]), match[2].strip()
            rounds.add(number)
            if starts_new or number != stretches[-1].last + 1:
                stretches.append(Stretch(number, number))
            stretches[-1] = Stretch(stretches[-1].first, number)
            starts_new = False
    return TrainingLog(tuple(stretches), metrics, frozenset(rounds))


def parse_checkpoint_round(key: str) -> int | None:
    """Return the N of a key that ends in ``xgboost-checkpoint.N``, else None."""
    _, prefix, suffix = key.rpartition(CHECKPOINT_PREFIX)
    return int(suffix) if prefix and suffix.isdecimal() else None
