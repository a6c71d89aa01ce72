"""In-memory worlds behind the ports. The contract tests run over these and the real adapters alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from spot_relay.domain.rules.checkpoints import CheckpointSearch, StoredObject, find_newest, list_copied
from spot_relay.domain.rules.limits import Limits, needs_no_place, needs_no_slot, refuse_slot
from spot_relay.domain.rules.turns import FASTEST, LaunchRate, TakenTurns
from spot_relay.domain.run.checkpoint_copy import Copied, CopyPaused, Uncopied
from spot_relay.domain.run.launch import Created
from spot_relay.domain.run.run import DueRun, Waiting
from spot_relay.domain.sagemaker.job import (
    Absent,
    Checkpoint,
    Job,
    SecondaryStatus,
    TrainingJobStatus,
    Transition,
    stands_for,
)
from spot_relay.domain.sagemaker.refusal import NotCreated, Refusal
from spot_relay.domain.sagemaker.request import placement_of
from spot_relay.domain.shown.events import ATTEMPT_CHANGE, HOSTING_CHANGE, NOTICE, RUN_CHANGE
from spot_relay.domain.shown.report import iso
from spot_relay.domain.values import No, replace
from spot_relay.ports import ConflictError, PrefixTakenError, RunExistsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from spot_relay.domain.rules.turns import Lane
    from spot_relay.domain.run.checkpoint_copy import CheckpointCopy, CopyAnswer
    from spot_relay.domain.run.launch import Launch
    from spot_relay.domain.run.outbox import Measure
    from spot_relay.domain.run.prices import PriceList
    from spot_relay.domain.run.run import Run, RunStatus
    from spot_relay.domain.run.template import Burst, Schedule
    from spot_relay.domain.sagemaker.job import Pool
    from spot_relay.domain.shown.events import Event

REGION = "us-east-1"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """The moment so many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


@dataclass
class Clock:
    """A clock that moves when it is told to."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class MemoryRunStore:
    """Runs in a dictionary, with the same conditions on each write as the table has."""

    runs: dict[str, Run] = field(default_factory=dict)

    def create(self, run: Run) -> Run:
        if (existing := self.load(run.id)) is not None:
            raise RunExistsError(existing.id)
        self._check_prefix(run)
        return self._keep(run)

    def load(self, run_id: str) -> Run | None:
        others = (run for other, run in self.runs.items() if stands_for(run_id, other))
        return self.runs.get(run_id) or next(others, None)

    def save(self, run: Run) -> Run:
        stored = self.runs.get(run.id)
        if stored is None or stored.version != run.version:
            raise ConflictError(run.id)
        return self._keep(run)

    def _keep(self, run: Run) -> Run:
        holds = run.checkpoint_uri is not None and not run.has_ended
        self.runs[run.id] = replace(run, version=run.version + 1, holds_prefix=holds)
        return self.runs[run.id]

    def reopen(self, run: Run) -> Run:
        self._check_prefix(run)
        return self.save(run)

    def _check_prefix(self, run: Run) -> None:
        if run.checkpoint_uri is not None and not run.has_ended:
            self.check_prefix(run.checkpoint_uri, run.id)

    def check_prefix(self, uri: str, run_id: str) -> None:
        for other in self.runs.values():
            theirs = other.checkpoint_uri
            if theirs is None or other.id == run_id or other.has_ended:
                continue
            if uri == theirs:
                raise PrefixTakenError(uri, other.id)
            if uri.startswith(theirs):
                raise PrefixTakenError(uri, other.id, f"lies inside {theirs}, which")
            if theirs.startswith(uri):
                raise PrefixTakenError(uri, other.id, "contains a prefix that")

    def list_due(self, until: datetime) -> Iterable[DueRun]:
        due = [DueRun(run.id, run.due_at) for run in self.runs.values() if run.due_at and run.due_at <= until]
        return sorted(due, key=lambda found: (found.at, found.run_id))

    def oldest_waiting(self, *pools: Pool) -> dict[Pool, Waiting]:
        return oldest_of(self.runs.values(), pools)

    def list_followers(self, run_id: str, told: str, at_most: int) -> tuple[tuple[str, ...], str | None]:
        return followers_of(self.runs.values(), run_id, told, at_most)

    def list_queued(self, template: str, most: int) -> tuple[str, ...]:
        return queued_of(self.runs.values(), template, most)

    def page(
        self, status: RunStatus | None, limit: int, created_before: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        keyed = sorted(((_created(run), run) for run in self.runs.values()), key=lambda pair: pair[0], reverse=True)
        found = [
            (created, run)
            for created, run in keyed
            if (status is None or run.status is status) and (created_before is None or created < created_before)
        ]
        page = found[:limit]
        return [_summary(run) for _, run in page], page[-1][0] if len(found) > limit else None


def oldest_of(runs: Iterable[Run], pools: tuple[Pool, ...]) -> dict[Pool, Waiting]:
    """Return the oldest of some runs that waits for room in each of these pools, where one does."""
    found: dict[Pool, Waiting] = {}
    for run in runs:
        if run.waits_for is not None and run.waits_for in pools:
            place = Waiting(run.created_at, run.id)
            found[run.waits_for] = min(place, found.get(run.waits_for, place))
    return found


def followers_of(runs: Iterable[Run], run_id: str, told: str, at_most: int) -> tuple[tuple[str, ...], str | None]:
    """Return those of some runs that wait for the end of a run, and up to where, as the table does."""
    names = (
        (_created(run), run.id)
        for run in runs
        if run.waits_for_run and run_id.lower() in {name.lower() for name in run.open_predecessors}
    )
    found = sorted(pair for pair in names if pair[0] > told)[:at_most]
    return tuple(name for _, name in found), found[-1][0] if len(found) == at_most else None


def queued_of(runs: Iterable[Run], template: str, most: int) -> tuple[str, ...]:
    """Return the oldest of some runs that wait for others of their template to end."""
    waiting = sorted((run.created_at, run.id) for run in runs if run.waits_for_place and run.start.template == template)
    return tuple(run_id for _, run_id in waiting[:most])


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _created(run: Run) -> str:
    return f"{_stamp(run.created_at)}#{run.id}"


def _summary(run: Run) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "status": str(run.status),
        "reason": run.reason,
        "attempts": len(run.attempts),
        "created_at": iso(run.created_at),
        "updated_at": iso(run.updated_at),
    }


@dataclass
class MemorySlots:
    """The slots of each instance type, by their holders; ``find`` gives the runs that these are of, if it is told."""

    limits: Limits = field(default_factory=Limits)
    find: Callable[[str], Run | None] | None = None
    holders: dict[str, set[str]] = field(default_factory=dict)

    def limit(self, instance_type: str) -> int | None:
        return self.limits.of(instance_type)

    def take(self, instance_type: str, holder: str) -> No | None:
        limit = self.limit(instance_type)
        if limit is None:
            return None
        held = self.holders.setdefault(instance_type, set())
        if self.find is not None and holder not in held and len(held) >= limit:
            held -= {other for other in held if needs_no_slot(other, self.find)}
        if holder not in held and len(held) >= limit:
            return refuse_slot(instance_type, limit)
        held.add(holder)
        return None

    def give_back(self, instance_type: str, holder: str) -> None:
        if self.limit(instance_type) is not None:
            self.holders.get(instance_type, set()).discard(holder)

    def take_place(self, template: str, run_id: str, most: int) -> bool:
        held = self.holders.setdefault(template, set())
        if self.find is not None and run_id not in held and len(held) >= most:
            held -= {other for other in held if needs_no_place(other, self.find)}
        if run_id not in held and len(held) >= most:
            return False
        held.add(run_id)
        return True


@dataclass
class MemoryVacancies:
    """What stands in the way of a run, by the runs in memory and the slots that their attempts hold."""

    store: MemoryRunStore
    slots: MemorySlots

    def list_waiting(self, pool: Pool) -> tuple[Waiting, ...]:
        waiting = (Waiting(run.created_at, run.id) for run in self.store.runs.values() if run.waits_for == pool)
        return tuple(sorted(waiting)[:100])

    def count_attempts(self, instance_type: str) -> int:
        return len(self.slots.holders.get(instance_type, ()))

    def check_prefix(self, uri: str, run_id: str) -> None:
        self.store.check_prefix(uri, run_id)


@dataclass
class MemoryWakeups:
    """The runs that were woken, in turn, those told of an end, and those to be looked at, with the time until then."""

    woken: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    looks: list[tuple[str, timedelta]] = field(default_factory=list)

    def wake(self, run_id: str) -> None:
        self.woken.append(run_id)

    def tell(self, run_ids: tuple[str, ...]) -> None:
        self.told += run_ids

    def look(self, run_id: str, after: timedelta) -> None:
        self.looks.append((run_id, after))


@dataclass
class MemoryTurns:
    """The turns of a stack that may launch that often."""

    rate: LaunchRate = field(default_factory=lambda: LaunchRate(FASTEST))
    taken: TakenTurns = field(default_factory=TakenTurns)

    def take(self, lane: Lane, now: datetime) -> datetime:
        turn, self.taken = self.rate.take(self.taken, lane, now)
        return turn

    def take_by(self, latest: datetime, lane: Lane, now: datetime) -> datetime | None:
        turn, taken = self.rate.take(self.taken, lane, now)
        if turn > latest:
            return None
        self.taken = taken
        return turn


@dataclass
class MemoryTrainingJobs:
    """A SageMaker that keeps jobs as the test leaves them; `refusals` are given, in turn, before it creates."""

    clock: Clock
    jobs: dict[str, Job] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    requests: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[tuple[Refusal, str]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    described: list[str] = field(default_factory=list)

    def create(self, launch: Launch) -> Created | NotCreated:
        name = launch.job_name
        existing = self.jobs.get(name)
        ours = existing is not None and launch.tags.items() <= self.tags[name].items()
        if self.refusals:
            refusal, message = self.refusals.pop(0)
            if not ours or existing is None or refusal.leaves_open:
                return NotCreated(message, refusal)
        if existing is None:
            return Created(self._begin(launch))
        if ours:
            return Created(existing.arn, existing.placement)
        message = f"There is already a training job {existing.arn}, and it does not belong to this run."
        return NotCreated(message, Refusal.NAME_TAKEN)

    def _begin(self, launch: Launch) -> str:
        name, now = launch.job_name, self.clock()
        self.requests.append(launch.request)
        self.tags[name] = launch.tags
        arn = f"arn:aws:sagemaker:us-east-1:111122223333:training-job/{name}"
        self.jobs[name] = Job(
            name,
            arn,
            TrainingJobStatus.IN_PROGRESS,
            SecondaryStatus.STARTING,
            created_at=now,
            modified_at=now,
            placement=placement_of(launch.request),
            transitions=(Transition(SecondaryStatus.STARTING, now),),
        )
        return arn

    def describe(self, job_name: str) -> Job | Absent:
        self.described.append(job_name)
        return self.jobs.get(job_name, Absent())

    def find(self, launch: Launch) -> Job | Absent:
        job = self.describe(launch.job_name)
        return job if launch.tags.items() <= self.tags.get(launch.job_name, {}).items() else Absent()

    def stop(self, job_name: str) -> None:
        job = self.jobs.get(job_name)
        if job is not None and not job.has_ended:
            self.stopped.append(job_name)
            self.becomes(job_name, TrainingJobStatus.STOPPING, "Stopping")

    def becomes(self, job_name: str, status: str, secondary_status: str, **changes: Any) -> Job:
        """Let a job move on, with a transition at the clock's time."""
        job, now = self.jobs[job_name], self.clock()
        moved = (*job.transitions[:-1], job.transitions[-1]._replace(ended_at=now), Transition(secondary_status, now))
        told: dict[str, Any] = {
            "status": status,
            "secondary_status": secondary_status,
            "transitions": moved,
            "modified_at": now,
        }
        changes = told | changes
        self.jobs[job_name] = replace(job, **changes)
        if self.jobs[job_name].has_ended and "ended_at" not in changes:
            self.jobs[job_name] = replace(self.jobs[job_name], ended_at=now)
        return self.jobs[job_name]


@dataclass
class MemoryCheckpoints:
    """The checkpoints of each prefix, newest last."""

    found: dict[str, list[Checkpoint]] = field(default_factory=dict)
    """The objects under each prefix: checkpoints and others. Those whose size is not given have one byte."""
    asked: list[str] = field(default_factory=list)
    unlisted: No | None = None

    def find_newest(self, uri: str, pattern: str | None = None) -> CheckpointSearch | No:
        self.asked.append(uri)
        if self.unlisted:
            return self.unlisted
        return find_newest(_prefix_of(uri), self.list_objects(uri), pattern)

    def list_objects(self, uri: str) -> list[StoredObject]:
        prefix = _prefix_of(uri)
        return [StoredObject(c.key.removeprefix(prefix), c.last_modified, c.size or 1) for c in self.found.get(uri, [])]


@dataclass
class MemoryCheckpointCopies:
    """Copies checkpoints in memory, so many objects in each call; ``answers`` are given, in turn, before it copies."""

    checkpoints: MemoryCheckpoints
    clock: Callable[[], datetime]
    at_once: int = 1000
    answers: list[CopyAnswer] = field(default_factory=list)
    asked: list[CheckpointCopy] = field(default_factory=list)

    def copy(self, copy: CheckpointCopy, destination: str) -> CopyAnswer:
        self.asked.append(copy)
        if self.answers:
            return self.answers.pop(0)
        found = self.checkpoints.list_objects(copy.source)
        wanted, newest = list_copied(found), find_newest("", found, copy.pattern).newest
        if newest is None:
            return Uncopied(f"there is no complete checkpoint under {copy.source}.", passes=False)
        keys = {one.key for one in wanted}
        if others := [one.key for one in self.checkpoints.list_objects(destination) if one.key not in keys]:
            return Uncopied(f"{destination} has other files, such as {others[0]}.", passes=False)
        done = copy.done if copy.done and wanted[copy.done - 1].key == copy.after else 0
        part = wanted[done : done + self.at_once]
        for one in part:
            self.copy_object(copy.source, destination, one.key)
        if done + len(part) < len(wanted):
            return CopyPaused(done + len(part), part[-1].key)
        return Copied(Checkpoint(_prefix_of(destination) + newest.key, self.clock(), newest.size))

    def copy_object(self, source: str, destination: str, key: str) -> None:
        """Copy one object; a key has one object."""
        assert any(one.key == key for one in self.checkpoints.list_objects(source))
        copied = Checkpoint(_prefix_of(destination) + key, self.clock())
        there = self.checkpoints.found.setdefault(destination, [])
        self.checkpoints.found[destination] = [*(known for known in there if known.key != copied.key), copied]


def _prefix_of(uri: str) -> str:
    return uri.removeprefix("s3://").partition("/")[2]


@dataclass
class MemoryDocuments:
    """The status documents, as last written."""

    written: dict[str, dict[str, Any]] = field(default_factory=dict)

    def write(self, run_id: str, document: dict[str, Any]) -> None:
        self.written[run_id] = document


@dataclass
class MemoryAnnouncements:
    """The events that were announced; the bus may reject some."""

    events: list[Event] = field(default_factory=list)
    rejects: Callable[[Event], bool] = lambda _: False

    def announce(self, events: Sequence[Event]) -> dict[str, str]:
        rejected = {event.id: "ThrottlingException" for event in events if self.rejects(event)}
        self.events += [event for event in events if event.id not in rejected]
        return rejected

    def list_details(self, detail_type: str) -> list[dict[str, Any]]:
        """The details of all events of a type."""
        return [event.detail for event in self.events if event.detail_type == detail_type]

    @property
    def details(self) -> list[dict[str, Any]]:
        """What was announced of runs."""
        return self.list_details(RUN_CHANGE)

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """What was announced of attempts."""
        return self.list_details(ATTEMPT_CHANGE)

    @property
    def hosting(self) -> list[dict[str, Any]]:
        """What was announced of models."""
        return self.list_details(HOSTING_CHANGE)

    @property
    def notices(self) -> list[dict[str, Any]]:
        """The notices."""
        return self.list_details(NOTICE)


@dataclass
class MemoryTasks:
    """Tasks of Step Functions, each with its answer, or None as long as it waits."""

    waiting: dict[str, tuple[str | None, dict[str, Any]] | None] = field(default_factory=dict)

    def answer(self, token: str, error: str | None, summary: dict[str, Any]) -> No | None:
        if token not in self.waiting or self.waiting[token] is not None:
            return No("TaskDoesNotExist" if token not in self.waiting else "TaskTimedOut")
        self.waiting[token] = (error, summary)
        return None


@dataclass
class MemoryTelemetry:
    """What was logged and measured."""

    reasons: list[str] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)

    def log_decision(self, run: Run, observation: str, reason: str) -> None:
        self.reasons.append(f"{run.id} {observation}: {reason}")

    def measure(self, run_id: str, measures: tuple[Measure, ...]) -> None:  # noqa: ARG002 (the protocol)
        self.measures.extend(measures)

    def total(self, name: str) -> float:
        return sum(measure.value for measure in self.measures if measure.name == name)


@dataclass
class MemoryPrices:
    """The stack's price list, or none."""

    prices: PriceList | None = None

    def read(self) -> PriceList | None:
        return self.prices

    def write(self, prices: PriceList) -> None:
        self.prices = prices


@dataclass
class MemoryInputFiles:
    """The keys in each bucket; a bucket that is not there can't be listed."""

    buckets: dict[str, list[str]] = field(default_factory=dict)

    def count(self, uri: str, at_most: int) -> int | None:
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        if bucket not in self.buckets:
            return None
        found = [key for key in self.buckets[bucket] if key.startswith(prefix) and not key.endswith("/")]
        return min(len(found), at_most)


@dataclass
class MemoryTemplateFiles:
    """The templates, by their keys, and the reports of their problems."""

    files: dict[str, bytes] = field(default_factory=dict)
    reports: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)

    def list(self) -> Iterable[tuple[str, str]]:
        return [(key, str(hash(data))) for key, data in sorted(self.files.items())]

    def read(self, key: str) -> bytes | None:
        self.reads.append(key)
        return self.files.get(key)

    def report(self, key: str, errors: Sequence[dict[str, str]], now: datetime) -> None:  # noqa: ARG002
        self.reports[key] = [*errors]

    def clear(self, key: str) -> None:
        self.reports.pop(key, None)


@dataclass
class MemorySchedules:
    """The schedules of templates, by their keys; ``refusal`` is the answer to each that is put, if there is one."""

    schedules: dict[str, Schedule] = field(default_factory=dict)
    refusal: No | None = None

    def put(self, template: str, schedule: Schedule) -> No | None:
        if self.refusal is None:
            self.schedules[template] = schedule
        return self.refusal

    def remove(self, template: str) -> None:
        self.schedules.pop(template, None)


@dataclass
class MemoryBursts:
    """The newest burst of each folder, under the same condition as in the table."""

    bursts: dict[tuple[str, str, str], Burst] = field(default_factory=dict)

    def load(self, template: str, bucket: str, folder: str) -> Burst | None:
        return self.bursts.get((template, bucket, folder))

    def open(self, template: str, bucket: str, folder: str, burst: Burst, instead_of: Burst | None) -> bool:
        known = self.load(template, bucket, folder)
        if (known and known.run_id) != (instead_of and instead_of.run_id):
            return False
        self.bursts[template, bucket, folder] = burst
        return True
