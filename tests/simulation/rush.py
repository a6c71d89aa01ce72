"""A rush of uploads on virtual time: functions of limited number, queues that delay, and a SageMaker that throttles."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import count
from math import ceil
from random import Random
from typing import TYPE_CHECKING

from greenlet import getcurrent, greenlet

from bench.descriptions import moment
from simulator.world.rates import TokenBucket
from spot_relay.domain.rules.due import spread_looks
from spot_relay.domain.run.observation import Due, JobChanged
from spot_relay.domain.run.run import TICK, RunStatus
from spot_relay.domain.sagemaker.job import SecondaryStatus, TrainingJobStatus, parse_attempt_name
from spot_relay.domain.sagemaker.refusal import NotCreated, Refusal
from spot_relay.pacing import Pacing
from spot_relay.service import Service
from tests.fakes import (
    REGION,
    Clock,
    MemoryAnnouncements,
    MemoryCheckpoints,
    MemoryDocuments,
    MemoryInputFiles,
    MemoryPrices,
    MemoryRunStore,
    MemorySlots,
    MemoryTasks,
    MemoryTelemetry,
    MemoryTrainingJobs,
    MemoryTurns,
)
from tests.simulation.timeline import Timeline
from tests.unit.worlds import submission

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from spot_relay.domain.rules.turns import LaunchRate
    from spot_relay.domain.run.launch import Created, Launch
    from spot_relay.domain.run.run import Run

# The functions `submit` and `observe` each run so many at once: see MaximumConcurrency in template.yaml.
CONCURRENCY = 5


@dataclass
class TimelineClock(Clock):
    """The clock of a timeline."""

    timeline: Timeline = field(default_factory=Timeline)

    def __call__(self) -> datetime:
        return moment(self.timeline.now)


@dataclass
class Workers:
    """A function behind its queue: so many messages are handled at once, and each takes a while."""

    timeline: Timeline
    rng: Random
    waiting: deque[Callable[[], object]] = field(default_factory=deque)
    busy: int = 0

    def receive(self, work: Callable[[], object]) -> None:
        """Handle a message, now or when one of the others is done."""
        self.waiting.append(work)
        self._next()

    def sleep(self, seconds: float) -> None:
        """Handle no message for a while."""
        self.busy += CONCURRENCY
        self.timeline.after(seconds, self._wake)

    def _wake(self) -> None:
        self.busy -= CONCURRENCY
        for _ in range(CONCURRENCY):
            self._next()

    def _next(self) -> None:
        if self.waiting and self.busy < CONCURRENCY:
            self.busy += 1
            work = self.waiting.popleft()

            def run() -> None:
                pause(self.timeline, self.rng.uniform(0.02, 0.2))
                work()
                pause(self.timeline, self.rng.uniform(0.02, 0.2))
                self.busy -= 1
                self.timeline.after(0.0, self._next)

            greenlet(run).switch()


def pause(timeline: Timeline, seconds: float) -> None:
    """Wait within a function, while others go on."""
    worker = getcurrent()
    assert worker.parent is not None
    timeline.after(seconds, worker.switch)
    worker.parent.switch()


@dataclass
class ThrottlingJobs(MemoryTrainingJobs):
    """A SageMaker with a token bucket before CreateTrainingJob."""

    bucket: TokenBucket = field(default_factory=lambda: TokenBucket(1, 1, 0.0))
    timeline: Timeline = field(default_factory=Timeline)
    rng: Random = field(default_factory=Random)
    on_event: Callable[[str], None] = lambda _: None
    calls: list[tuple[float, bool]] = field(default_factory=list)
    """When each launch came, and whether it was throttled."""

    def create(self, launch: Launch) -> Created | NotCreated:
        allowed = self.bucket.take(self.timeline.now)
        self.calls.append((self.timeline.now, not allowed))
        if not allowed:
            return NotCreated("Rate exceeded", Refusal.THROTTLED)
        answer = super().create(launch)
        self.on_event(launch.job_name)
        # The event of a new job may come before the answer.
        pause(self.timeline, self.rng.uniform(0.02, 0.5))
        return answer


@dataclass
class Rush:
    """Uploads that come at once, and what becomes of them.

    SageMaker allows ``allowed`` launches a second, ``burst`` of them at once; others use ``others`` of these. The
    function `observe` handles no message for the first ``starts_after`` seconds.
    """

    uploads: int
    rate: LaunchRate
    allowed: float = 1.0
    burst: float = 1.0
    others: float = 0.0
    starts_after: float = 0.0
    seed: int = 1
    timeline: Timeline = field(default_factory=Timeline)
    store: MemoryRunStore = field(default_factory=MemoryRunStore)
    looks: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)
        clock = TimelineClock(timeline=self.timeline)
        bucket = TokenBucket(self.allowed, self.burst, 0.0)
        self.jobs = ThrottlingJobs(
            clock, bucket=bucket, timeline=self.timeline, rng=self.rng, on_event=self._deliver_event
        )
        self.submits, self.observes = (Workers(self.timeline, self.rng) for _ in range(2))
        ids, documents = count(), MemoryDocuments()
        self.service = Service(
            store=self.store,
            jobs=self.jobs,
            checkpoints=MemoryCheckpoints(),
            documents=documents,
            announcements=MemoryAnnouncements(),
            waiting_tasks=MemoryTasks(),
            telemetry=MemoryTelemetry(),
            prices=MemoryPrices(),
            input_files=MemoryInputFiles(),
            slots=MemorySlots(),
            wakeups=self,
            pacing=Pacing(MemoryTurns(self.rate), self, clock, lambda seconds: pause(self.timeline, seconds)),
            clock=clock,
            draw=self.rng.random,
            new_id=lambda: str(next(ids)),
            region=REGION,
        )

    def play(self) -> None:
        """Play until every run has its job."""
        for number in range(self.uploads):
            name = f"run-{number:05d}"
            wanted = submission(name=name, CheckpointConfig={"S3Uri": f"s3://models/{name}/"})
            self.submits.receive(lambda wanted=wanted: self.service.submit(wanted))  # type: ignore[misc]
        if self.starts_after:
            self.observes.sleep(self.starts_after)
        if self.others:
            self._use_by_others()
        self.timeline.at(TICK.total_seconds() * self.rng.random(), self._tick)
        while not self.is_over():
            self.timeline.step()

    def is_over(self) -> bool:
        """Whether every run has its job."""
        return len(self.jobs.requests) == self.uploads

    @property
    def seconds(self) -> float:
        """When the last run got its job."""
        return self.jobs.calls[-1][0]

    @property
    def throttled(self) -> float:
        """The share of the launches that were throttled."""
        return sum(throttled for _, throttled in self.jobs.calls) / len(self.jobs.calls)

    @property
    def runs(self) -> list[Run]:
        """All runs that are still waiting."""
        return [run for run in self.store.runs.values() if run.status is RunStatus.PENDING]

    def wake(self, run_id: str) -> None:
        """Nobody waits for room here."""
        raise AssertionError(run_id)

    def tell(self, run_ids: tuple[str, ...]) -> None:
        """No run comes after another one here."""
        raise AssertionError(run_ids)

    def look(self, run_id: str, after: timedelta) -> None:
        """Deliver a message after a delay in whole seconds, and a moment."""
        self._deliver(run_id, ceil(after.total_seconds()))

    def _deliver(self, run_id: str, seconds: float) -> None:
        self.looks[run_id] += 1
        arrives = seconds + self.rng.choice((0.02, 0.05, 0.1, 0.3))
        self.timeline.after(arrives, lambda: self.observes.receive(lambda: self.service.advance(run_id, Due())))

    def _deliver_event(self, job_name: str) -> None:
        run_id, number = parse_attempt_name(job_name) or (job_name, 1)
        starting = JobChanged(
            number, TrainingJobStatus.IN_PROGRESS, SecondaryStatus.STARTING, moment(self.timeline.now)
        )
        self.timeline.after(
            self.rng.uniform(0.02, 0.3), lambda: self.observes.receive(lambda: self.service.advance(run_id, starting))
        )

    def _tick(self) -> None:
        now = moment(self.timeline.now)
        for run_id, seconds in spread_looks(self.store.list_due(now + TICK), now):
            self._deliver(run_id, seconds)
        self.timeline.after(TICK.total_seconds(), self._tick)

    def _use_by_others(self) -> None:
        self.jobs.bucket.take(self.timeline.now)
        self.timeline.after(self.rng.expovariate(self.others), self._use_by_others)
