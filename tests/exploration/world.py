"""A state of the exploration: what is stored, SageMaker's jobs, what is queued, and where each function stands.

A world can be forked, and has a key: two worlds with the same key have the same future.
"""

from __future__ import annotations

import json
import marshal
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b
from math import floor
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from bench.descriptions import BEGINNING, Describer, moment
from simulator.life.job import Transitioned
from spot_relay.adapters.inbound import write_predecessor_ended, write_room_freed, write_run_due
from spot_relay.domain.run.run import Run
from spot_relay.domain.shown.events import HOSTING_CHANGE, RUN_CHANGE
from spot_relay.domain.values import replace
from tests.exploration.hosting import Hosting
from tests.exploration.programs import Answer, Call, Place, Programs
from tests.exploration.tasks import Task, observe
from tests.fakes import MemorySlots
from tests.simulation.changes_watch import ChangesWatch
from tests.simulation.faults import Dice
from tests.simulation.hosting_watch import HostingWatch
from tests.simulation.invariants import Published, Watch
from tests.simulation.ledger import Ledger
from tests.simulation.news_watch import NoNewsWatch
from tests.simulation.sagemaker import SageMaker, TrainingJob
from tests.simulation.storage import CheckpointCopies, Checkpoints, RunStore
from tests.simulation.timeline import Timeline
from tests.simulation.violation import ViolationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from simulator.life.job import Happening, Script
    from simulator.life.job import Job as JobLife
    from spot_relay.domain.run.outbox import Measure
    from spot_relay.domain.shown.events import Event
    from tests.exploration.scope import Allowance, Scenario

_MEASURED = ("TrainingSeconds", "AttemptsLaunched", "Interruptions")
_encode = msgspec.json.Encoder(order="deterministic").encode


class Message(NamedTuple):
    """A message in a queue, hidden until ``visible_at``."""

    task: Task
    visible_at: float = 0.0


class Worker(NamedTuple):
    """A function that is under way."""

    place: Place
    started_at: float


class _Moment(Timeline):
    """The time as it is: what is planned does not happen by itself, because the exploration chooses when it does."""

    def at(self, when: float, act: Callable[[], None]) -> None:
        """Plan nothing."""


@dataclass
class Shelf:
    """Values that are the same in many worlds, kept once, so that their identity stands for them."""

    runs: dict[bytes, Run] = field(default_factory=dict)
    known_runs: set[int] = field(default_factory=set)
    lives: dict[JobLife, JobLife] = field(default_factory=dict)
    tasks: dict[Task, int] = field(default_factory=dict)

    def intern_run(self, run: Run) -> Run:
        """Return the one run of its value; the explanations that it keeps for its user decide nothing."""
        if id(run) in self.known_runs:
            return run
        known = self.runs.setdefault(_encode(replace(run, decisions=())), run)
        self.known_runs.add(id(known))
        return known

    def intern_life(self, life: JobLife) -> JobLife:
        """Return the one life of its value."""
        return self.lives.setdefault(life, life)

    def number(self, task: Task) -> int:
        """Return the number of a task."""
        return self.tasks.setdefault(task, len(self.tasks))


@dataclass(eq=False)
class World:
    """A state. Only `fork` makes another one of it; what is immutable is shared between the two."""

    scenario: Scenario
    programs: Programs
    shelf: Shelf
    allowance: Allowance
    checkpoints: Checkpoints
    timeline: Timeline = field(default_factory=_Moment)
    queue: tuple[Message, ...] = ()
    workers: tuple[Worker, ...] = ()
    documents: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    announced: frozenset[tuple[str, str]] = frozenset()
    hosted: frozenset[str] = frozenset()
    """The runs that were announced as hosted."""
    measured: dict[str, float] = field(default_factory=dict)
    ticked: dict[str, float] = field(default_factory=dict)
    hears_all: bool = True
    deep_key: tuple[Any, ...] | None = None
    """The part of the key that only deep changes change, once it is needed."""

    def __post_init__(self) -> None:
        self.sagemaker = SageMaker(self.timeline, self._follow_script, self._happened, self.checkpoints.work)
        self.sagemaker.quotas = self.scenario.quotas
        self.hosting = Hosting(self.read, timeline=self.timeline)
        self.copies = CheckpointCopies(self.checkpoints, self.read, at_once=1)
        ledger, changes = Ledger(self.sagemaker, self.checkpoints), ChangesWatch(self.timeline)
        self.watch = Watch(self.sagemaker, ledger, HostingWatch(self.hosting), changes, NoNewsWatch())
        self.hosting.created, self.copies.written = self.watch.made, self.watch.copied
        self.sagemaker.created, self.sagemaker.stopped = self._created, self.watch.stopped
        self.store = RunStore(timeline=self.timeline, dice=_NO_DICE, watch=self.watch.saved)
        self.watch.store = self.store
        self.slots = MemorySlots(self.scenario.limits, self.store.load)

    @classmethod
    def new(cls, scenario: Scenario) -> World:
        """Return the world of a scenario before anything has happened."""
        limits = scenario.limits
        programs = Programs(timedelta(seconds=scenario.check_every), limits.of, bool(limits.by_type))
        timeline = _Moment()
        return cls(
            scenario,
            programs,
            Shelf(),
            scenario.allowance.without_faults()._replace(leaps=0, pauses=0),
            Checkpoints(timeline=timeline, dice=_NO_DICE),
            timeline,
        )

    def glance(self) -> World:
        """Return a copy that can go another way as long as nothing about it changes deep down: see `is_deep`."""
        other = object.__new__(World)
        other.__dict__.update(self.__dict__)
        return other

    def is_deep(self, call: Call | None) -> bool:
        """Whether a call changes more than what is queued or told, so that it needs a fork."""
        if call is None or call.port in _OWN_PORTS:
            return False
        if call.port == "jobs" and any(job.ended and not job.shown_ended for job in self.sagemaker.jobs.values()):
            # A description shows that a job has ended, which the watch notes.
            return True
        return call.is_effect

    def fork(self) -> World:
        """Return a copy that can go any other way."""
        other = World(
            self.scenario,
            self.programs,
            self.shelf,
            self.allowance,
            replace(self.checkpoints, found=dict(self.checkpoints.found), works=dict(self.checkpoints.works)),
            _Moment(self.timeline.now),
            self.queue,
            self.workers,
            self.documents,
            self.announced,
            self.hosted,
            self.measured,
            self.ticked,
            self.hears_all,
        )
        other.store.runs.update(self.store.runs)
        for name, job in self.sagemaker.jobs.items():
            other.sagemaker.jobs[name] = _copy_job(job)
        for kind, held in self.slots.holders.items():
            other.slots.holders[kind] = held.copy()
        ledger, theirs = self.watch.ledger, other.watch.ledger
        for run_id, drawn in ledger.relaunches.items():
            theirs.relaunches[run_id] = drawn.copy() if drawn else Counter()
        theirs.begun_with.update(ledger.begun_with)
        # Not part of the key: a run that others come after and that has completed shows it for ever.
        other.watch.ends.update(self.watch.ends)
        other.hosting.fork_of(self.hosting)
        other.watch.hosting.counts.update(self.watch.hosting.counts)
        return other

    def key(self) -> bytes:
        """Return what tells this state from all others."""
        if self.deep_key is None:
            self.deep_key = self._deep_key()
        number = self.shelf.number
        state = (
            self.deep_key,
            tuple(self.allowance),
            tuple(sorted((worker.place.number, worker.started_at) for worker in self.workers)),
            tuple([(number(message.task), message.visible_at) for message in self.queue]),
            tuple(sorted(self.documents.items())),
            tuple(sorted(self.announced)),
            tuple(sorted(self.hosted)),
            tuple(sorted(self.measured.items())),
            tuple(sorted(self.ticked.items())),
        )
        # Version 2 writes equal values as equal bytes; later ones also write which of them are the same object.
        return blake2b(marshal.dumps(state, 2), digest_size=12).digest()

    def _deep_key(self) -> tuple[Any, ...]:
        ledger, stored = self.watch.ledger, sorted(self.checkpoints.found.items())
        return (
            self.now,
            tuple(sorted((run_id, id(run)) for run_id, run in self.store.runs.items())),
            tuple(sorted((job.name, id(job.life), job.shown_ended) for job in self.sagemaker.jobs.values())),
            tuple(sorted((kind, *sorted(held)) for kind, held in self.slots.holders.items())),
            tuple((run_id, tuple(sorted(drawn.items()))) for run_id, drawn in sorted(ledger.relaunches.items())),
            tuple(sorted((name, None if found is None else found.key) for name, found in ledger.begun_with.items())),
            tuple((uri, *((one.key, one.last_modified.isoformat()) for one in found)) for uri, found in stored),
            self.hosting.key,
            tuple(sorted((run_id, str(step), n) for (run_id, step), n in self.watch.hosting.counts.items())),
        )

    @property
    def now(self) -> float:
        """SageMaker's time, in seconds; a change of a job takes a millisecond of it."""
        return self.timeline.now

    @property
    def clock(self) -> int:
        """The functions' time: changes of jobs do not move it, so they commute with most of what functions do."""
        return floor(self.timeline.now)

    def due(self) -> list[str]:
        """Return the runs that a tick would find now, as far as none of its messages is on its way."""
        return [due.run_id for due in self.store.list_due(moment(self.clock))]

    # What the ports do.

    def answer(self, call: Call) -> Answer:
        """Carry out a call, and return its answer."""
        tasks = [worker.place.task for worker in self.workers]
        self.watch.resuming = Counter(filter(None, (task.resumes for task in tasks)))
        self.watch.changes.asking = Counter(filter(None, (task.resumes or task.moves for task in tasks)))
        if deep := self.is_deep(call):
            self.deep_key = None
        port: Any = self if call.port in _OWN_PORTS else getattr(self, _PORTS.get(call.port, call.port))
        try:
            value = getattr(port, call.method)(*call.args)
        except Exception as error:  # noqa: BLE001 - the service is to see it
            return Answer(error=error)
        if deep:
            self._intern()
        return Answer(self.shelf.intern_run(value) if isinstance(value, Run) else value)

    def read(self) -> datetime:
        """Return the functions' time."""
        return moment(self.clock)

    def write(self, run_id: str, document: dict[str, Any]) -> None:
        """Write a status document."""
        told = (str(document["status"]), document["reason"], json.dumps(document["hosting"]))
        self.documents = self.documents | {run_id: told}

    def announce(self, events: Sequence[Event]) -> dict[str, str]:
        """Publish events; what is told of attempts decides nothing."""
        told = {
            (event.detail["run_id"], str(event.detail["status"])) for event in events if event.detail_type == RUN_CHANGE
        }
        self.announced |= told
        self.hosted |= {event.detail["run_id"] for event in events if event.detail_type == HOSTING_CHANGE}
        return {}

    def measure(self, run_id: str, measures: tuple[Measure, ...]) -> None:  # noqa: ARG002 (the protocol)
        """Count the metrics that can be compared with what SageMaker knows."""
        for measure in measures:
            if measure.name in _MEASURED:
                known = self.measured.get(measure.name, 0.0)
                self.measured = self.measured | {measure.name: known + measure.value}

    def wake(self, run_id: str) -> None:
        """Queue the news of room."""
        self.send(write_room_freed(run_id))

    def look(self, run_id: str, after: timedelta) -> None:
        """Queue a look at a run."""
        task = observe(write_run_due(run_id))
        assert task is not None
        self.put(Message(task, self.clock + after.total_seconds()))

    def tell(self, run_ids: tuple[str, ...]) -> None:
        """Queue the news that a run has ended for those that come after it."""
        for run_id in run_ids:
            self.send(write_predecessor_ended(run_id))

    def send(self, body: str) -> None:
        """Put a message into the queue of the observe function."""
        if (task := observe(body)) is not None:
            self.put(Message(task, self.clock))

    def put(self, message: Message) -> None:
        """Put a message into a queue; the order in which messages wait in it means nothing."""
        self.queue = tuple(sorted((*self.queue, message), key=lambda queued: (queued.task.name, queued.visible_at)))

    def published(self) -> Published:
        """Return what the world was told."""
        documents = {
            run_id: {"status": said, "reason": why, "hosting": json.loads(hosting)}
            for run_id, (said, why, hosting) in self.documents.items()
        }
        announcements = [{"run_id": run_id, "status": status} for run_id, status in sorted(self.announced)]
        measures: list[Any] = [_Measure(*item) for item in self.measured.items()]
        hosted = [{"run_id": run_id} for run_id in sorted(self.hosted)]
        return Published(documents, announcements, measures, hosting=hosted)

    def pass_to(self, when: float) -> None:
        """Let it be ``when``, unless that has passed."""
        self.timeline.now = max(self.timeline.now, when)
        self.deep_key = None

    def _intern(self) -> None:
        self.deep_key = None
        runs = self.store.runs
        for run_id, run in runs.items():
            runs[run_id] = self.shelf.intern_run(run)
        for job in self.sagemaker.jobs.values():
            job.life = self.shelf.intern_life(job.life)

    # What SageMaker does.

    def move(self, job: TrainingJob, at: float) -> None:
        """Let the next thing happen to a job."""
        self.pass_to(at)
        self.sagemaker.happens(job)
        self._intern()

    def _follow_script(self, run_id: str, number: int, _spot: bool, is_canary: bool) -> Script:
        return self.scenario.script(run_id, number, is_canary)

    def _created(self, job: TrainingJob) -> None:
        self.watch.created(job)
        kind = job.pool.instance_type
        limit = self.scenario.limits.of(kind)
        others = [
            other
            for other in self.sagemaker.jobs.values()
            if not (other.ended or other.is_canary) and other.pool.instance_type == kind
        ]
        if limit is not None and not job.is_canary and len(others) >= limit:
            raise ViolationError(6, f"{job.name} is created, and the limit of {kind} is {limit}")

    def _happened(self, job: TrainingJob, happening: Happening) -> None:
        heard = self.scenario.hears_canaries if job.is_canary else self.scenario.hears
        if not isinstance(happening, Transitioned) or not (self.hears_all or happening.job.secondary in heard):
            return
        then = happening.job
        self.send(
            '{"source":"aws.sagemaker","detail-type":"SageMaker Training Job State Change","time":"","detail":'
            f'{{"TrainingJobName":"{job.name}","TrainingJobStatus":"{then.status}",'
            f'"SecondaryStatus":"{then.secondary}",'
            f'"LastModifiedTime":{round((BEGINNING.timestamp() + happening.at) * 1000)}}}}}'
        )


class _Measure(NamedTuple):
    """A metric, as far as it is compared."""

    name: str
    value: float


def _copy_job(job: TrainingJob) -> TrainingJob:
    describer = Describer(job.describer.placement, job.describer.shown)
    who = (job.run_id, job.number, job.is_canary, job.request, job.tags)
    return TrainingJob(*who, job.life, job.visible_at, describer, job.before, job.shown_ended)


_OWN_PORTS = frozenset({"clock", "documents", "announcements", "telemetry", "wakeups"})
_PORTS = {"jobs": "sagemaker"}
_NO_DICE = Dice(0, ())
_NO_DICE.over = True
