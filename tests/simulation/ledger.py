"""What relaunches and jobs draw on the budgets of their runs, counted from the truth of the simulated SageMaker."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.descriptions import moment
from simulator import life
from spot_relay.domain.rules.checkpoints import CheckpointSearch
from spot_relay.domain.run.launch import CANARY_TAG, RUN_ID_TAG, Created
from spot_relay.domain.run.run import MAX_ATTEMPTS
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.request import placement_of
from tests.simulation.violation import ViolationError
from tests.simulation.worlds import PRICES

if TYPE_CHECKING:
    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.launch import Launch
    from spot_relay.domain.run.run import Run
    from spot_relay.domain.sagemaker.job import Checkpoint
    from spot_relay.domain.sagemaker.refusal import NotCreated
    from tests.simulation.sagemaker import SageMaker, TrainingJob
    from tests.simulation.storage import Checkpoints

_BUDGET_OF = {
    Outcome.MAX_WAIT_TIME_EXCEEDED: "expired_waits",
    Outcome.CAPACITY_ERROR: "capacity_failures",
    Outcome.SERVICE_ERROR: "service_errors",
    Outcome.USER_ERROR: "user_errors",
}
_IDLE = "attempts_without_progress"
# What else ends a run for good, in the words of its reason.
_OTHER_REASONS = (_IDLE, "money_usd", "no CheckpointConfig", "the most a run can have", "refuses every placement")
_SPENT = re.compile(r"policy\.budgets\.(\w+) allows no further relaunch")
# What a job may be billed beyond MaxRuntime: its stop and its upload, in seconds.
_AFTER_MAX_RUNTIME = 120
_HOUR = 3600
# What adding floats may leave above a sum.
_FLOAT_NOISE = 1e-9


@dataclass
class Ledger:
    """Counts what each run has drawn on its budgets since it began, or was resumed.

    ``relaunches`` are by run and budget, and ``refusals`` by run, since a launch of it succeeded. ``begun_with`` is the
    newest checkpoint when each attempt was planned.
    """

    sagemaker: SageMaker
    checkpoints: Checkpoints
    relaunches: dict[str, Counter[str]] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)
    begun_with: dict[str, Checkpoint | None] = field(default_factory=dict)

    def opened(self, run: Run) -> None:
        """Begin to count anew."""
        self.relaunches[run.id] = Counter()
        self.refusals[run.id] = 0

    def answered(self, launch: Launch, answer: Created | NotCreated) -> None:
        """Count the refusals of a run's attempts that a function has heard of."""
        if CANARY_TAG in launch.tags:
            return
        run_id = launch.tags[RUN_ID_TAG]
        if isinstance(answer, Created):
            self.refusals[run_id] = 0
        elif answer.refusal.backs_off:
            self.refusals[run_id] += 1

    def planned(self, run: Run) -> None:
        """Record the checkpoint that a run's newest attempt starts from; fail if the run has too many attempts."""
        if len(run.attempts) > MAX_ATTEMPTS:
            raise ViolationError(6, f"{run.id} has {len(run.attempts)} attempts, and may have {MAX_ATTEMPTS}")
        self.begun_with[run.current.job_name] = self._newest(run)

    def relaunched(self, run: Run, left: Attempt, job: TrainingJob | None) -> None:
        """Count a relaunch against the budgets that the end before it draws on; a planned switch draws on none."""
        if _was_planned(left):
            return
        budget = _BUDGET_OF.get(left.outcome) if left.outcome is not None else None
        idle = self._is_idle(run, left, job)
        if left.outcome is Outcome.MAX_RUNTIME_EXCEEDED:
            self._check_max_runtime(run, left, idle=idle)
        elif budget is None:
            raise ViolationError(6, f"{run.id} was relaunched after {left.outcome}, for which there is no budget")
        for drawn in filter(None, (budget, _IDLE if idle else None)):
            relaunches = self.relaunches[run.id]
            relaunches[drawn] += 1
            if relaunches[drawn] > (allowed := getattr(run.policy.budgets, drawn)):
                raise ViolationError(6, f"{run.id} was relaunched {relaunches[drawn]} times, {drawn} allow {allowed}")

    def failed(self, run: Run, job: TrainingJob | None) -> None:
        """Hold a run that gives up to saying which budget has ended it, where one has, and to none that has not."""
        last, relaunches, budgets = run.current, self.relaunches[run.id], run.policy.budgets
        for named in _SPENT.findall(run.reason):
            drawn = named == _BUDGET_OF.get(last.outcome or Outcome.STOPPED)
            if named == _IDLE:
                drawn = self._is_idle(run, last, job)
            if not drawn or relaunches[named] < getattr(budgets, named):
                raise ViolationError(6, f"{run.id} was relaunched {relaunches[named]} times, and says: {run.reason}")
        if "policy.budgets.refusals" in run.reason and self.refusals[run.id] <= budgets.refusals:
            raise ViolationError(6, f"{run.id} was refused {self.refusals[run.id]} times, and says: {run.reason}")
        budget = _BUDGET_OF.get(last.outcome) if last.outcome is not None and not _was_planned(last) else None
        if budget is None or budget == "user_errors" or budget in run.reason:
            return
        allowed = getattr(budgets, budget)
        if relaunches[budget] >= allowed and not any(other in run.reason for other in _OTHER_REASONS):
            raise ViolationError(6, f"{run.id} has spent {budget} ({allowed}) and fails with: {run.reason}")

    def launched(self, run: Run, job: TrainingJob) -> None:
        """Hold a run's true bill, with all that its jobs may add to it, to its money."""
        worst, paid, budget = _worst(job), self._paid(run), run.policy.budgets.money_usd
        if budget is not None and paid + worst > budget + _FLOAT_NOISE:
            text = f"{job.name} may cost {worst:.4f} USD, {paid:.4f} USD are bound, and the budget is {budget:.4f}"
            raise ViolationError(6, text)

    def closed(self, run: Run) -> None:
        """Hold what a run has cost in the end to its money; its last job's stop and upload come on top."""
        budget, paid = run.policy.budgets.money_usd, self._paid(run)
        most = max(price.on_demand_usd for price in PRICES.by_instance_type.values())
        if budget is not None and paid > budget + _AFTER_MAX_RUNTIME * most / _HOUR:
            raise ViolationError(6, f"{run.id} has cost {paid:.4f} USD, and the budget is {budget:.4f}")

    def _check_max_runtime(self, run: Run, left: Attempt, *, idle: bool) -> None:
        if not run.policy.relaunch_on_max_runtime and run.policy.deadline is None:
            raise ViolationError(6, f"{run.id} was relaunched after MaxRuntime, which its policy does not allow")
        if idle or run.checkpoint_uri is None:
            raise ViolationError(6, f"{left.job_name} has used up MaxRuntime and left no checkpoint; it was relaunched")

    def _is_idle(self, run: Run, attempt: Attempt, job: TrainingJob | None) -> bool:
        """Whether an attempt trained, and left no newer checkpoint."""
        if run.checkpoint_uri is None or job is None or job.life.training_started_at is None:
            return False
        newest, first = self._newest(run), self.begun_with.get(attempt.job_name)
        if newest is None:
            return True
        if first is None:
            return newest.last_modified < moment(job.life.created_at)
        return newest == first or newest.last_modified < first.last_modified

    def _newest(self, run: Run) -> Checkpoint | None:
        search = None if run.checkpoint_uri is None else self.checkpoints.find_newest(run.checkpoint_uri)
        return search.newest if isinstance(search, CheckpointSearch) else None

    def _paid(self, run: Run) -> float:
        """Return the true bill of a run's attempts and canaries, and of those that live the most that it may be."""
        jobs = [job for job in self.sagemaker.jobs.values() if job.run_id == run.id]
        return sum(_bill(job) if job.ended else _worst(job) for job in jobs)


def _bill(job: TrainingJob) -> float:
    hourly = PRICES.by_instance_type[job.pool.instance_type].on_demand_usd
    return _usd(life.billable_seconds(job.life, job.life.since) or 0, job, hourly)


def _worst(job: TrainingJob) -> float:
    """Return the most that a job may be billed: what the price list says of spot is of no use for a job that sleeps."""
    price = PRICES.by_instance_type[job.pool.instance_type]
    hourly = price.on_demand_usd if job.is_canary else price.usd_per_hour(placement_of(job.request).market)
    return _usd(job.request["StoppingCondition"]["MaxRuntimeInSeconds"], job, hourly)


def _was_planned(attempt: Attempt) -> bool:
    """Whether an attempt was left for another market."""
    return attempt.switch_to is not None and attempt.outcome in {Outcome.STOPPED, Outcome.MAX_WAIT_TIME_EXCEEDED}


def _usd(seconds: float, job: TrainingJob, hourly: float) -> float:
    count: int = job.request["ResourceConfig"]["InstanceCount"]
    return seconds * count * hourly / _HOUR
