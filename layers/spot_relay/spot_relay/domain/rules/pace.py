"""Uniform Progress with a floor: when a run with a deadline has to go on-demand, and when it may return to spot.

The rules are those of Wu et al., "Can't Be Late" (NSDI '24), for a market whose capacity cannot be seen: while a run
does not train, its own waiting spot job is the sensor. docs/policy.md explains them with an example.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil, inf
from typing import TYPE_CHECKING

from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.domain.run.run import TICK
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.sagemaker.request import max_runtime_of
from spot_relay.domain.values import No, dataclass

if TYPE_CHECKING:
    from spot_relay.domain.run.cause import Demand
    from spot_relay.domain.run.policy import Deadline
    from spot_relay.domain.run.run import Run
    from spot_relay.domain.sagemaker.job import Placement

# From the moment at which a rule fires to the creation of the on-demand job: until the next tick, then the stop of the
# waiting job (SageMaker allows it 120 s), its event and its description.
REACTION_SECONDS = TICK.total_seconds() + 240.0
# How long a spot job may need to get capacity that exists. Before that, only the safety net may end its wait.
SENSING_SECONDS = 300.0
# A blind return to spot gives up on-demand for a wait this long. In traces, longer waits cost more than they save.
BLIND_WAIT_SECONDS = 900.0
# How long the stop of the on-demand job takes, while nothing trains. A return must be worth that time and have it left.
RETURN_SECONDS = 180.0
# With fewer measured changeovers than this, the expected one still counts.
FEW_CHANGEOVERS = 10
# A training job lasts 30 days at most.
LONGEST_WAIT_SECONDS = 30 * 86_400


@dataclass(frozen=True)
class Standing:
    """Where a run with a deadline stands. All fields but ``pace`` and ``hysteresis`` are in seconds."""

    work: float
    """C: the training that no checkpoint holds yet."""
    time: float
    """R: what is left until the deadline."""
    changeover: float
    """d: what a new start has cost on average."""
    reserve: float
    """2·d̂ and the reaction: what has to be kept for the worst case."""
    pace: float
    """θ: a run that does not train is behind once its work takes more than this share of its time."""
    hysteresis: float
    """h: how many changeovers a return to spot has to be ahead."""

    @property
    def leaves_time_for_spot(self) -> bool:
        """Whether there is time to stop an on-demand job and to wait for spot.

        Time and work shrink alike on-demand, so a run that is too near the safety net now always will be.
        """
        return self.time - self.work > self.reserve + RETURN_SECONDS

    def demand(self, waited: float) -> Demand | None:
        """Return why a run that has waited this long for spot capacity has to go on-demand, or None if it does not."""
        if self.time <= self.work + self.reserve:
            return Cause.SAFETY_NET
        if waited >= SENSING_SECONDS and self.work >= self.pace * self.time:
            return Cause.BEHIND_PACE
        return None

    def demand_in(self, waited: float) -> float:
        """Return the seconds until `demand` has an answer if the run keeps waiting."""
        behind = max(SENSING_SECONDS - waited, self.time - self.work / self.pace)
        return max(0.0, min(behind, self.time - self.work - self.reserve))

    def return_in(self, way: ReturnToSpot) -> float | None:
        """Return the seconds of on-demand training until the run may return to spot; None if it never may.

        Work and time shrink together, so the run gains (1 - θ) seconds on its pace each second.
        """
        risk = BLIND_WAIT_SECONDS if way is ReturnToSpot.BLIND else 0.0
        allowed = self.pace * (self.time - self.hysteresis * self.changeover - risk)
        if way is ReturnToSpot.NEVER or self.pace >= 1:
            return None
        seconds = max(0.0, (self.work - allowed) / (1 - self.pace))
        worthwhile = self.work - seconds > self.changeover + RETURN_SECONDS
        return seconds if worthwhile and self.leaves_time_for_spot else None


def standing_of(run: Run, now: datetime) -> Standing | None:
    """Return where a run stands, or None if it has no deadline."""
    deadline = run.policy.deadline
    if deadline is None or run.deadline_at is None:
        return None
    allotted = (run.deadline_at - run.created_at).total_seconds()
    share = deadline.expected_runtime_seconds / allotted if allotted > 0 else 1.0
    usual, worst = changeovers_of(run, deadline)
    return Standing(
        work=max(0.0, deadline.expected_runtime_seconds - run.progress_seconds),
        time=(run.deadline_at - now).total_seconds(),
        changeover=usual,
        reserve=2 * worst + REACTION_SECONDS,
        pace=max(share, deadline.pace_floor),
        hysteresis=deadline.hysteresis,
    )


def changeovers_of(run: Run, deadline: Deadline) -> tuple[float, float]:
    """Return d, the mean of the measured changeovers, and d̂, their 99th percentile; else the expected one."""
    measured = sorted(run.changeovers)
    if not measured:
        return deadline.changeover_seconds, deadline.changeover_seconds
    worst = measured[ceil(0.99 * len(measured)) - 1]
    if len(measured) < FEW_CHANGEOVERS:
        worst = max(worst, deadline.changeover_seconds)
    return sum(measured) / len(measured), worst


def max_wait_of(run: Run, placement: Placement, now: datetime) -> int | None:
    """Return the MaxWaitTimeInSeconds that the deadline asks of an attempt planned now; None if it asks for none.

    It is a backstop and ends with the deadline: the safety net acts before it, and a job that trains may finish.
    """
    standing = standing_of(run, now)
    if standing is None or placement.market is not Market.SPOT:
        return None
    return min(LONGEST_WAIT_SECONDS, max(max_runtime_of(run.training_job), ceil(standing.time)))


def seconds_until_demand(run: Run, now: datetime, waited: float = inf) -> float:
    """Return the seconds until a run without a live job has to go on-demand; infinite if that is due already or never.

    ``waited`` is infinite between two attempts, and 0 before the run's first chance of capacity.
    """
    standing = standing_of(run, now)
    if standing is None or standing.demand(waited) is not None:
        return inf
    return standing.demand_in(waited)


def earliest_deadline(deadline: Deadline, now: datetime) -> datetime:
    """Return the earliest deadline that a run submitted now can meet, on-demand alone."""
    return now + timedelta(seconds=deadline.expected_runtime_seconds + deadline.changeover_seconds)


def check_deadline(at: datetime, earliest: datetime) -> No | None:
    """Return why a deadline is too early, or None if it is not."""
    if at >= earliest:
        return None
    return No(
        f"The deadline {at.isoformat(timespec='seconds')} cannot be met, even on-demand: training and one changeover "
        f"take until {earliest.isoformat(timespec='seconds')}. Use that time or a later one."
    )
