"""Whether a run may change its market: go on-demand for its deadline, or return to spot."""

from __future__ import annotations

from datetime import datetime

from spot_relay.domain.rules.after_end import check_relaunch
from spot_relay.domain.rules.money import check_money, pays_for_canary
from spot_relay.domain.rules.next_place import affordable_on_demand, spot_place
from spot_relay.domain.run.attempt import Attempt, AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.domain.run.run import MAX_ATTEMPTS, Run
from spot_relay.domain.sagemaker.job import Market

# A return to spot needs an attempt, and so may the switch back to on-demand, the last one.
ATTEMPTS_KEPT = 2


def may_go_on_demand(run: Run, now: datetime) -> bool:
    """Whether the run may have another attempt, and can pay for one on-demand."""
    return check_relaunch(run) is None and affordable_on_demand(run, now) is not None


def may_return(run: Run, attempt: Attempt, now: datetime) -> bool:
    """Whether an on-demand attempt may ever return to spot by itself.

    One that the safety net started may not, nor one of a run that its user has moved on-demand.
    """
    if attempt.cause is Cause.SAFETY_NET or run.moved_to is Market.ON_DEMAND:
        return False
    if len(run.attempts) > MAX_ATTEMPTS - ATTEMPTS_KEPT:
        return False
    if attempt.status is not AttemptStatus.IN_PROGRESS or check_relaunch(run) is not None:
        return False
    place = spot_place(run)
    if place is None or check_money(run, place.placement, now) is not None:
        return False
    sends = way_of(run) is ReturnToSpot.CANARY and run.canary_beside(attempt.number) is None
    return not sends or pays_for_canary(run, place.placement, now)


def way_of(run: Run) -> ReturnToSpot:
    """Return how the run returns to spot."""
    return run.policy.deadline.return_to_spot if run.policy.deadline else ReturnToSpot.NEVER


def seconds_waited(attempt: Attempt, now: datetime) -> float:
    """Return how long an attempt has been waiting for capacity without a break."""
    return (now - (attempt.waiting_since or now)).total_seconds()
