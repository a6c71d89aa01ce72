"""The arms that are runs of Spot Relay.

They differ only in the policy and the MaxWait that a user would write; the service itself decides, see
`bench.policy.virtual`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from bench.descriptions import BEGINNING
from bench.policy.arms import BASELINE, HOUR, Arm, Outcome, Task
from bench.policy.virtual import VirtualRun
from simulator import life
from simulator.life.job import Secondary
from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.run.policy import Budgets, Deadline, Policy, ReturnToSpot
from spot_relay.domain.run.run import MAX_ATTEMPTS, RunStatus
from spot_relay.domain.run.submission import Submission
from spot_relay.domain.sagemaker.job import Market

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.policy.traces import Window
    from bench.policy.virtual import TrackedJob

_FIXED_WAIT_S: Final = 6 * HOUR
_PREFIX: Final = "s3://bench/checkpoints/"
# Only the deadline, or the maximum number of attempts, may end a run.
_PATIENT: Final = Budgets(expired_waits=MAX_ATTEMPTS, attempts_without_progress=MAX_ATTEMPTS)
# A pace so slow that no run can fall behind it.
_NO_PACE: Final = 1e9


@dataclass(frozen=True, slots=True)
class Strategy:
    """What a user would write for a task: the policy, and MaxWait in seconds."""

    policy: Callable[[Task], Policy]
    max_wait_s: Callable[[Task], float]


def submit(strategy: Strategy, task: Task) -> VirtualRun:
    """Submit a task with a strategy, and return its run."""
    policy, wait_s = strategy.policy(task), ceil(strategy.max_wait_s(task))
    return _submit(policy, wait_s, _max_runtime_s(policy, wait_s, task), task.windows, task.work_s, task.changeover_s)


def replay(strategy: Strategy, task: Task) -> Outcome:
    """Carry out a task with a strategy."""
    policy, wait_s = strategy.policy(task), ceil(strategy.max_wait_s(task))
    return _replay_cached(
        policy, wait_s, _max_runtime_s(policy, wait_s, task), task.windows, task.work_s, task.changeover_s
    )


def _max_runtime_s(policy: Policy, wait_s: int, task: Task) -> int:
    # SageMaker requires MaxWait to be at least MaxRuntime. With a deadline, Spot Relay derives MaxWait from it, so
    # MaxRuntime only has to be large enough.
    return wait_s if policy.deadline is None else max(wait_s, ceil(task.work_s + MAX_ATTEMPTS * task.changeover_s))


# A strategy without a deadline does the same for every horizon, so its outcomes are cached.
@lru_cache(maxsize=32)
def _replay_cached(
    policy: Policy, wait_s: int, runtime_s: int, windows: tuple[Window, ...], work_s: float, changeover_s: float
) -> Outcome:
    return measure_outcome(_submit(policy, wait_s, runtime_s, windows, work_s, changeover_s))


def _submit(
    policy: Policy, wait_s: int, runtime_s: int, windows: tuple[Window, ...], work_s: float, changeover_s: float
) -> VirtualRun:
    job: dict[str, Any] = {
        "ResourceConfig": {"InstanceType": "ml.p3.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50},
        "StoppingCondition": {"MaxRuntimeInSeconds": runtime_s, "MaxWaitTimeInSeconds": wait_s},
        "EnableManagedSpotTraining": True,
        "CheckpointConfig": {"S3Uri": _PREFIX},
    }
    run = accept(Submission("bench", job, policy, "fingerprint"), "submission", BEGINNING)
    return VirtualRun(windows, work_s, changeover_s, run)


def measure_outcome(play: VirtualRun) -> Outcome:
    """Run to the end, and return the outcome."""
    run = play.run_to_end()
    paid = {Market.SPOT: 0.0, Market.ON_DEMAND: 0.0}
    useful = dict(paid)
    began = []
    for attempt in run.attempts:
        job = play.jobs[attempt.job_name]
        market = attempt.placement.market
        paid[market] += _measure_paid_seconds(job, play.now)
        done = play.work_s if run.status is RunStatus.COMPLETED and attempt is run.current else play.kept
        later = run.attempt(attempt.number + 1)
        until = done if later is None else play.jobs[later.job_name].initial_work_s
        useful[market] += max(0.0, until - job.initial_work_s)
        began += [market] * sum(t.status is Secondary.DOWNLOADING for t in job.life.transitions)
    canaries = [job for job in play.jobs.values() if job.is_canary]
    return Outcome(
        on_demand_hours=paid[Market.ON_DEMAND] / HOUR,
        spot_hours=paid[Market.SPOT] / HOUR,
        useful_on_demand_hours=useful[Market.ON_DEMAND] / HOUR,
        useful_spot_hours=useful[Market.SPOT] / HOUR,
        canary_hours=sum(_measure_paid_seconds(job, play.now) for job in canaries) / HOUR,
        finished_after_s=play.now if run.status is RunStatus.COMPLETED else None,
        switches=sum(a is not b for a, b in pairwise(began)),
        launches=len(began),
    )


def _measure_paid_seconds(job: TrackedJob, now: float) -> float:
    return float(life.training_seconds(job.life, now) or 0)


def build_deadline_policy(task: Task, *, floor: float, hysteresis: float, way: ReturnToSpot) -> Policy:
    """Return the policy with the task's deadline; if ``floor`` is 0, the pace is the task's own, as in the paper."""
    deadline = Deadline(
        expected_runtime_seconds=ceil(task.work_s),
        within_seconds=int(task.horizon_s),
        changeover_seconds=ceil(task.changeover_s),
        return_to_spot=way,
        pace_floor=floor,
        hysteresis=hysteresis,
    )
    return Policy(budgets=_PATIENT, deadline=deadline)


def _build_alone_policy(_: Task) -> Policy:
    return Policy(budgets=Budgets(expired_waits=0))


def _build_relaunch_policy(_: Task) -> Policy:
    return Policy(budgets=_PATIENT, relaunch_on_max_runtime=True)


def _get_horizon(task: Task) -> float:
    return task.horizon_s


def _get_fixed_wait(_: Task) -> float:
    return _FIXED_WAIT_S


def _create_strategy(floor: float, hysteresis: float, way: ReturnToSpot) -> Strategy:
    return Strategy(partial(build_deadline_policy, floor=floor, hysteresis=hysteresis, way=way), _get_horizon)


ALONE_STRATEGY: Final = Strategy(_build_alone_policy, _get_horizon)
FIXED_WAIT_STRATEGY: Final = Strategy(_build_relaunch_policy, _get_fixed_wait)
GREEDY_STRATEGY: Final = _create_strategy(_NO_PACE, 1.0, ReturnToSpot.NEVER)
UNIFORM_PROGRESS_STRATEGY: Final = _create_strategy(0.0, 2.0, ReturnToSpot.CANARY)
OURS_BLIND_STRATEGY: Final = _create_strategy(Deadline.pace_floor, Deadline.hysteresis, ReturnToSpot.BLIND)
OURS_STRATEGY: Final = _create_strategy(Deadline.pace_floor, Deadline.hysteresis, ReturnToSpot.CANARY)

SAGEMAKER_ALONE: Final = Arm("sagemaker", "SageMaker alone", partial(replay, ALONE_STRATEGY), has_safety_net=False)
FIXED_WAIT: Final = Arm(
    "relaunch", "relaunch after MaxWait of 6 h", partial(replay, FIXED_WAIT_STRATEGY), has_safety_net=False
)
GREEDY: Final = Arm(BASELINE, "greedy with safety net", partial(replay, GREEDY_STRATEGY))
UNIFORM_PROGRESS: Final = Arm("uniform-progress", "Uniform Progress", partial(replay, UNIFORM_PROGRESS_STRATEGY))
OURS_BLIND: Final = Arm("ours-blind", "ours, blind return", partial(replay, OURS_BLIND_STRATEGY))
OURS: Final = Arm("ours", "ours", partial(replay, OURS_STRATEGY))
