"""What a decision owes the world, stored with the run until it is done."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from spot_relay.domain.run.hosting import HostingKind
from spot_relay.domain.run.news import MOST_NEWS, News
from spot_relay.domain.run.observation import CanaryCreated, CheckpointsCopied, Launched
from spot_relay.domain.sagemaker.job import Market, Pool
from spot_relay.domain.values import dataclass, replace

if TYPE_CHECKING:
    from spot_relay.domain.run.observation import Observation


@dataclass(frozen=True)
class Measure:
    """One metric value with its dimensions; names and units are listed in docs/operations.md."""

    name: str
    value: float
    market: Market
    instance_type: str


@dataclass(frozen=True)
class Room:
    """News for the runs that wait for room in a pool: the oldest of them is woken."""

    pool: Pool
    holder: str | None = None
    """The training job that held the room; None if a run has left the queue."""


@dataclass(frozen=True)
class Outbox:
    """Duties, performed in the order of the fields, except that ``tasks`` and ``news`` come before the document.

    All but ``measures`` are idempotent.
    """

    freed: tuple[Room, ...] = ()
    """Room that other runs may use."""
    launch: int | None = None
    """The number of the attempt to create."""
    canary: int | None = None
    """The number of the canary to create."""
    stop: str | None = None
    """The training job to stop."""
    stop_canary: str | None = None
    """The canary's training job to stop."""
    status: bool = False
    """Whether the status document has to be written."""
    news: tuple[News, ...] = ()
    """What others are to be told by events, oldest first. It is told only once it is saved, and so is true."""
    tell_followers: bool = False
    """Whether to wake the runs that come after this one: it has ended."""
    told: str = ""
    """Up to where in the list of those runs all have been woken; empty at its beginning."""
    copy: bool = False
    """Whether the next part of another run's checkpoints has to be copied."""
    host: tuple[HostingKind, ...] = ()
    """Of which of the things to do with the model the next call to SageMaker is due."""
    tasks: tuple[str, ...] = field(default=(), repr=False)
    """The tokens of the Step Functions tasks to answer: the run has ended. They are secret."""
    measures: tuple[Measure, ...] = ()
    """Metrics, published once the other duties are done, or with the decision's own write if there are none."""

    def __bool__(self) -> bool:
        """Whether anything is owed."""
        return self.acts or self.status or bool(self.news or self.tasks or self.measures)

    @property
    def acts(self) -> bool:
        """Whether something is owed that this run, or one that waits for it, cannot continue without."""
        jobs = self.launch is not None or self.canary is not None or self.stop is not None
        others = self.tell_followers or self.copy or bool(self.freed or self.host)
        return jobs or self.stop_canary is not None or others

    @property
    def measures_alone(self) -> tuple[Measure, ...]:
        """The metrics, if nothing else is owed: then they are published with the write of the decision."""
        return () if self.acts or self.status or self.news or self.tasks else self.measures

    @property
    def actions(self) -> Outbox:
        """Only what this run, or one that waits for it, needs to continue, and what is told once it is saved."""
        return replace(self, status=False, measures=())

    @property
    def publications(self) -> Outbox:
        """Only what is owed to those who read about the run."""
        return Outbox(status=self.status)

    def without(self, answered: tuple[Observation, ...]) -> Outbox:
        """Return these duties without those that are answered already: those jobs and copies exist."""
        launch, canary, copy = self.launch, self.canary, self.copy
        for answer in answered:
            match answer:
                case Launched(attempt) if attempt == launch:
                    launch = None
                case CanaryCreated(number) if number == canary:
                    canary = None
                case CheckpointsCopied():
                    copy = False
        return replace(self, launch=launch, canary=canary, copy=copy)

    def then(self, later: Outbox) -> Outbox:
        """Return these duties together with ``later`` ones; where both name a job, the later one replaces the other."""
        return Outbox(
            freed=tuple(dict.fromkeys((*self.freed, *later.freed))),
            launch=later.launch if later.launch is not None else self.launch,
            canary=later.canary if later.canary is not None else self.canary,
            stop=later.stop if later.stop is not None else self.stop,
            stop_canary=later.stop_canary if later.stop_canary is not None else self.stop_canary,
            status=self.status or later.status,
            news=_merge(self.news, later.news),
            tell_followers=self.tell_followers or later.tell_followers,
            told=later.told if later.tell_followers else self.told,
            copy=self.copy or later.copy,
            host=tuple(dict.fromkeys((*self.host, *later.host))),
            tasks=tuple(dict.fromkeys((*self.tasks, *later.tasks))),
            measures=self.measures + later.measures,
        )


def _merge(news: tuple[News, ...], others: tuple[News, ...]) -> tuple[News, ...]:
    """Return the newest of both, in their order."""
    by_number = {one.number: one for one in (*news, *others)}
    return tuple(by_number[number] for number in sorted(by_number))[-MOST_NEWS:]
