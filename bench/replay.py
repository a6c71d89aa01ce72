"""The arms that decide with the real `decide()`, over the simulator's job life, on a virtual clock.

An arm sees what the service would see: events, described jobs, the newest checkpoint, and the clock of a tick that
comes once a minute. Nothing here knows when capacity comes or goes but the life of a job that waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from itertools import pairwise
from math import ceil, inf
from typing import TYPE_CHECKING, Any, Final

from bench.arms import HOUR, Arm, Outcome, Task
from simulator import life
from simulator.capacity import AlwaysThere, TracedCapacity
from simulator.job import Job as LifeJob
from simulator.job import Script, Secondary, StopRequested, Terms
from simulator.job import Transition as LifeTransition
from spot_relay.domain.acceptance import accept
from spot_relay.domain.decision import decide, settle
from spot_relay.domain.facts import Facts, attempt_to_look_at, canary_to_look_at, needs_checkpoint
from spot_relay.domain.job import (
    Absent,
    Checkpoint,
    Job,
    Market,
    Transition,
    parse_attempt_name,
    parse_canary_name,
)
from spot_relay.domain.launch import CANARY_SLEEP_SECONDS
from spot_relay.domain.observation import (
    CanaryChanged,
    CanaryCreated,
    Due,
    JobChanged,
    Launched,
    Observation,
)
from spot_relay.domain.outbox import Outbox
from spot_relay.domain.policy import Budgets, Deadline, Policy, ReturnToSpot
from spot_relay.domain.run import MAX_ATTEMPTS, Run, RunStatus
from spot_relay.domain.submission import Submission
from spot_relay.domain.values import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.traces import Window
    from spot_relay.domain.run import Attempt

_TICK_S: Final = 60.0
# Between StopTrainingJob and Stopped, for a job that has instances.
_STOPPING_S: Final = 60.0
_FIXED_WAIT_S: Final = 6 * HOUR
_BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
# No event is lost here, so a look without a cause would show nothing.
_CHECK_EVERY: Final = timedelta(days=1)
_PREFIX: Final = "s3://bench/checkpoints/"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a user would write: the policy, and MaxWait (MaxRuntime, too, where ``runs_as_long``), for a task."""

    policy: Callable[[Task], Policy]
    max_wait_s: Callable[[Task], float]
    runs_as_long: bool = False


@dataclass
class _Replay:
    """Work under way. ``kept`` is the training in the checkpoints, ``saved_at`` when it last grew; seconds."""

    windows: tuple[Window, ...]
    work_s: float
    changeover_s: float
    run: Run
    jobs: dict[str, LifeJob] = field(default_factory=dict)
    live: dict[str, float] = field(default_factory=dict)
    began_with: dict[str, float] = field(default_factory=dict)
    kept: float = 0.0
    saved_at: float | None = None
    now: float = 0.0

    def play(self) -> Run:
        """Carry the run to its end, or to the end of what is known of the market."""
        end = self.windows[-1][1] if self.windows else inf
        self._pay(self.run.outbox)
        while not self.run.has_ended and self.now < end:
            check = _tick_after((self.run.check_at - _BEGINNING).total_seconds()) if self.run.check_at else inf
            name, due = min(self.live.items(), key=lambda item: item[1], default=("", inf))
            if min(due, check) == inf:
                break
            self.now = min(due, check)
            if due <= check:
                self._happens(name)
            else:
                self._observe(Due())
        return self.run

    def _happens(self, name: str, given: StopRequested | None = None) -> None:
        """Let a job's life go on until now, and deliver the events of it."""
        self._save(name)
        job, happenings = life.advance(self.jobs[name], self.now, given)
        self._keep(name, job)
        for happening in happenings:
            self._deliver(name, happening.job)

    def _save(self, name: str) -> None:
        """Bring the checkpoints up to date: they hold every second of training."""
        job = self.jobs[name]
        if job.secondary is Secondary.TRAINING and parse_attempt_name(name):
            self.kept, self.saved_at = life.work_done(job, self.now), self.now

    def _keep(self, name: str, job: LifeJob) -> None:
        self.jobs[name] = job
        due = life.next_due(job)
        self.live.pop(name, None)
        if due is not None:
            self.live[name] = due

    def _deliver(self, name: str, job: LifeJob) -> None:
        secondary, at = str(job.secondary), _moment(self.now)
        if attempt := parse_attempt_name(name):
            self._observe(JobChanged(attempt[1], str(job.status), secondary, at))
        elif canary := parse_canary_name(name):
            self._observe(CanaryChanged(canary[1], secondary))

    def _observe(self, observation: Observation) -> None:
        now = _moment(self.now)
        decision = decide(self.run, self._facts(observation, now), now)
        changed = decision.run is not self.run
        self.run = decision.run
        self._pay(decision.owes if changed else replace(decision.owes, launch=None))

    def _facts(self, observation: Observation, now: datetime) -> Facts:
        attempt = attempt_to_look_at(self.run, observation, now)
        job = None if attempt is None else self._describe(attempt.job_name)
        canary = canary_to_look_at(self.run, observation, now)
        beside = None if canary is None else self._describe(canary.job_name)
        newest = self._checkpoint() if needs_checkpoint(self.run, observation, job, now) else None
        return Facts(observation, job, newest, beside, check_every=_CHECK_EVERY)

    def _checkpoint(self) -> Checkpoint | None:
        for name in self.live:
            self._save(name)
        return None if self.saved_at is None else Checkpoint("checkpoints/newest", _moment(self.saved_at))

    def _pay(self, owed: Outbox) -> None:
        """Do what is owed, as the service would, until nothing is."""
        while owed.acts:
            answers: tuple[Observation, ...] = ()
            if owed.launch is not None and (attempt := self.run.attempt(owed.launch)):
                self._begin(attempt.job_name, self._terms(attempt), attempt.placement.market, self.kept)
                answers += (Launched(attempt.number, f"arn:{attempt.job_name}"),)
            if owed.canary is not None and (canary := self.run.canary):
                terms = Terms(2.0 * CANARY_SLEEP_SECONDS, float(canary.max_wait_seconds), spot=True)
                self._begin(canary.job_name, terms, Market.SPOT, 0.0)
                answers += (CanaryCreated(canary.number),)
            facts = Facts(Due(), check_every=_CHECK_EVERY)
            settled = settle(self.run, answers, facts, _moment(self.now))
            self.run, following = replace(settled, outbox=Outbox()), settled.outbox
            for name in filter(None, (owed.stop, owed.stop_canary)):
                if name in self.jobs:
                    self._happens(name, StopRequested())
            owed = following

    def _terms(self, attempt: Attempt) -> Terms:
        stopping = self.run.training_job["StoppingCondition"]
        runtime = float(stopping["MaxRuntimeInSeconds"])
        if attempt.placement.market is Market.ON_DEMAND:
            return Terms(runtime, None, spot=False)
        return Terms(runtime, float(attempt.max_wait_seconds or stopping["MaxWaitTimeInSeconds"]), spot=True)

    def _begin(self, name: str, terms: Terms, market: Market, work: float) -> None:
        if name in self.jobs:
            return
        script = Script(
            starting=0.0,
            downloading=self.changeover_s if parse_attempt_name(name) else 0.0,
            uploading=0.0,
            stopping=_STOPPING_S,
            train_seconds=self.work_s if parse_attempt_name(name) else float(CANARY_SLEEP_SECONDS),
            checkpoint_every=0.0,
            capacity=TracedCapacity(self.windows) if market is Market.SPOT else AlwaysThere(),
        )
        self.began_with[name] = work
        job, _ = life.begin(name, terms, script, self.now, work=work)
        self._keep(name, job)

    def _describe(self, name: str) -> Job | Absent:
        job = self.jobs.get(name)
        if job is None:
            return Absent()
        return Job(
            name=name,
            arn=f"arn:{name}",
            status=str(job.status),
            secondary_status=str(job.secondary),
            created_at=_moment(job.created_at),
            modified_at=_moment(job.last_modified_at),
            training_started_at=None if job.training_started_at is None else _moment(job.training_started_at),
            ended_at=_moment(job.last_modified_at) if job.ended else None,
            training_seconds=life.training_seconds(job, self.now) if job.ended else None,
            billable_seconds=life.billable_seconds(job, self.now) if job.ended else None,
            transitions=tuple(_transition(t) for t in job.transitions),
        )


def replay(rules: Rules, task: Task) -> Outcome:
    """Carry out a task as a run of Spot Relay under the rules."""
    wait_s = rules.max_wait_s(task)
    runtime_s = wait_s if rules.runs_as_long else task.work_s + MAX_ATTEMPTS * task.changeover_s
    return _played(rules.policy(task), ceil(wait_s), ceil(runtime_s), task.windows, task.work_s, task.changeover_s)


# Rules that know no deadline do the same for each: what they did last need not be played again.
@lru_cache(maxsize=32)
def _played(
    policy: Policy, wait_s: int, runtime_s: int, windows: tuple[Window, ...], work_s: float, changeover_s: float
) -> Outcome:
    job: dict[str, Any] = {
        "ResourceConfig": {"InstanceType": "ml.p3.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50},
        "StoppingCondition": {"MaxRuntimeInSeconds": runtime_s, "MaxWaitTimeInSeconds": wait_s},
        "EnableManagedSpotTraining": True,
        "CheckpointConfig": {"S3Uri": _PREFIX},
    }
    run = accept(Submission("bench", job, policy, "fingerprint"), "submission", _BEGINNING)
    replay = _Replay(windows, work_s, changeover_s, run)
    return _outcome(replay, replay.play())


def _outcome(played: _Replay, run: Run) -> Outcome:
    paid = {Market.SPOT: 0.0, Market.ON_DEMAND: 0.0}
    useful = dict(paid)
    began = []
    for attempt in run.attempts:
        job = played.jobs[attempt.job_name]
        market = attempt.placement.market
        paid[market] += _on_instances_s(job, played.now)
        done = played.work_s if run.status is RunStatus.COMPLETED and attempt is run.current else played.kept
        later = run.attempt(attempt.number + 1)
        until = done if later is None else played.began_with[later.job_name]
        useful[market] += max(0.0, until - played.began_with[attempt.job_name])
        began += [market] * sum(t.status is Secondary.DOWNLOADING for t in job.transitions)
    canaries = [job for name, job in played.jobs.items() if parse_canary_name(name)]
    return Outcome(
        on_demand_hours=paid[Market.ON_DEMAND] / HOUR,
        spot_hours=paid[Market.SPOT] / HOUR,
        useful_on_demand_hours=useful[Market.ON_DEMAND] / HOUR,
        useful_spot_hours=useful[Market.SPOT] / HOUR,
        canary_hours=sum(_on_instances_s(job, played.now) for job in canaries) / HOUR,
        finished_after_s=played.now if run.status is RunStatus.COMPLETED else None,
        switches=sum(a is not b for a, b in pairwise(began)),
        launches=len(began),
    )


def _on_instances_s(job: LifeJob, now: float) -> float:
    return float(life.training_seconds(job, now) or 0)


@lru_cache(maxsize=1024)
def _transition(entry: LifeTransition) -> Transition:
    ended_at = None if entry.ended_at is None else _moment(entry.ended_at)
    return Transition(str(entry.status), _moment(entry.started_at), ended_at)


def _moment(seconds: float) -> datetime:
    return _BEGINNING + timedelta(seconds=seconds)


def _tick_after(seconds: float) -> float:
    return ceil(seconds / _TICK_S - 1e-9) * _TICK_S


_PATIENT: Final = Budgets(expired_waits=MAX_ATTEMPTS, attempts_without_progress=MAX_ATTEMPTS)


def _with_deadline(task: Task, floor: float | None, hysteresis: float, way: ReturnToSpot) -> Policy:
    """Give the policy with a deadline; without a ``floor`` the pace is the task's own, as in the paper."""
    deadline = Deadline(
        expected_runtime_seconds=ceil(task.work_s),
        within_seconds=int(task.horizon_s),
        changeover_seconds=ceil(task.changeover_s),
        return_to_spot=way,
        pace_floor=floor or 0.0,
        hysteresis=hysteresis,
    )
    return Policy(budgets=_PATIENT, deadline=deadline)


def _alone(_: Task) -> Policy:
    return Policy(budgets=Budgets(expired_waits=0))


def _relaunching(_: Task) -> Policy:
    return Policy(budgets=_PATIENT, relaunch_on_max_runtime=True)


def _deadline_rules(floor: float | None, hysteresis: float, way: ReturnToSpot) -> Rules:
    policy = partial(_with_deadline, floor=floor, hysteresis=hysteresis, way=way)
    return Rules(policy, max_wait_s=_horizon)


def _horizon(task: Task) -> float:
    return task.horizon_s


def _fixed(_: Task) -> float:
    return _FIXED_WAIT_S


def _arm(name: str, rules: Rules, *, has_safety_net: bool = True) -> Arm:
    return Arm(name, partial(replay, rules), has_safety_net=has_safety_net)


SAGEMAKER_ALONE: Final = _arm("SageMaker alone", Rules(_alone, _horizon), has_safety_net=False)
FIXED_WAIT: Final = _arm("relaunch, MaxWait 6 h", Rules(_relaunching, _fixed, runs_as_long=True), has_safety_net=False)
GREEDY: Final = _arm("greedy", _deadline_rules(1e9, 1.0, ReturnToSpot.NEVER))
UNIFORM_PROGRESS: Final = _arm("Uniform Progress", _deadline_rules(None, 2.0, ReturnToSpot.CANARY))
OURS_BLIND: Final = _arm("ours, blind", _deadline_rules(0.8, 1.0, ReturnToSpot.BLIND))
OURS: Final = _arm("ours", _deadline_rules(0.8, 1.0, ReturnToSpot.CANARY))
