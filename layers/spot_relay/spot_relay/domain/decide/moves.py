"""What follows when a user moves an open run to another market now.

On-demand the run stays until it is moved back. On spot the ladder and the deadline decide again, from the next attempt
on. A live job is stopped as for any switch: the next attempt continues once that job is described as ended.
"""

from __future__ import annotations

from datetime import datetime

from spot_relay.domain.decide.launch_answers import move_attempt
from spot_relay.domain.decide.markets import switch
from spot_relay.domain.decide.steps import CHECK_SOON, Decision, change, give_up_canary, launch_again, unchanged
from spot_relay.domain.rules.after_end import check_relaunch
from spot_relay.domain.rules.money import check_money
from spot_relay.domain.rules.next_place import Onward, Place, affordable_on_demand, on_demand_places, spot_place
from spot_relay.domain.rules.pace import standing_of
from spot_relay.domain.run.attempt import Attempt, AttemptStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import Run, RunStatus
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.values import No, replace

# Where a run is, in words that follow "is".
_THERE = {Market.ON_DEMAND: "on-demand", Market.SPOT: "on spot"}


def move(run: Run, market: Market, now: datetime) -> Decision:
    """Continue an open run in a market: from a new attempt, or at once with one that has not been launched."""
    if no := _check_openness(run):
        return unchanged(run, no.because, rejected=True)
    attempt, heading = run.current, _heading_of(run)
    if heading is market:
        return _stay(run, attempt, market, now)
    place = _find_place(run, market, now)
    if isinstance(place, No):
        return unchanged(run, place.because, rejected=True)
    asked = f"A move to {market} was requested."
    match attempt.status:
        case AttemptStatus.PLANNED:
            return _relocate(run, attempt, place, asked, now)
        case AttemptStatus.ENDED:
            reason = f"{asked} Launching the next attempt within a minute."
            return change(replace(run, moved_to=market), now, reason, check_at=now)
        case AttemptStatus.IN_PROGRESS:
            return _leave(replace(run, moved_to=market), attempt, market, asked, now)


def _check_openness(run: Run) -> No | None:
    if run.has_ended:
        then = "" if run.status is RunStatus.COMPLETED else " Resume it first."
        return No(f"Only an open run can be moved, and this one is {run.status}.{then}")
    if run.stop_requested:
        return No("The run is being stopped. Resume it once it has stopped, then move it.")
    if run.current.gives_up:
        return No(f"{run.current.job_name} could not be created, and the run is about to fail. Resume it then.")
    return None


def _heading_of(run: Run) -> Market | None:
    """Return the market that the run is in, or on its way to; None if that is still to be decided."""
    attempt = run.current
    if attempt.status is AttemptStatus.ENDED:
        return run.moved_to
    return attempt.switch_to or attempt.placement.market


def _stay(run: Run, attempt: Attempt, market: Market, now: datetime) -> Decision:
    """Leave a run where it is, or is going, and only change whether the policy may take it elsewhere."""
    is_moving = attempt.status is AttemptStatus.IN_PROGRESS and attempt.switch_to is not None
    where = f"The run is already being moved to {market}" if is_moving else f"The run is already {_THERE[market]}"
    keeps = market is Market.ON_DEMAND
    if keeps == (run.moved_to is Market.ON_DEMAND):
        return unchanged(run, f"{where}.")
    if not keeps:
        return change(replace(run, moved_to=None), now, f"{where}, and from now on its policy decides again.")
    kept, stopping = give_up_canary(replace(run, moved_to=market))
    # A job that trains on spot is left alone by a switch that the deadline requires, and by this one it is not.
    again = Outbox(stop=attempt.job_name) if is_moving else Outbox()
    return change(kept, now, f"{where}, and stays there from now on.", stopping.then(again))


def _leave(run: Run, attempt: Attempt, market: Market, asked: str, now: datetime) -> Decision:
    stopping = Outbox()
    if market is Market.ON_DEMAND:
        run, stopping = give_up_canary(run)
    reason = f"{asked} Stopping {attempt.job_name} to continue {_THERE[market]}."
    steering = switch(run, attempt, market, reason)
    return change(steering.run, now, steering.reason, stopping.then(steering.owes), check_at=now + CHECK_SOON)


def _relocate(run: Run, attempt: Attempt, place: Place, asked: str, now: datetime) -> Decision:
    """Move an attempt that is not known to exist, and launch it; if it exists after all, it has to switch."""
    market = place.placement.market
    moved = replace(move_attempt(run, attempt, Onward(place, Cause.MOVED), now), switch_to=market)
    run = replace(run, moved_to=Market.ON_DEMAND if market is Market.ON_DEMAND else None)
    if run.waits_to_begin:
        begins = f"{asked} {attempt.job_name} will be launched on {place.placement} when the run begins."
        return change(run.with_attempt(moved), now, begins)
    return launch_again(run, moved, now, f"{asked} Launching {attempt.job_name} on {place.placement} instead.")


def _find_place(run: Run, market: Market, now: datetime) -> Place | No:
    """Return where the run continues in a market, or why it cannot."""
    if run.current.status is not AttemptStatus.PLANNED and (no := check_relaunch(run)):
        return no
    place = _find_spot(run, now) if market is Market.SPOT else _find_on_demand(run, now)
    if isinstance(place, Place) and (no := check_money(run, place.placement, now)):
        return No(f"{no.because} An open run has to be stopped before it can be resumed.")
    return place


def _find_spot(run: Run, now: datetime) -> Place | No:
    place, standing = spot_place(run), standing_of(run, now)
    if place is None:
        return No(
            "The run has no placement on spot that SageMaker accepts. To train on spot, submit the spec under another "
            "name with a spot rung in its ladder."
        )
    if standing is not None and not standing.leaves_time_for_spot:
        return No("The deadline leaves no time to wait for spot. Change it or remove it, then move the run.")
    return place


def _find_on_demand(run: Run, now: datetime) -> Place | No:
    """Return the place on-demand that the run can pay for, or else the one whose price it cannot pay."""
    if place := affordable_on_demand(run, now):
        return place
    closed = ", ".join(map(str, run.closed))
    refused = No(
        f"SageMaker refuses every placement of this run on-demand for good (tried: {closed}). Ask AWS to raise the "
        "quota, then stop and resume the run."
    )
    return next(iter(on_demand_places(run)), refused)
