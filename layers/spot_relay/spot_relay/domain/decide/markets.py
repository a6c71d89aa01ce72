"""Planned switches between the markets: out of a spot wait that lasts too long, and back when spot can be had.

A switch stops the live job; the next attempt is launched once that job is described as ended, never before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from spot_relay.domain.decide.steps import CHECK_SOON
from spot_relay.domain.rules.after_end import affordable_on_demand, relaunch_forbidden, wait_limit
from spot_relay.domain.rules.money import pays_for_canary, unaffordable
from spot_relay.domain.rules.next_place import spot_place
from spot_relay.domain.rules.pace import Demand, standing_of
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.domain.run.run import MAX_ATTEMPTS, Attempt, AttemptStatus, Canary, CanaryStatus, Run
from spot_relay.domain.sagemaker.job import WAITING_FOR_CAPACITY, Job, Market, TrainingJobStatus, canary_name
from spot_relay.domain.values import replace

if TYPE_CHECKING:
    from spot_relay.domain.decide.facts import Facts
    from spot_relay.domain.rules.pace import Standing

# A look at a run that is about to need its safety net, or to return, comes no later and no sooner than this.
CLOSE_LOOK = timedelta(minutes=1)
# A return to spot needs an attempt, and so may the next switch to on-demand, the last one.
ATTEMPTS_KEPT = 2


@dataclass(frozen=True)
class Steering:
    """What the deadline changes about a run whose job lives, what is owed for it, and why; empty for nothing."""

    run: Run
    owes: Outbox = field(default_factory=Outbox)
    reason: str = ""


def steer(run: Run, facts: Facts, now: datetime) -> Steering:
    """Switch markets where the deadline asks for it or allows it."""
    attempt, standing = run.current, standing_of(run, now)
    if standing is None or run.stop_requested:
        return Steering(run)
    if attempt.switch_to is not None:
        return _stopped_again(run, attempt, facts)
    if attempt.placement.market is Market.SPOT:
        return _to_on_demand(run, attempt, standing, now)
    return _to_spot(run, attempt, standing, facts, now)


def next_look(run: Run, now: datetime, every: timedelta) -> datetime:
    """Say when a run whose job lives has to be looked at: in ``every`` at the latest, or when a rule can fire."""
    attempt, standing = run.current, standing_of(run, now)
    if standing is None:
        return now + every
    if attempt.switch_to is not None:
        return now + min(every, CHECK_SOON)
    if attempt.placement.market is Market.ON_DEMAND:
        sent = _canary_of(run, attempt) is not None
        seconds = None if sent or not _may_return(run, attempt, now) else standing.return_in(_way(run))
        return now + every if seconds is None else now + min(every, max(CLOSE_LOOK, timedelta(seconds=seconds)))
    if attempt.waiting_since is None:
        # While the job trains, work and time shrink alike. If an interruption's event gets lost, the net is due then.
        slack = timedelta(seconds=standing.time - standing.work - standing.reserve)
        return now + min(every, max(CLOSE_LOOK, slack))
    seconds = standing.demand_in(_waited(attempt, now))
    if seconds == 0 and not _may_go_on_demand(run, now):
        return now + every
    return now + min(every, timedelta(seconds=seconds))


def demand_before_launch(run: Run, now: datetime) -> Demand | None:
    """Say why a run that waits for room, or rests, before a launch on spot has to go on demand instead, or None.

    After a launch that was not answered it does not: its job is likely to exist.
    """
    standing, attempt = standing_of(run, now), run.current
    answered = attempt.status is AttemptStatus.PLANNED and attempt.refusals == 0
    if standing is None or not answered or attempt.placement.market is not Market.SPOT:
        return None
    return standing.demand(_waited(attempt, now))


def net_is_due(run: Run, now: datetime) -> bool:
    """Tell whether the safety net takes a run from spot as soon as its job waits, as far as progress is counted."""
    standing = standing_of(run, now)
    if standing is None or run.stop_requested or run.current.switch_to is not None:
        return False
    return standing.demand(0.0) is not None and _may_go_on_demand(run, now)


def has_capacity(canary: object) -> bool:
    """Tell whether a described canary has got capacity and still holds it."""
    return isinstance(canary, Job) and not canary.has_ended and canary.secondary_status not in WAITING_FOR_CAPACITY


def _to_on_demand(run: Run, attempt: Attempt, standing: Standing, now: datetime) -> Steering:
    if attempt.waiting_since is None:
        return Steering(run)
    demand = standing.demand(_waited(attempt, now))
    if demand is None or not _may_go_on_demand(run, now):
        return Steering(run)
    why = "the deadline leaves no more time to wait" if demand is Demand.SAFETY_NET else "the run is behind its pace"
    return _switched(run, attempt, Market.ON_DEMAND, f"{why}: it is stopped to go on demand")


def _to_spot(run: Run, attempt: Attempt, standing: Standing, facts: Facts, now: datetime) -> Steering:
    if not _may_return(run, attempt, now):
        return Steering(run)
    way = _way(run)
    seconds = standing.return_in(way)
    if seconds is None:
        return Steering(run)
    # The pace has decided when to look for capacity; between two checkpoints the run may seem behind it again. Capacity
    # that is there needs no wait, so the safety net's reserve is all that a return has to leave.
    if has_capacity(facts.canary):
        return _switched(run, attempt, Market.SPOT, "the canary has found spot capacity: it is stopped to move there")
    if seconds > 0:
        return Steering(run)
    if way is ReturnToSpot.BLIND:
        return _switched(run, attempt, Market.SPOT, "the run is well ahead of its pace: it is stopped to wait for spot")
    return _send_canary(run, attempt, now)


def _send_canary(run: Run, attempt: Attempt, now: datetime) -> Steering:
    """Have a canary wait for spot capacity beside the attempt; one that was refused is tried again."""
    known = _canary_of(run, attempt)
    if known is not None and known.status is not CanaryStatus.PLANNED:
        return Steering(run)
    place = spot_place(run)
    if place is None:
        return Steering(run)
    canary = known or Canary(
        number=attempt.number,
        job_name=canary_name(run.id, attempt.number),
        placement=place.placement,
        planned_at=now,
        max_wait_seconds=wait_limit(run, place.placement, now) or 0,
    )
    reason = f"the run is ahead of its pace: {canary.job_name} waits for spot capacity"
    return Steering(run.with_canary(canary), Outbox(canary=canary.number), reason)


def _switched(run: Run, attempt: Attempt, market: Market, reason: str) -> Steering:
    leaving = replace(attempt, switch_to=market)
    return Steering(run.with_attempt(leaving), Outbox(stop=attempt.job_name), reason)


def _stopped_again(run: Run, attempt: Attempt, facts: Facts) -> Steering:
    """Ask again for the stop that a switch needs where the job goes on as if nobody had; spot that trains is left."""
    goes_on = isinstance(facts.job, Job) and facts.job.status == TrainingJobStatus.IN_PROGRESS
    trains_on_spot = attempt.placement.market is Market.SPOT and attempt.waiting_since is None
    if not goes_on or trains_on_spot:
        return Steering(run)
    return Steering(run, Outbox(stop=attempt.job_name), "its stop is asked for again")


def _may_go_on_demand(run: Run, now: datetime) -> bool:
    return relaunch_forbidden(run) is None and affordable_on_demand(run, now) is not None


def _may_return(run: Run, attempt: Attempt, now: datetime) -> bool:
    """Tell whether an on-demand attempt may ever be left for spot: not one that the safety net has asked for."""
    if attempt.cause == Demand.SAFETY_NET or len(run.attempts) > MAX_ATTEMPTS - ATTEMPTS_KEPT:
        return False
    if attempt.status is not AttemptStatus.IN_PROGRESS or relaunch_forbidden(run) is not None:
        return False
    place = spot_place(run)
    if place is None or unaffordable(run, place.placement, now) is not None:
        return False
    sends = _way(run) is ReturnToSpot.CANARY and _canary_of(run, attempt) is None
    return not sends or pays_for_canary(run, place.placement, now)


def _canary_of(run: Run, attempt: Attempt) -> Canary | None:
    """Give the canary that was planned beside an attempt."""
    return run.canary if run.canary is not None and run.canary.number == attempt.number else None


def _way(run: Run) -> ReturnToSpot:
    return run.policy.deadline.return_to_spot if run.policy.deadline else ReturnToSpot.NEVER


def _waited(attempt: Attempt, now: datetime) -> float:
    return (now - (attempt.waiting_since or now)).total_seconds()
