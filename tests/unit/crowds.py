"""Many runs in one account whose quotas are small: who gets room, who waits, and who is woken."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spot_relay.domain import values
from spot_relay.domain.rules.limits import Limits
from spot_relay.domain.run.launch import ATTEMPT_TAG, Created, Launch
from spot_relay.domain.run.observation import JobChanged, Launched, Refused, RoomFreed
from spot_relay.domain.run.run import Waiting
from spot_relay.domain.sagemaker.job import Absent, Job, Market, Pool, parse_attempt_name
from spot_relay.domain.sagemaker.refusal import NotCreated, Refusal, classify_quota
from spot_relay.domain.sagemaker.request import placement_of
from spot_relay.duties import Duties
from spot_relay.ports import UnansweredError
from spot_relay.service import Service
from tests.fakes import MemoryRunStore, MemorySlots, MemoryTrainingJobs
from tests.unit.worlds import World, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.policy import Policy
    from spot_relay.domain.run.run import Run
    from spot_relay.domain.sagemaker.job import Placement

M5, G5 = "ml.m5.xlarge", "ml.g5.2xlarge"
SPOT, ON_DEMAND = Pool(M5, Market.SPOT), Pool(M5, Market.ON_DEMAND)


@dataclass
class QuotaJobs(MemoryTrainingJobs):
    """A SageMaker with quotas, in instances, that holds the stack to its limits and has ``hiccups``, in turn.

    A hiccup is ``throttled``, ``down`` (no answer, and no job), or ``lost`` (no answer, but the job exists).
    """

    quotas: dict[Pool, int] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    hiccups: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    placed: dict[str, Placement] = field(default_factory=dict)
    silent: bool = False
    """Whether it does not say which jobs there are."""

    def find(self, launch: Launch) -> Job | Absent:
        if self.silent:
            raise UnansweredError("Rate exceeded", Refusal.THROTTLED)
        return super().find(launch)

    def create(self, launch: Launch) -> Created | NotCreated:
        name, placement = launch.job_name, placement_of(launch.request)
        self.asked.append(name)
        hiccup = self.hiccups.pop(0) if self.hiccups and ATTEMPT_TAG in launch.tags else None
        if hiccup == "throttled":
            return NotCreated("Rate exceeded", Refusal.THROTTLED)
        if hiccup == "down":
            return NotCreated("SageMaker did not answer.", Refusal.UNAVAILABLE)
        known = name in self.jobs
        if not known and not self.refusals and (full := self._full(placement)):
            return NotCreated(full, classify_quota(full, placement))
        answer = super().create(launch)
        if not known and name in self.jobs:
            self.placed[name] = placement
            self._check(placement.instance_type)
        return NotCreated("Read timed out", Refusal.UNAVAILABLE) if hiccup == "lost" else answer

    def live(self) -> list[str]:
        """The jobs that have not ended."""
        return [name for name, job in self.jobs.items() if not job.has_ended]

    def _full(self, placement: Placement) -> str | None:
        pool, limit = placement.pool, self.quotas.get(placement.pool)
        used = sum(self.placed[name].instance_count for name in self.live() if self.placed[name].pool == pool)
        if limit is None or used + placement.instance_count <= limit:
            return None
        usage = "spot training job usage" if pool.market is Market.SPOT else "training job usage"
        return (
            f"The account-level service limit '{pool.instance_type} for {usage}' is {limit} Instances, with current "
            f"utilization of {used} Instances and a request delta of {placement.instance_count} Instances."
        )

    def _check(self, kind: str) -> None:
        live = [n for n in self.live() if parse_attempt_name(n) and self.placed[n].instance_type == kind]
        limit = self.limits.of(kind)
        assert limit is None or len(live) <= limit, f"the limit of {limit} is exceeded: {live}"


@values.dataclass(frozen=True)
class WatchedDuties(Duties):
    """Duties that keep the newest answer to each run's launches."""

    answers: dict[str, Launched | Refused] = field(default_factory=dict)

    def _launch(self, run: Run, attempt: Attempt, oldest: Waiting | None) -> Launched | Refused:
        answer = self.answers[run.id] = super()._launch(run, attempt, oldest)
        return answer


@values.dataclass(frozen=True)
class WatchedService(Service):
    """A service that keeps the newest answer to each run's launches."""

    answers: dict[str, Launched | Refused] = field(default_factory=dict)

    @property
    def _duties(self) -> Duties:
        return WatchedDuties(**vars(super()._duties), answers=self.answers)


@dataclass
class CrowdStore(MemoryRunStore):
    """Runs in a dictionary, with an index of those that wait for room, for a thousand of them."""

    queues: dict[Pool, list[Waiting]] = field(default_factory=dict)
    waits: dict[str, Pool] = field(default_factory=dict)
    prefixes: dict[str, str] = field(default_factory=dict)

    def create(self, run: Run) -> Run:
        return self._indexed(super().create(run))

    def save(self, run: Run) -> Run:
        return self._indexed(super().save(run))

    def oldest_waiting(self, *pools: Pool) -> dict[Pool, Waiting]:
        return {pool: self.queues[pool][0] for pool in pools if self.queues.get(pool)}

    def _indexed(self, run: Run) -> Run:
        place, before, after = Waiting(run.created_at, run.id), self.waits.get(run.id), run.waits_for
        if before is not None and before != after:
            self.queues[before].remove(place)
            del self.waits[run.id]
        if after is not None and before != after:
            insort(self.queues.setdefault(after, []), place)
            self.waits[run.id] = after
        return run

    def _check_prefix(self, run: Run) -> None:
        """Check what no test of crowds is about, in less time."""
        assert self.prefixes.setdefault(str(run.checkpoint_uri), run.id) == run.id


@dataclass
class Crowd:
    """A world with quotas and limits, and runs that want in."""

    quotas: dict[Pool, int] = field(default_factory=dict)
    limits: str = ""
    world: World = field(default_factory=lambda: World(store=CrowdStore()))

    def __post_init__(self) -> None:
        limits = Limits.parse(self.limits)
        world = self.world
        world.slots = MemorySlots(limits, self._run_of)
        self.jobs = QuotaJobs(world.clock, quotas=self.quotas, limits=limits)
        world.jobs = self.jobs
        ports = vars(world.service) | {"jobs": self.jobs, "slots": world.slots}
        world.service = self.service = WatchedService(**ports)

    def _run_of(self, run_id: str) -> Run | None:
        return self.world.store.load(run_id)

    def submit(self, *names: str, policy: Policy | None = None, kind: str = M5, count: int = 1, **changes: Any) -> Run:
        """Submit runs, a second after one another; give the last."""
        for name in names:
            self.world.clock.passes(1)
            own = {
                "CheckpointConfig": {"S3Uri": f"s3://models/{name}/"},
                "ResourceConfig": {"InstanceType": kind, "InstanceCount": count, "VolumeSizeInGB": 10},
            }
            run = self.world.service.submit(submission(policy, name=name, **(own | changes)))
        return run

    def on_demand(self, *names: str, **more: Any) -> Run:
        """Submit runs that want on-demand instances."""
        stopping = {"MaxRuntimeInSeconds": 3600}
        return self.submit(*names, EnableManagedSpotTraining=None, StoppingCondition=stopping, **more)

    def run(self, name: str) -> Run:
        return self.world.run(name)

    def ends(self, name: str, status: str = "Completed", secondary: str | None = None, **changes: Any) -> Run:
        """Let the newest job of a run end, and tell the run; whom that wakes has not heard of it yet."""
        self.world.clock.passes(1)
        attempt = self.run(name).current
        self.jobs.becomes(attempt.job_name, status, secondary or status, **changes)
        return self.tell(name)

    def tell(self, name: str) -> Run:
        """Deliver to a run the current state of its newest attempt's job."""
        attempt = self.run(name).current
        job = self.jobs.jobs[attempt.job_name]
        event = JobChanged(attempt.number, job.status, job.secondary_status, self.world.clock())
        run = self.world.service.advance(name, event)
        assert run is not None
        return run

    def woken(self) -> list[str]:
        """Take the messages of freed room from the queue, and name the runs that they are for."""
        woken, self.world.wakeups.woken = self.world.wakeups.woken, []
        return woken

    def deliver(self) -> list[str]:
        """Deliver all messages of freed room, those that come of it too; name the runs they were for, in turn."""
        heard: list[str] = []
        while woken := self.woken():
            for name in woken:
                self.world.service.advance(name, RoomFreed())
            heard += woken
            assert len(heard) < 10_000, "the messages never end"
        return heard

    def minutes(self, amount: int) -> None:
        """Let minutes pass, each with its tick, and deliver what comes of them."""
        for _ in range(amount):
            self.world.clock.passes(60)
            self.world.tick()
            self.deliver()

    def refusal(self, name: str) -> Refusal | None:
        """Return why a run waits for room, or None if it does not wait."""
        answer = self.service.answers[name]
        waits = self.run(name).waits_for is not None
        return answer.refusal if waits and isinstance(answer, Refused) else None

    def have_jobs(self) -> list[str]:
        """The runs whose job lives."""
        named = (parse_attempt_name(name) for name in self.jobs.live())
        return [found[0] for found in named if found]

    def waiting(self) -> list[str]:
        """The runs that wait for room, in the order of their submission."""
        return [
            run.id for run in sorted(self.world.store.runs.values(), key=lambda run: run.created_at) if run.waits_for
        ]

    def holders(self) -> set[str]:
        """The jobs that hold a slot."""
        return {holder for held in self.world.slots.holders.values() for holder in held}

    def all_ended(self) -> bool:
        """Whether nothing is left to do."""
        return all(run.has_ended for run in self.world.store.runs.values())
