"""The arms that are runs of Spot Relay: what a user would write for each, and what became of it.

They differ in their policy and MaxWait alone; the service itself decides, see `bench.policy.virtual`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from bench.descriptions import BEGINNING
from bench.policy.arms import BASELINE, HOUR, Arm, Outcome, Task
from bench.policy.virtual import Play
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
    from bench.policy.virtual import Followed

_FIXED_WAIT_S: Final = 6 * HOUR
_PREFIX: Final = "s3://bench/checkpoints/"
# Nothing but the deadline, or the most attempts that a run may have, is to end a run.
_PATIENT: Final = Budgets(expired_waits=MAX_ATTEMPTS, attempts_without_progress=MAX_ATTEMPTS)
# A pace that no run can fall behind.
_NO_PACE: Final = 1e9


@dataclass(frozen=True, slots=True)
class Rules:
    """What a user would write for a task: the policy, and MaxWait in seconds."""

    policy: Callable[[Task], Policy]
    max_wait_s: Callable[[Task], float]


def start(rules: Rules, task: Task) -> Play:
    """Submit a task under the rules."""
    policy, wait_s = rules.policy(task), ceil(rules.max_wait_s(task))
    return _submit(policy, wait_s, _max_runtime_s(policy, wait_s, task), task.windows, task.work_s, task.changeover_s)


def replay(rules: Rules, task: Task) -> Outcome:
    """Carry out a task under the rules."""
    policy, wait_s = rules.policy(task), ceil(rules.max_wait_s(task))
    return _played(policy, wait_s, _max_runtime_s(policy, wait_s, task), task.windows, task.work_s, task.changeover_s)


def _max_runtime_s(policy: Policy, wait_s: int, task: Task) -> int:
    # SageMaker wants MaxWait to be MaxRuntime at least. What has a deadline gets a MaxWait from it, so MaxRuntime is
    # only to be out of the way.
    return wait_s if policy.deadline is None else max(wait_s, ceil(task.work_s + MAX_ATTEMPTS * task.changeover_s))


# Rules that know no deadline do the same for each: what they did last need not be played again.
@lru_cache(maxsize=32)
def _played(
    policy: Policy, wait_s: int, runtime_s: int, windows: tuple[Window, ...], work_s: float, changeover_s: float
) -> Outcome:
    return outcome_of(_submit(policy, wait_s, runtime_s, windows, work_s, changeover_s))


def _submit(
    policy: Policy, wait_s: int, runtime_s: int, windows: tuple[Window, ...], work_s: float, changeover_s: float
) -> Play:
    job: dict[str, Any] = {
        "ResourceConfig": {"InstanceType": "ml.p3.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 50},
        "StoppingCondition": {"MaxRuntimeInSeconds": runtime_s, "MaxWaitTimeInSeconds": wait_s},
        "EnableManagedSpotTraining": True,
        "CheckpointConfig": {"S3Uri": _PREFIX},
    }
    run = accept(Submission("bench", job, policy, "fingerprint"), "submission", BEGINNING)
    return Play(windows, work_s, changeover_s, run)


def outcome_of(play: Play) -> Outcome:
    """Carry a run to its end, and say what became of it."""
    run = play.to_the_end()
    paid = {Market.SPOT: 0.0, Market.ON_DEMAND: 0.0}
    useful = dict(paid)
    began = []
    for attempt in run.attempts:
        job = play.jobs[attempt.job_name]
        market = attempt.placement.market
        paid[market] += _on_instances_s(job, play.now)
        done = play.work_s if run.status is RunStatus.COMPLETED and attempt is run.current else play.kept
        later = run.attempt(attempt.number + 1)
        until = done if later is None else play.jobs[later.job_name].began_with
        useful[market] += max(0.0, until - job.began_with)
        began += [market] * sum(t.status is Secondary.DOWNLOADING for t in job.life.transitions)
    canaries = [job for job in play.jobs.values() if job.is_canary]
    return Outcome(
        on_demand_hours=paid[Market.ON_DEMAND] / HOUR,
        spot_hours=paid[Market.SPOT] / HOUR,
        useful_on_demand_hours=useful[Market.ON_DEMAND] / HOUR,
        useful_spot_hours=useful[Market.SPOT] / HOUR,
        canary_hours=sum(_on_instances_s(job, play.now) for job in canaries) / HOUR,
        finished_after_s=play.now if run.status is RunStatus.COMPLETED else None,
        switches=sum(a is not b for a, b in pairwise(began)),
        launches=len(began),
    )


def _on_instances_s(job: Followed, now: float) -> float:
    return float(life.training_seconds(job.life, now) or 0)


def with_deadline(task: Task, *, floor: float, hysteresis: float, way: ReturnToSpot) -> Policy:
    """Give the policy with the task's deadline; without a ``floor`` the pace is the task's own, as in the paper."""
    deadline = Deadline(
        expected_runtime_seconds=ceil(task.work_s),
        within_seconds=int(task.horizon_s),
        changeover_seconds=ceil(task.changeover_s),
        return_to_spot=way,
        pace_floor=floor,
        hysteresis=hysteresis,
    )
    return Policy(budgets=_PATIENT, deadline=deadline)


def _alone(_: Task) -> Policy:
    return Policy(budgets=Budgets(expired_waits=0))


def _relaunching(_: Task) -> Policy:
    return Policy(budgets=_PATIENT, relaunch_on_max_runtime=True)


def _horizon(task: Task) -> float:
    return task.horizon_s


def _fixed(_: Task) -> float:
    return _FIXED_WAIT_S


def _rules(floor: float, hysteresis: float, way: ReturnToSpot) -> Rules:
    return Rules(partial(with_deadline, floor=floor, hysteresis=hysteresis, way=way), _horizon)


ALONE_RULES: Final = Rules(_alone, _horizon)
FIXED_WAIT_RULES: Final = Rules(_relaunching, _fixed)
GREEDY_RULES: Final = _rules(_NO_PACE, 1.0, ReturnToSpot.NEVER)
UNIFORM_PROGRESS_RULES: Final = _rules(0.0, 2.0, ReturnToSpot.CANARY)
OURS_BLIND_RULES: Final = _rules(Deadline.pace_floor, Deadline.hysteresis, ReturnToSpot.BLIND)
OURS_RULES: Final = _rules(Deadline.pace_floor, Deadline.hysteresis, ReturnToSpot.CANARY)

SAGEMAKER_ALONE: Final = Arm("sagemaker", "SageMaker alone", partial(replay, ALONE_RULES), has_safety_net=False)
FIXED_WAIT: Final = Arm(
    "relaunch", "relaunch after MaxWait of 6 h", partial(replay, FIXED_WAIT_RULES), has_safety_net=False
)
GREEDY: Final = Arm(BASELINE, "greedy with safety net", partial(replay, GREEDY_RULES))
UNIFORM_PROGRESS: Final = Arm("uniform-progress", "Uniform Progress", partial(replay, UNIFORM_PROGRESS_RULES))
OURS_BLIND: Final = Arm("ours-blind", "ours, blind return", partial(replay, OURS_BLIND_RULES))
OURS: Final = Arm("ours", "ours", partial(replay, OURS_RULES))
