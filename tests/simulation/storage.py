"""What is stored on virtual time: runs, with indexes that lag behind, and checkpoints, with all that befalls them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.descriptions import moment
from spot_relay.domain.rules.checkpoints import CheckpointSearch
from spot_relay.domain.run.run import DueRun
from spot_relay.domain.sagemaker.job import Checkpoint
from spot_relay.ports import ConflictError
from tests.fakes import (
    MemoryCheckpointCopies,
    MemoryCheckpoints,
    MemoryRunStore,
    followers_of,
    oldest_of,
    queued_of,
)
from tests.simulation.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from spot_relay.domain.run.run import Run, Waiting
    from spot_relay.domain.sagemaker.job import Pool
    from tests.simulation.faults import Dice
    from tests.simulation.timeline import Timeline

# How far an index may lag behind, in seconds.
INDEX_LAG = 5.0


@dataclass
class Checkpoints(MemoryCheckpoints):
    """The objects under each prefix; ``works`` tells how many seconds of training each holds."""

    timeline: Timeline = field(kw_only=True)
    dice: Dice = field(kw_only=True)
    works: dict[str, float] = field(default_factory=dict)

    def work(self, uri: str | None) -> float:
        """Return the training that the newest checkpoint under a prefix holds, in seconds."""
        search = None if uri is None else self.find_newest(uri)
        return self.works[search.newest.key] if isinstance(search, CheckpointSearch) and search.newest else 0.0

    def write(self, uri: str, number: int, work: float) -> None:
        """Write a checkpoint; now and then it is missing, holds too little, or an older one is the newest again."""
        if self.dice.strikes(Fault.CHECKPOINT_MISSING):
            return
        objects = self.found.setdefault(uri, [])
        if objects and self.dice.strikes(Fault.CHECKPOINT_BACKWARDS):
            del objects[-1]
            return
        if self.dice.strikes(Fault.CHECKPOINT_PARTIAL):
            work = self.work(uri)
        written = Checkpoint(f"{uri.removeprefix('s3://models/')}model-{number}", moment(self.timeline.now))
        # As in S3, a key has one object.
        self.found[uri] = [*(known for known in objects if known.key != written.key), written]
        self.works[written.key] = work


@dataclass
class CheckpointCopies(MemoryCheckpointCopies):
    """Copies one object in each call; ``written`` hears to which prefix, before it is there."""

    checkpoints: Checkpoints
    written: Callable[[str], None] = lambda _: None

    def copy_object(self, source: str, destination: str, key: str) -> None:
        """Copy an object, with the training that it holds."""
        self.written(destination)
        super().copy_object(source, destination, key)
        there, copied = (f"{uri.removeprefix('s3://models/')}{key}" for uri in (source, destination))
        self.checkpoints.works[copied] = self.checkpoints.works[there]


@dataclass
class RunStore(MemoryRunStore):
    """Runs in a dictionary; ``watch`` hears of each write, and indexes lag behind now and then."""

    timeline: Timeline = field(kw_only=True)
    dice: Dice = field(kw_only=True)
    watch: Callable[[Run | None, Run, bool], None] = field(kw_only=True)
    earlier: dict[str, tuple[float, Run | None]] = field(default_factory=dict)
    conflicts: int = 0

    def create(self, run: Run) -> Run:
        """Store a new run."""
        saved = super().create(run)
        self._written(None, saved, reopened=False)
        return saved

    def save(self, run: Run) -> Run:
        """Store a run on condition that its version is unchanged."""
        return self._saved(run, reopened=False)

    def reopen(self, run: Run) -> Run:
        """Store a run that goes on."""
        self._check_prefix(run)
        return self._saved(run, reopened=True)

    def _saved(self, run: Run, *, reopened: bool) -> Run:
        before = self.runs.get(run.id)
        try:
            saved = super().save(run)
        except ConflictError:
            self.conflicts += 1
            raise
        self._written(before, saved, reopened=reopened)
        return saved

    def list_due(self, until: datetime) -> Iterable[DueRun]:
        """Return the runs that are due by then, by an index that may lag."""
        listed = self._indexed() if self.dice.strikes(Fault.STALE_INDEX) else self.runs.values()
        due = [DueRun(run.id, run.due_at) for run in listed if run.due_at is not None and run.due_at <= until]
        return sorted(due, key=lambda found: (found.at, found.run_id))

    def oldest_waiting(self, *pools: Pool) -> dict[Pool, Waiting]:
        """Return the oldest runs that wait for room; one that has begun to wait just now may be missed."""
        waiting = [run for run in self.runs.values() if run.waits_for in pools]
        if waiting and self.dice.strikes(Fault.STALE_INDEX):
            known = {(run.id, run.waits_for) for run in self._indexed()}
            waiting = [run for run in waiting if (run.id, run.waits_for) in known]
        return oldest_of(waiting, pools)

    def list_followers(self, run_id: str, told: str, at_most: int) -> tuple[tuple[str, ...], str | None]:
        """Return the runs that wait for the end of a run; one that has begun to wait just now may be missed."""
        listed = self._indexed() if self.dice.strikes(Fault.STALE_INDEX) else self.runs.values()
        return followers_of(listed, run_id, told, at_most)

    def list_queued(self, template: str, most: int) -> tuple[str, ...]:
        """Return the runs that wait for others of their template; one that has begun to wait just now may be missed."""
        listed = self._indexed() if self.dice.strikes(Fault.STALE_INDEX) else self.runs.values()
        return queued_of(listed, template, most)

    def next_due(self) -> datetime | None:
        """Return when the tick next finds a run."""
        return min((run.due_at for run in self.runs.values() if run.due_at is not None), default=None)

    def _indexed(self) -> list[Run]:
        """Return the runs as an index shows them that lags behind."""
        shown = []
        for run in self.runs.values():
            at, before = self.earlier[run.id]
            seen = before if self.timeline.now - at < INDEX_LAG else run
            if seen is not None:
                shown.append(seen)
        return shown

    def _written(self, before: Run | None, after: Run, *, reopened: bool) -> None:
        self.earlier[after.id] = (self.timeline.now, before)
        self.watch(before, after, reopened)
