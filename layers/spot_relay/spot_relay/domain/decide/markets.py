"""Planned switches between spot and on-demand: away from a wait for spot that takes too long, back, or by request.

A switch stops the live job; the next attempt is launched once that job is described as ended, never before.
"""

from __future__ import annotations

from dataclasses import field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from spot_relay.domain.decide.steps import CHECK_SOON
from spot_relay.domain.rules.next_place import spot_place
from spot_relay.domain.rules.pace import max_wait_of, standing_of
from spot_relay.domain.rules.switches import may_go_on_demand, may_return, seconds_waited, way_of
from spot_relay.domain.run.attempt import Attempt, AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.domain.run.run import TICK, Run
from spot_relay.domain.sagemaker.job import WAITING_FOR_CAPACITY, Job, Market, TrainingJobStatus, canary_name
from spot_relay.domain.values import dataclass, replace

if TYPE_CHECKING:
    from spot_relay.domain.decide.facts import Facts
    from spot_relay.domain.rules.pace import Standing
    from spot_relay.domain.run.cause import Demand
    from spot_relay.domain.sagemaker.job import Placement

# The shortest time to the next look at a run that is about to need its safety net, or to return.
CLOSE_LOOK = TICK


@dataclass(frozen=True)
class Steering:
    """What a switch, or the look for one, changes about a run with a live job, what is owed for that, and why."""

    run: Run
    owes: Outbox = field(default_factory=Outbox)
    reason: str = ""
    """Empty if nothing changes."""


def steer(run: Run, facts: Facts, now: datetime) -> Steering:
    """Switch markets if the deadline requires or allows it, or go on with a switch."""
    attempt, standing = run.current, standing_of(run, now)
    if run.stop_requested:
        return Steering(run)
    if attempt.switch_to is not None:
        return _stop_again(run, attempt, facts)
    if standing is None:
        return Steering(run)
    if attempt.placement.market is Market.SPOT:
        return _to_on_demand(run, attempt, standing, now)
    return _to_spot(run, attempt, standing, facts, now)


def next_look(run: Run, now: datetime, every: timedelta) -> datetime:
    """Return when to look at a run with a live job again: after ``every``, or sooner if a rule may fire before."""
    attempt, standing = run.current, standing_of(run, now)
    if attempt.switch_to is not None:
        return now + min(every, CHECK_SOON)
    if standing is None:
        return now + every
    if attempt.placement.market is Market.ON_DEMAND:
        sent = run.canary_beside(attempt.number) is not None
        seconds = None if sent or not may_return(run, attempt, now) else standing.return_in(way_of(run))
        return now + every if seconds is None else now + min(every, max(CLOSE_LOOK, timedelta(seconds=seconds)))
    if attempt.waiting_since is None:
        # While the job trains, work and time shrink alike. If an interruption's event is lost, the net is due then.
        slack = timedelta(seconds=standing.time - standing.work - standing.reserve)
        return now + min(every, max(CLOSE_LOOK, slack))
    seconds = standing.demand_in(seconds_waited(attempt, now))
    if seconds == 0 and not may_go_on_demand(run, now):
        return now + every
    return now + min(every, timedelta(seconds=seconds))


def demand_before_launch(run: Run, now: datetime) -> Demand | None:
    """Return why a run that waits to launch on spot has to go on-demand instead, or None if it does not.

    After a launch that was not answered it does not, because its job probably exists.
    """
    standing, attempt = standing_of(run, now), run.current
    answered = attempt.status is AttemptStatus.PLANNED and attempt.refusals == 0
    if standing is None or not answered or attempt.placement.market is not Market.SPOT:
        return None
    return standing.demand(seconds_waited(attempt, now))


def describe_demand(demand: Demand, attempt: Attempt) -> str:
    """Return why an attempt that waits for spot has to go on-demand, as a sentence."""
    if demand is Cause.SAFETY_NET:
        return f"The deadline leaves no more time for {attempt.job_name} to wait for spot."
    return f"{attempt.job_name} has waited so long for spot that the deadline is at risk."


def is_net_due(run: Run, now: datetime) -> bool:
    """Whether the safety net takes a run off spot as soon as its job waits, by the progress counted so far."""
    standing = standing_of(run, now)
    if standing is None or run.stop_requested or run.current.switch_to is not None:
        return False
    return standing.demand(0.0) is not None and may_go_on_demand(run, now)


def has_capacity(canary: object) -> bool:
    """Whether a described canary got capacity and still holds it."""
    return isinstance(canary, Job) and not canary.has_ended and canary.secondary_status not in WAITING_FOR_CAPACITY


def _to_on_demand(run: Run, attempt: Attempt, standing: Standing, now: datetime) -> Steering:
    if attempt.waiting_since is None:
        return Steering(run)
    demand = standing.demand(seconds_waited(attempt, now))
    if demand is None or not may_go_on_demand(run, now):
        return Steering(run)
    reason = f"{describe_demand(demand, attempt)} Stopping it to continue on-demand."
    return switch(run, attempt, Market.ON_DEMAND, reason)


def _to_spot(run: Run, attempt: Attempt, standing: Standing, facts: Facts, now: datetime) -> Steering:
    place = spot_place(run)
    if place is None or not may_return(run, attempt, now):
        return Steering(run)
    way = way_of(run)
    seconds = standing.return_in(way)
    if seconds is None:
        return Steering(run)
    # The pace has decided when to look for capacity; between two checkpoints the run may seem behind it again. Capacity
    # that exists needs no wait, so a return only has to leave the safety net's reserve.
    if has_capacity(facts.canary):
        why = f"There is spot capacity again. Stopping {attempt.job_name} to continue on spot."
        return switch(run, attempt, Market.SPOT, why)
    if seconds > 0:
        return Steering(run)
    if way is ReturnToSpot.BLIND:
        why = f"The run is well ahead of schedule. Stopping {attempt.job_name} to wait for spot capacity."
        return switch(run, attempt, Market.SPOT, why)
    return _send_canary(run, attempt, place.placement, now)


def _send_canary(run: Run, attempt: Attempt, placement: Placement, now: datetime) -> Steering:
    """Let a canary wait for spot capacity beside the attempt; one that was refused for now is tried again."""
    known = run.canary_beside(attempt.number)
    if known is not None and known.status is not CanaryStatus.PLANNED:
        return Steering(run)
    # From here on it may exist again, so its earlier refusal proves nothing any more.
    again = known and replace(known, refusal=None)
    canary = again or Canary(
        number=attempt.number,
        job_name=canary_name(run.id, attempt.number),
        placement=placement,
        planned_at=now,
        max_wait_seconds=max_wait_of(run, placement, now) or 0,
    )
    beside = f"Launching {canary.job_name} to look for spot capacity while {attempt.job_name} keeps training."
    reason = f"The run is ahead of schedule. {beside}"
    return Steering(run.with_canary(canary), Outbox(canary=canary.number), reason)


def switch(run: Run, attempt: Attempt, market: Market, reason: str) -> Steering:
    """Stop a live attempt, so that the run continues in a market once its job is described as ended."""
    leaving = replace(attempt, switch_to=market)
    return Steering(run.with_attempt(leaving), Outbox(stop=attempt.job_name), reason)


def _stop_again(run: Run, attempt: Attempt, facts: Facts) -> Steering:
    """Repeat the stop that a switch needs if the job ignores it.

    A job that trains on spot after all is left alone, unless its user wants the run on-demand.
    """
    job = facts.job
    trains_on_spot = attempt.placement.market is Market.SPOT and attempt.waiting_since is None
    may_stay = trains_on_spot and run.moved_to is not Market.ON_DEMAND
    if not isinstance(job, Job) or job.status != TrainingJobStatus.IN_PROGRESS or may_stay:
        return Steering(run)
    reason = f"{attempt.job_name} is still {job.secondary_status}. Asking SageMaker again to stop it."
    return Steering(run, Outbox(stop=attempt.job_name), reason)
