"""A SageMaker on virtual time: the simulator's life of a job, behind the port of the service.

The contract tests hold it to what the real adapter does with the simulator's server.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.descriptions import Describer
from simulator import life
from simulator.life.job import StopRequested, Terms
from spot_relay.domain.run.launch import ATTEMPT_TAG, CANARY_TAG, RUN_ID_TAG, Created, Launch
from spot_relay.domain.sagemaker.job import Absent, Job, Market, Pool
from spot_relay.domain.sagemaker.refusal import NotCreated, Refusal, classify_quota
from spot_relay.domain.sagemaker.request import placement_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.life.job import Happening, Input, Script
    from simulator.life.job import Job as JobLife
    from spot_relay.domain.sagemaker.job import Placement
    from tests.simulation.timeline import Timeline

_NOT_FOUND = "Requested resource not found"


class CallError(Exception):
    """A call to AWS failed: it was throttled, met a 5xx or got no answer, or said what nothing can be done with."""


@dataclass(slots=True)
class TrainingJob:
    """A job that was created: by which run, under which request, and where its life stands.

    ``visible_at`` is when Describe first finds it, ``before`` its life before the newest change, which came ``at``.
    """

    run_id: str
    number: int
    is_canary: bool
    request: dict[str, Any]
    tags: dict[str, str]
    life: JobLife
    visible_at: float
    describer: Describer
    before: JobLife | None = None
    shown_ended: bool = False

    @property
    def name(self) -> str:
        """The job's name."""
        return self.life.name

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.life.ended

    @property
    def pool(self) -> Pool:
        """The capacity that it draws on."""
        return _pool(self.request)

    @property
    def placement(self) -> Placement:
        """Where it runs."""
        return self.describer.placement

    @property
    def checkpoint_uri(self) -> str | None:
        """The prefix that it writes its checkpoints to."""
        uri: str | None = self.request.get("CheckpointConfig", {}).get("S3Uri")
        return uri


@dataclass
class SageMaker:
    """The account's training jobs; ``quotas`` are instances by pool, ``taken`` what others use of them.

    ``script`` tells how a new job fares, ``watch`` hears of all that happens to jobs, ``work`` how much training the
    newest checkpoint under a prefix holds. ``visible_after`` and ``is_stale`` draw how far Describe lags behind.
    """

    timeline: Timeline
    script: Callable[[str, int, bool, bool], Script]
    watch: Callable[[TrainingJob, Happening], None]
    work: Callable[[str | None], float] = lambda _: 0.0
    created: Callable[[TrainingJob], None] = lambda _: None
    stopped: Callable[[TrainingJob], None] = lambda _: None
    visible_after: Callable[[], float] = lambda: 0.0
    is_stale: Callable[[], bool] = lambda: False
    was_absent: Callable[[], None] = lambda: None
    was_full: Callable[[], None] = lambda: None
    refuse: Callable[[str], NotCreated | None] = lambda _: None
    quotas: dict[Pool, int] = field(default_factory=dict)
    taken: dict[Pool, int] = field(default_factory=dict)
    jobs: dict[str, TrainingJob] = field(default_factory=dict)

    def create(self, launch: Launch) -> Created | NotCreated:
        """Create a training job."""
        name = launch.job_name
        known = self.jobs.get(name)
        ours = known if known is not None and launch.tags.items() <= known.tags.items() else None
        visible = known is not None and self.timeline.now >= known.visible_at
        if (refused := self.refuse(name)) is not None:
            believed = not (ours and visible) or refused.refusal.leaves_open
            return refused if believed or ours is None else Created(_arn(name), ours.placement)
        if known is not None and not visible:
            raise CallError(_NOT_FOUND)
        if ours is not None:
            return Created(_arn(name), ours.placement)
        if known is not None:
            message = f"There is already a training job {_arn(name)}, and it does not belong to this run."
            return NotCreated(message, Refusal.NAME_TAKEN)
        if (full := self._full(launch.request)) is not None:
            self.was_full()
            return NotCreated(full, classify_quota(full, placement_of(launch.request)))
        number = launch.tags.get(ATTEMPT_TAG) or launch.tags[CANARY_TAG]
        is_canary = CANARY_TAG in launch.tags
        self._begin(launch.tags[RUN_ID_TAG], int(number), launch.request, launch.tags, is_canary=is_canary)
        return Created(_arn(name))

    def describe(self, job_name: str) -> Job | Absent:
        """Describe a job as it is or, now and then, as it was just now."""
        job = self.jobs.get(job_name)
        if job is None:
            return Absent()
        if self.timeline.now < job.visible_at:
            self.was_absent()
            return Absent()
        if job.before is not None and self.timeline.now - job.life.since < 60.0 and self.is_stale():
            return Describer(job.placement).describe(job.before, self.timeline.now)
        job.shown_ended = job.shown_ended or job.ended
        return job.describer.describe(job.life, self.timeline.now)

    def find(self, launch: Launch) -> Job | Absent:
        """Describe the job of a launch."""
        job = self.jobs.get(launch.job_name)
        ours = job is not None and launch.tags.items() <= job.tags.items()
        return self.describe(launch.job_name) if ours else Absent()

    def stop(self, job_name: str) -> None:
        """Stop a job, as far as there is one to be found."""
        job = self.jobs.get(job_name)
        if job is not None and self.timeline.now >= job.visible_at:
            self.stopped(job)
            self.happens(job, StopRequested())

    def happens(self, job: TrainingJob, given: Input | None = None) -> None:
        """Let a job's life go on until now."""
        earlier = job.life
        job.life, happenings = life.advance(earlier, self.timeline.now, given)
        if job.life.since != earlier.since:
            job.before = earlier
        for happening in happenings:
            self.watch(job, happening)
        if job.life is not earlier:
            self._schedule(job)

    def begin_foreign(self, name: str) -> None:
        """Let somebody else have a job of that name, if it is free."""
        if name not in self.jobs:
            stopping = {"MaxRuntimeInSeconds": 4000}
            resources = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1}
            request = {"TrainingJobName": name, "StoppingCondition": stopping, "ResourceConfig": resources}
            self._begin("", 0, request, {}, is_canary=False)

    def live(self, pool: Pool) -> int:
        """Count the instances that the stack's own jobs hold or wait for in a pool."""
        return sum(
            job.request["ResourceConfig"]["InstanceCount"]
            for job in self.jobs.values()
            if not job.ended and job.pool == pool
        )

    def _full(self, request: dict[str, Any]) -> str | None:
        pool, delta = _pool(request), request["ResourceConfig"]["InstanceCount"]
        quota = self.quotas.get(pool)
        used = self.live(pool) + self.taken.get(pool, 0) if quota is not None else 0
        if quota is None or used + delta <= quota:
            return None
        usage = "spot training job usage" if pool.market is Market.SPOT else "training job usage"
        return (
            f"The account-level service limit '{pool.instance_type} for {usage}' is {quota} Instances, with current "
            f"utilization of {used} Instances and a request delta of {delta} Instances."
        )

    def _begin(
        self, run_id: str, number: int, request: dict[str, Any], tags: dict[str, str], *, is_canary: bool
    ) -> None:
        now, spot, limits = self.timeline.now, bool(request.get("EnableManagedSpotTraining")), _limits(request)
        script = self.script(run_id, number, spot, is_canary)
        uri = request.get("CheckpointConfig", {}).get("S3Uri")
        kept = min(self.work(uri), script.train_seconds)
        begun, first = life.begin(request["TrainingJobName"], Terms(*limits, spot=spot), script, now, work=kept)
        describer = Describer(placement_of(request))
        job = TrainingJob(run_id, number, is_canary, request, tags, begun, now + self.visible_after(), describer)
        if run_id:
            self.created(job)
        self.jobs[job.name] = job
        self.watch(job, first)
        self._schedule(job)

    def _schedule(self, job: TrainingJob) -> None:
        due, expected = life.next_due(job.life), job.life

        def goes_on() -> None:
            if job.life is expected:
                self.happens(job)

        if due is not None:
            self.timeline.at(due, goes_on)


def _arn(name: str) -> str:
    return f"arn:aws:sagemaker:us-east-1:111122223333:training-job/{name}"


def _pool(request: dict[str, Any]) -> Pool:
    market = Market.SPOT if request.get("EnableManagedSpotTraining") else Market.ON_DEMAND
    return Pool(request["ResourceConfig"]["InstanceType"], market)


def _limits(request: dict[str, Any]) -> tuple[float, float | None]:
    stopping = request["StoppingCondition"]
    wait = stopping.get("MaxWaitTimeInSeconds")
    return float(stopping["MaxRuntimeInSeconds"]), None if wait is None else float(wait)
