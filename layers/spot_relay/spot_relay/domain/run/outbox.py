"""What a decision owes the world, stored with the run until it is done."""

from __future__ import annotations

from dataclasses import dataclass

from spot_relay.domain.sagemaker.job import Market, Pool
from spot_relay.domain.values import replace


@dataclass(frozen=True)
class Measure:
    """One metric value with its dimensions; names and units are listed in docs/operations.md."""

    name: str
    value: float
    market: Market
    instance_type: str


@dataclass(frozen=True)
class Room:
    """News for those who wait for room in a pool: the oldest of them is woken.

    ``holder`` is the training job that had it; None if a run has given up its place in the queue.
    """

    pool: Pool
    holder: str | None = None


@dataclass(frozen=True)
class Outbox:
    """Duties, performed in the order of the fields; all but ``measures`` are idempotent.

    ``freed`` is room to give back, ``launch`` the number of the attempt to create, ``canary`` the number of the
    canary to create, ``stop`` and ``stop_canary`` name training jobs to stop, ``status`` asks for the status
    document, ``announce`` for the event that tells that the run has ended or goes on again, and ``measures`` are
    metrics, published once the other duties are known to be done, or by the decision's own write if there are none.
    """

    freed: tuple[Room, ...] = ()
    launch: int | None = None
    canary: int | None = None
    stop: str | None = None
    stop_canary: str | None = None
    status: bool = False
    announce: bool = False
    measures: tuple[Measure, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is owed."""
        return self.acts or self.status or self.announce or bool(self.measures)

    @property
    def acts(self) -> bool:
        """Whether something is owed that the run cannot go on without."""
        jobs = self.launch is not None or self.canary is not None or self.stop is not None
        return jobs or self.stop_canary is not None or bool(self.freed)

    @property
    def measures_alone(self) -> tuple[Measure, ...]:
        """The metrics, where nothing else is owed: then they belong to the very write of the decision."""
        return () if self.acts or self.publications else self.measures

    @property
    def actions(self) -> Outbox:
        """What is owed that the run cannot go on without, alone."""
        return replace(self, status=False, announce=False, measures=())

    @property
    def publications(self) -> Outbox:
        """What is owed to those who read of the run."""
        return Outbox(status=self.status, announce=self.announce)

    def __or__(self, later: Outbox) -> Outbox:
        """Owe what both owe."""
        if not (self and later):
            return self or later
        return Outbox(
            freed=tuple(dict.fromkeys((*self.freed, *later.freed))),
            launch=later.launch if later.launch is not None else self.launch,
            canary=later.canary if later.canary is not None else self.canary,
            stop=later.stop if later.stop is not None else self.stop,
            stop_canary=later.stop_canary if later.stop_canary is not None else self.stop_canary,
            status=self.status or later.status,
            announce=self.announce or later.announce,
            measures=self.measures + later.measures,
        )
