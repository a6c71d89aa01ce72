"""Uniform Progress with a floor: when a run with a deadline has to go on demand, and when it may return to spot.

The rules are those of Wu et al., "Can't Be Late" (NSDI '24), for a market whose capacity can't be seen: while a run
does not train, its own waiting spot job is the sensor. docs/policy.md explains them with an example.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import TYPE_CHECKING

from spot_relay.domain.run.policy import ReturnToSpot

if TYPE_CHECKING:
    from spot_relay.domain.run.policy import Deadline
    from spot_relay.domain.run.run import Run

# From the moment at which a rule fires to the creation of the on-demand job: the tick's minute, the stop of the
# waiting job (SageMaker allows it 120 s), its event and description.
REACTION_SECONDS = 300.0
# How long a spot job may take to get capacity that is there. Before that, only the safety net may end its wait.
SENSING_SECONDS = 300.0
# A blind return to spot gives up on-demand for a wait this long; traces show longer ones to cost more than they win.
BLIND_WAIT_SECONDS = 900.0
# The stop of the on-demand job, in which nothing trains: a return has to be worth it, and to leave the time for it.
RETURN_SECONDS = 180.0
# With so few changeovers measured, what the user expects still counts.
FEW_CHANGEOVERS = 10
# A training job lives 30 days at most.
LONGEST_WAIT_SECONDS = 30 * 86_400


class Demand(StrEnum):
    """Why a run has to go on demand; also the cause of the attempt that follows."""

    SAFETY_NET = "SafetyNet"
    BEHIND_PACE = "BehindPace"


# The cause of an attempt that returned to spot.
AHEAD_OF_PACE = "AheadOfPace"


@dataclass(frozen=True)
class Standing:
    """Where a run with a deadline stands; all but ``pace`` and ``hysteresis`` in seconds.

    ``work`` (C) is the training that no checkpoint holds yet, ``time`` (R) what is left until the deadline,
    ``changeover`` (d) what a new start costs on average, ``reserve`` (2·d̂ and the reaction) what has to be kept
    for the worst. ``pace`` (θ) is the share of the time left that the work left may take before a run that does
    not train is behind.
    """

    work: float
    time: float
    changeover: float
    reserve: float
    pace: float
    hysteresis: float

    def demand(self, waited: float) -> Demand | None:
        """Say why a run that has waited for spot capacity for so long has to go on demand, or None."""
        if self.time <= self.work + self.reserve:
            return Demand.SAFETY_NET
        if waited >= SENSING_SECONDS and self.work >= self.pace * self.time:
            return Demand.BEHIND_PACE
        return None

    def demand_in(self, waited: float) -> float:
        """Give the seconds until `demand` has an answer if the run goes on waiting."""
        behind = max(SENSING_SECONDS - waited, self.time - self.work / self.pace)
        return max(0.0, min(behind, self.time - self.work - self.reserve))

    def return_in(self, way: ReturnToSpot) -> float | None:
        """Give the seconds of on-demand training until the run may return to spot; None if it never may.

        Work and time shrink together, so the run gets ahead of its pace by (1 - θ) seconds a second.
        """
        risk = BLIND_WAIT_SECONDS if way is ReturnToSpot.BLIND else 0.0
        allowed = self.pace * (self.time - self.hysteresis * self.changeover - risk)
        if way is ReturnToSpot.NEVER or self.pace >= 1:
            return None
        seconds = max(0.0, (self.work - allowed) / (1 - self.pace))
        worthwhile = self.work - seconds > self.changeover + RETURN_SECONDS
        # Time and work shrink alike on demand, so what is too near the safety net now always will be.
        safe = self.time - self.work > self.reserve + RETURN_SECONDS
        return seconds if worthwhile and safe else None


def standing_of(run: Run, now: datetime) -> Standing | None:
    """Tell where a run stands, or None if it has no deadline."""
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
    """Give d, the mean of the changeovers measured, and d̂, their 99th percentile; until measured, the expected one."""
    measured = sorted(run.changeovers)
    if not measured:
        return deadline.changeover_seconds, deadline.changeover_seconds
    worst = measured[ceil(0.99 * len(measured)) - 1]
    if len(measured) < FEW_CHANGEOVERS:
        worst = max(worst, deadline.changeover_seconds)
    return sum(measured) / len(measured), worst


def max_wait_seconds(run: Run, max_runtime_seconds: int, now: datetime) -> int | None:
    """Give the MaxWaitTimeInSeconds of a spot attempt planned now; None if no deadline asks for one.

    It is a backstop and ends with the deadline: the safety net comes first, and a job that trains may finish.
    """
    standing = standing_of(run, now)
    if standing is None:
        return None
    return min(LONGEST_WAIT_SECONDS, max(max_runtime_seconds, ceil(standing.time)))


def earliest(deadline: Deadline, now: datetime) -> datetime:
    """Give the earliest deadline that a run submitted now can meet, on demand alone."""
    return now + timedelta(seconds=deadline.expected_runtime_seconds + deadline.changeover_seconds)
