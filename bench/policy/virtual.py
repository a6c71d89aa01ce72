"""Replay a run of Spot Relay on a virtual clock: the real `decide()`, simulated jobs, and a spot market from a trace.

The decision sees only what the service would see: events, described jobs, the newest checkpoint, and a tick every
minute. Only the simulated job that waits for capacity knows when capacity comes and goes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil, inf
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from bench.descriptions import BEGINNING, Describer, moment
from simulator import life
from simulator.life.capacity import AlwaysAvailable
from simulator.life.job import Job as JobLife
from simulator.life.job import Script, Secondary, StopRequested, Terms
from simulator.world.capacity import TracedCapacity
from spot_relay.domain.decide.decision import decide, settle
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.decide.looks import attempt_to_look_at, canary_to_look_at, needs_checkpoint
from spot_relay.domain.run.observation import CanaryChanged, CanaryCreated, Due, JobChanged, Launched, Observation
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import TICK
from spot_relay.domain.sagemaker.job import Absent, Checkpoint, Market
from spot_relay.domain.sagemaker.request import CANARY_SLEEP_SECONDS
from spot_relay.domain.values import replace

if TYPE_CHECKING:
    from datetime import datetime

    from bench.policy.traces import Window
    from spot_relay.domain.run.attempt import Attempt, Canary
    from spot_relay.domain.run.run import Run
    from spot_relay.domain.sagemaker.job import Job

TICK_S: Final = TICK.total_seconds()
# Between StopTrainingJob and Stopped.
STOPPING_S: Final = 60.0
# No events are lost here, so periodic checks would find nothing.
_CHECK_EVERY: Final = timedelta(days=1)


@dataclass(slots=True)
class TrackedJob:
    """A training job of the run: its simulated life, the work done before it (s), and its describer."""

    life: JobLife
    number: int
    is_canary: bool
    initial_work_s: float
    describer: Describer

    @property
    def ended_at(self) -> float:
        """When the job ended; infinite while it is running."""
        return self.life.last_modified_at if self.life.ended else inf

    def describe_at(self, now: float) -> Job:
        """Return what DescribeTrainingJob would return."""
        return self.describer.describe(self.life, now)


@dataclass(slots=True)
class VirtualRun:
    """A run and its jobs. ``kept`` is the training time in its checkpoints, ``saved_at`` when it last grew; in seconds.

    ``jobs`` are all jobs ever created; ``due`` has the time of the next event of each job that is still running.
    """

    windows: tuple[Window, ...]
    work_s: float
    changeover_s: float
    run: Run
    jobs: dict[str, TrackedJob] = field(default_factory=dict)
    due: dict[str, float] = field(default_factory=dict)
    kept: float = 0.0
    saved_at: float | None = None
    now: float = 0.0

    def run_to_end(self) -> Run:
        """Run to the end. It always ends, because every job ends and the number of attempts is limited."""
        self._pay(self.run.outbox)
        while not self.run.has_ended:
            check = _next_tick((self.run.check_at - BEGINNING).total_seconds()) if self.run.check_at else inf
            name, due = min(self.due.items(), key=itemgetter(1), default=("", inf))
            self.now = min(due, check)
            if due <= check:
                self._advance_job(self.jobs[name])
            else:
                self._observe(Due())
        return self.run

    def _advance_job(self, job: TrackedJob, given: StopRequested | None = None) -> None:
        """Advance a job to the current time, and deliver its events."""
        self._save(job)
        job.life, happenings = life.advance(job.life, self.now, given)
        self._schedule(job)
        for happening in happenings:
            self._deliver(job, happening.job)

    def _save(self, job: TrackedJob) -> None:
        """Update the checkpoints, which contain every second of training."""
        if job.life.secondary is Secondary.TRAINING and not job.is_canary:
            self.kept, self.saved_at = life.work_done(job.life, self.now), self.now

    def _schedule(self, job: TrackedJob) -> None:
        self.due.pop(job.life.name, None)
        due = life.next_due(job.life)
        if due is not None:
            self.due[job.life.name] = due

    def _deliver(self, job: TrackedJob, then: JobLife) -> None:
        if job.is_canary:
            self._observe(CanaryChanged(job.number, then.secondary))
        else:
            self._observe(JobChanged(job.number, then.status, then.secondary, moment(self.now)))

    def _observe(self, observation: Observation) -> None:
        now = moment(self.now)
        decision = decide(self.run, self._gather_facts(observation, now), now)
        owed = decision.owes
        if decision.run is self.run and owed.launch is not None:
            owed = replace(owed, launch=None)
        self.run = decision.run
        self._pay(owed)

    def _gather_facts(self, observation: Observation, now: datetime) -> Facts:
        attempt = attempt_to_look_at(self.run, observation, now)
        job = None if attempt is None else self._describe(attempt.job_name)
        canary = canary_to_look_at(self.run, observation, now)
        beside = None if canary is None else self._describe(canary.job_name)
        newest = self._find_checkpoint() if needs_checkpoint(self.run, observation, job, now) else None
        return Facts(observation, job, newest, beside, check_every=_CHECK_EVERY)

    def _describe(self, name: str) -> Job | Absent:
        job = self.jobs.get(name)
        return Absent() if job is None else job.describe_at(self.now)

    def _find_checkpoint(self) -> Checkpoint | None:
        for name in self.due:
            self._save(self.jobs[name])
        return None if self.saved_at is None else Checkpoint("checkpoints/newest", moment(self.saved_at))

    def _pay(self, owed: Outbox) -> None:
        """Perform the actions in the outbox, as the service would, until it is empty."""
        while owed.acts:
            answers: tuple[Observation, ...] = ()
            if owed.launch is not None and (attempt := self.run.attempt(owed.launch)):
                self._launch(attempt)
                answers += (Launched(attempt.number, f"arn:{attempt.job_name}"),)
            if owed.canary is not None and (canary := self.run.canary):
                self._launch_canary(canary)
                answers += (CanaryCreated(canary.number, f"arn:{canary.job_name}"),)
            facts = Facts(Due(), check_every=_CHECK_EVERY)
            settled = settle(self.run, answers, facts, moment(self.now))
            self.run, following = replace(settled, outbox=Outbox()), settled.outbox
            for name in filter(None, (owed.stop, owed.stop_canary)):
                if name in self.jobs:
                    self._advance_job(self.jobs[name], StopRequested())
            owed = following

    def _launch(self, attempt: Attempt) -> None:
        stopping = self.run.training_job["StoppingCondition"]
        spot = attempt.placement.market is Market.SPOT
        wait = float(attempt.max_wait_seconds or stopping["MaxWaitTimeInSeconds"]) if spot else None
        terms = Terms(float(stopping["MaxRuntimeInSeconds"]), wait, spot=spot)
        script = self._build_script(self.changeover_s, self.work_s, spot=spot)
        begun, _ = life.begin(attempt.job_name, terms, script, self.now, work=self.kept)
        self._track(TrackedJob(begun, attempt.number, False, self.kept, Describer(attempt.placement)))

    def _launch_canary(self, canary: Canary) -> None:
        terms = Terms(2.0 * CANARY_SLEEP_SECONDS, float(canary.max_wait_seconds), spot=True)
        script = self._build_script(0.0, float(CANARY_SLEEP_SECONDS), spot=True)
        begun, _ = life.begin(canary.job_name, terms, script, self.now)
        self._track(TrackedJob(begun, canary.number, True, 0.0, Describer(canary.placement)))

    def _build_script(self, startup_s: float, lasts_s: float, *, spot: bool) -> Script:
        return Script(
            starting=0.0,
            downloading=startup_s,
            uploading=0.0,
            stopping=STOPPING_S,
            train_seconds=lasts_s,
            checkpoint_every=0.0,
            capacity=TracedCapacity(self.windows) if spot else AlwaysAvailable(),
        )

    def _track(self, job: TrackedJob) -> None:
        if job.life.name not in self.jobs:
            self.jobs[job.life.name] = job
            self._schedule(job)


def _next_tick(seconds: float) -> float:
    return ceil(seconds / TICK_S - 1e-9) * TICK_S
