"""Playing seeds, once or, where faults may cost nothing but time, twice; and the shortest way back to a failure."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.simulation.arrivals import draw_incoming
from tests.simulation.faults import ONLY_TIME, Fault
from tests.simulation.play import Play
from tests.simulation.violation import ViolationError
from tests.simulation.worlds import draw_world, is_timeless

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from spot_relay.domain.run.run import Run, RunStatus

# Of so many seeds one is played with faults that cost time alone and, beside it, with none, where time changes nothing
# else about its world: that makes one in four.
_COMPARED = 2
_SHOWN_LINES = 60
MATTERS = frozenset(Fault) - ONLY_TIME


@dataclass
class Tally:
    """What plays have shown: how many, what struck, how runs ended, and each seed that failed with the reason."""

    seeds: int = 0
    observed: int = 0
    dead: int = 0
    conflicts: int = 0
    struck: Counter[Fault] = field(default_factory=Counter)
    ends: Counter[RunStatus] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Add what other plays have shown."""
        self.seeds += other.seeds
        self.observed += other.observed
        self.dead += other.dead
        self.conflicts += other.conflicts
        self.struck += other.struck
        self.ends += other.ends
        self.failures |= other.failures


def play_seeds(seeds: Iterable[int]) -> Tally:
    """Play seeds and count what happened; a violation ends its seed, not the others."""
    tally = Tally()
    for seed in seeds:
        tally.seeds += 1
        try:
            played = play_seed(seed)
        except ViolationError as violation:
            tally.failures[seed] = str(violation)
            continue
        tally.observed += played.observed
        tally.dead += len(played.dead)
        tally.conflicts += played.store.conflicts
        tally.struck += played.dice.struck
        tally.ends.update(run.status for run in played.store.runs.values())
    return tally


def play_seed(seed: int, without: Collection[Fault] = (), tell: Any = None) -> Play:
    """Play a seed to its end. ViolationError where an invariant does not hold."""
    compared = seed % _COMPARED == 0 and is_timeless(draw_world(seed)) and draw_incoming(seed) is None
    left_out = {*without, *MATTERS} if compared else without
    played = Play(seed, left_out, tell)
    played.play()
    if compared:
        undisturbed = Play(seed, frozenset(Fault))
        undisturbed.play()
        _compare(played, undisturbed)
    return played


def needed_faults(seed: int) -> tuple[str, list[Fault]]:
    """Leave out one kind of fault after the other as long as the seed still fails; give the reason and what is left."""
    without: set[Fault] = set()
    reason = _fails(seed, without)
    for kind in Fault:
        if (still := _fails(seed, {*without, kind})) is not None:
            without.add(kind)
            reason = still
    if reason is None:
        message = f"seed {seed} does not fail"
        raise ValueError(message)
    return reason, [kind for kind in Fault if kind not in without]


def trace(seed: int, needed: Collection[Fault]) -> list[str]:
    """Return the last lines of what happens in a seed that fails with no more than the faults needed."""
    lines: deque[str] = deque(maxlen=_SHOWN_LINES)
    try:
        play_seed(seed, frozenset(Fault) - set(needed), lines.append)
    except ViolationError as violation:
        lines.append(f"-> {violation}")
    return list(lines)


def _fails(seed: int, without: Collection[Fault]) -> str | None:
    try:
        play_seed(seed, without)
    except ViolationError as violation:
        return str(violation)
    return None


def _compare(disturbed: Play, undisturbed: Play) -> None:
    """Hold that the faults have cost nothing but time."""
    for run in undisturbed.store.runs.values():
        other = disturbed.store.runs.get(run.id)
        if other is None:
            raise ViolationError(8, f"{run.id} was never accepted")
        if _outcome(other) != _outcome(run):
            text = f"{run.id} ended as {_outcome(other)}, and without the faults as {_outcome(run)}"
            raise ViolationError(8, text)


def _outcome(run: Run) -> tuple[Any, ...]:
    """Return what a user would call the outcome: all but the times."""
    attempts = [
        (a.job_name, str(a.outcome), a.training_seconds, a.billable_seconds, a.interruptions, a.failure_reason)
        for a in run.attempts
    ]
    resumed = [attempt.resumes_from.key if attempt.resumes_from else None for attempt in run.attempts]
    hosted = [(str(task.kind), str(task.status)) for task in run.hosting]
    return str(run.status), run.spent, attempts, resumed, hosted
