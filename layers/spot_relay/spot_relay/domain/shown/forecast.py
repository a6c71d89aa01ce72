"""What is likely to happen to a run: what is decided next, and when it finishes. By the rules that decide it."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain, pairwise
from typing import TYPE_CHECKING

from spot_relay.domain.rules.after_end import relaunch_after
from spot_relay.domain.rules.money import check_money
from spot_relay.domain.rules.next_place import choose_place
from spot_relay.domain.rules.pace import standing_of
from spot_relay.domain.rules.predecessors import describe_place
from spot_relay.domain.rules.switches import may_go_on_demand, may_return, seconds_waited, way_of
from spot_relay.domain.run.attempt import Attempt, AttemptStatus, CanaryStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.life import phases_of
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.sagemaker.phase import Stage
from spot_relay.domain.sagemaker.request import limit_wait
from spot_relay.domain.values import No, as_sentence, dataclass, replace

if TYPE_CHECKING:
    from spot_relay.domain.rules.pace import Standing
    from spot_relay.domain.run.run import Run

# A history shorter than this says little about how much time is lost per hour of training.
_SHORTEST_HISTORY_SECONDS = 1800.0
_WAITS = frozenset({Stage.WAITING, Stage.INTERRUPTED})
_GOES_ON_DEMAND = "Continues on-demand unless {capacity} before then."


class NextAction(StrEnum):
    """What may happen to a run next."""

    LAUNCH = "launch"
    """An attempt is launched: the first, a relaunch, or one that waits for room."""
    GO_ON_DEMAND = "go_on_demand"
    LOOK_FOR_SPOT = "look_for_spot"
    """A canary is sent."""
    RETURN_TO_SPOT = "return_to_spot"
    COMPLETE = "complete"
    STOP = "stop"
    FAIL = "fail"


@dataclass(frozen=True)
class Next:
    """What is decided next as far as is known, and on which condition."""

    action: NextAction
    at: datetime | None
    """When; None if it depends on something else than time."""
    reason: str
    """In a sentence, with the condition."""


@dataclass(frozen=True)
class Finish:
    """When a run completes. What is None is not known."""

    earliest: datetime
    """If nothing delays it from now on."""
    likely: datetime | None
    """If as much of its time is lost as until now, and capacity takes as long to come."""
    latest: datetime | None
    """By its deadline, as long as on-demand capacity is there when it is needed."""


def foretell_next(run: Run, now: datetime) -> Next | None:
    """Return what is decided next about a run; None once it has ended."""
    attempt = run.current
    if run.has_ended:
        return None
    if run.stop_requested:
        return _foretell_stop(run, attempt)
    if run.waits_to_begin:
        return _foretell_begin(run, attempt, now)
    match attempt.status:
        case AttemptStatus.PLANNED:
            return _foretell_launch(run, attempt, now)
        case AttemptStatus.ENDED:
            return _foretell_relaunch(run, run.check_at or now, "after a backoff")
        case AttemptStatus.IN_PROGRESS if attempt.switch_to is not None:
            action = NextAction.GO_ON_DEMAND if attempt.switch_to is Market.ON_DEMAND else NextAction.RETURN_TO_SPOT
            where = "on-demand" if attempt.switch_to is Market.ON_DEMAND else "on spot"
            return Next(action, None, f"Continues {where} once SageMaker has stopped {attempt.job_name}.")
        case AttemptStatus.IN_PROGRESS if attempt.placement.market is Market.ON_DEMAND:
            return _foretell_on_demand(run, attempt, now)
        case AttemptStatus.IN_PROGRESS if attempt.waiting_since is not None:
            return _foretell_wait(run, attempt, now)
        case _:
            return _foretell_training(run, now)


def foretell_finish(run: Run, now: datetime) -> Finish | None:
    """Return when a run completes; None if it says nothing about how long it trains, or waits for another run."""
    standing, attempt = standing_of(run, now), run.current
    if standing is None or run.has_ended or run.stop_requested or (run.waits_to_begin and run.open_predecessors):
        return None
    begins = run.start.earliest(now) if run.waits_to_begin else now
    flight = _in_flight(attempt, now)
    left = max(0.0, standing.work - (flight or 0.0))
    earliest = begins + timedelta(seconds=round(left))
    on_demand = attempt.placement.market is Market.ON_DEMAND
    is_safe = standing.time >= left and (on_demand or may_go_on_demand(run, now))
    latest = run.deadline_at if is_safe else None
    likely = _foretell_likely(run, standing, flight, left, now)
    if likely is not None:
        likely = max(earliest, likely if latest is None else min(likely, latest))
    return Finish(earliest, likely, latest)


def foretell_demand(run: Run, now: datetime) -> datetime | None:
    """Return when a run on spot goes on-demand if it has no capacity from now on; None if no deadline asks for it."""
    standing, attempt = standing_of(run, now), run.current
    if standing is None or run.has_ended or run.stop_requested or run.waits_to_begin:
        return None
    leaves = attempt.switch_to is not None or attempt.status is AttemptStatus.ENDED
    if leaves or attempt.placement.market is not Market.SPOT or not may_go_on_demand(run, now):
        return None
    return now + timedelta(seconds=round(standing.demand_in(seconds_waited(attempt, now))))


def _foretell_stop(run: Run, attempt: Attempt) -> Next:
    if attempt.status is AttemptStatus.PLANNED:
        return Next(NextAction.STOP, run.check_at, f"The run ends unless {attempt.job_name} turns out to exist.")
    return Next(NextAction.STOP, None, f"The run ends once SageMaker has stopped {attempt.job_name}.")


def _foretell_begin(run: Run, attempt: Attempt, now: datetime) -> Next:
    start, names, launches = run.start, run.open_predecessors, f"Launches {attempt.job_name}"
    later = start.at if start.at is not None and now < start.at else None
    conditions = [f"{', '.join(names)} {'has' if len(names) == 1 else 'have'} completed"] if names else []
    if start.at_most is not None and not run.is_copying:
        conditions.append(describe_place(start))
    if start.checkpoint:
        conditions.append(f"the checkpoints of {start.continue_from} are copied")
    if not conditions:
        return Next(NextAction.LAUNCH, later or run.check_at, f"{launches}.")
    once = f"once {', and '.join(conditions)}{', not earlier' if later else ''}"
    return Next(NextAction.LAUNCH, later, f"{launches} {once}.")


def _foretell_launch(run: Run, attempt: Attempt, now: datetime) -> Next:
    name, pool = attempt.job_name, run.waits_for
    if attempt.gives_up:
        return Next(NextAction.FAIL, run.check_at, f"The run fails unless {name} turns out to exist.")
    if pool is not None:
        demand_at = foretell_demand(run, now) if attempt.refusals == 0 else None
        if demand_at is not None:
            condition = _GOES_ON_DEMAND.format(capacity=f"there is room in {pool}")
            return Next(NextAction.GO_ON_DEMAND, demand_at, condition)
        return Next(NextAction.LAUNCH, None, f"Launches {name} once there is room in {pool}.")
    if attempt.turn_at is not None:
        return Next(NextAction.LAUNCH, attempt.turn_at, f"Launches {name}, when its turn comes.")
    launches = "Tries again to launch" if attempt.refusals else "Launches"
    return Next(NextAction.LAUNCH, run.check_at, f"{launches} {name}.")


def _foretell_relaunch(run: Run, at: datetime, when: str) -> Next:
    """Return what follows the end of the newest attempt, which is not decided yet."""
    onward = choose_place(run, Cause.of_end(run.current.outcome), at)
    if isinstance(onward, No):
        return Next(NextAction.FAIL, at, f"The run fails, {when}: {as_sentence(onward.because)}")
    if no := check_money(run, onward.place.placement, at):
        return Next(NextAction.FAIL, at, f"The run fails, {when}: {as_sentence(no.because)}")
    return Next(NextAction.LAUNCH, at, f"Launches the next attempt on {onward.place.placement}, {when}.")


def _foretell_wait(run: Run, attempt: Attempt, now: datetime) -> Next:
    """Return what ends a wait for spot capacity: the deadline, or the limit of the job itself."""
    demand_at = foretell_demand(run, now)
    limit = limit_wait(run.training_job, attempt.max_wait_seconds)
    gives_up_at = attempt.began_at + timedelta(seconds=limit)
    if demand_at is not None and demand_at <= gives_up_at:
        condition = _GOES_ON_DEMAND.format(capacity="spot capacity comes")
        return Next(NextAction.GO_ON_DEMAND, demand_at, condition)
    ended = replace(attempt, status=AttemptStatus.ENDED, outcome=Outcome.MAX_WAIT_TIME_EXCEEDED)
    after = run.with_attempt(ended)
    if isinstance(relaunch_after(after, ended), No):
        return Next(NextAction.FAIL, gives_up_at, "The run fails unless spot capacity comes before then.")
    return _foretell_relaunch(after, gives_up_at, "unless spot capacity comes before then")


def _foretell_training(run: Run, now: datetime) -> Next:
    finish = foretell_finish(run, now)
    lost = "If it loses its spot capacity, it waits for more"
    if foretell_demand(run, now) is not None:
        lost += ", as long as the deadline allows, and then continues on-demand"
    return Next(NextAction.COMPLETE, finish.likely if finish else None, f"Completes. {lost}.")


def _foretell_on_demand(run: Run, attempt: Attempt, now: datetime) -> Next:
    standing, canary = standing_of(run, now), run.canary_beside(attempt.number)
    seconds = standing.return_in(way_of(run)) if standing and may_return(run, attempt, now) else None
    if seconds is not None and canary is not None and canary.status is CanaryStatus.IN_PROGRESS:
        reason = f"Returns to spot once {canary.job_name} gets capacity. Until then it keeps training on-demand."
        return Next(NextAction.RETURN_TO_SPOT, None, reason)
    ends = canary is not None and canary.status is CanaryStatus.ENDED
    if seconds is not None and not ends:
        at, ahead = now + timedelta(seconds=round(seconds)), "if the run is ahead of its pace by then"
        if way_of(run) is ReturnToSpot.BLIND:
            return Next(NextAction.RETURN_TO_SPOT, at, f"Returns to spot, {ahead}.")
        return Next(NextAction.LOOK_FOR_SPOT, at, f"Looks for spot capacity with a canary, {ahead}.")
    finish = foretell_finish(run, now)
    return Next(NextAction.COMPLETE, finish.likely if finish else None, "Completes on-demand.")


def _in_flight(attempt: Attempt, now: datetime) -> float | None:
    """Return how long an attempt has trained since its newest counted training; None if it does not train."""
    phases = phases_of(attempt)
    if attempt.status is not AttemptStatus.IN_PROGRESS or not phases or phases[-1].stage is not Stage.TRAINING:
        return None
    began = attempt.planned_at + timedelta(seconds=phases[-1].begins)
    return max(0.0, (now - max(began, attempt.counted_until or began)).total_seconds())


def _foretell_likely(run: Run, standing: Standing, flight: float | None, left: float, now: datetime) -> datetime | None:
    """Return when a run completes if it fares as it has fared; None if it has not trained yet."""
    attempt, begun = run.current, _first_training(run)
    on_demand = attempt.placement.market is Market.ON_DEMAND
    wait = 0.0 if flight is not None else standing.changeover
    if not on_demand and (attempt.status is not AttemptStatus.IN_PROGRESS or attempt.waiting_since is not None):
        waited = _mean_wait(run)
        if waited is None:
            return None
        wait += max(0.0, waited - seconds_waited(attempt, now))
    if on_demand:
        return now + timedelta(seconds=round(wait + left))
    if begun is None:
        return None
    gained = run.progress_seconds + (flight or 0.0)
    lost = max(0.0, (now - begun).total_seconds() - gained)
    stretched = left * (1 + lost / max(gained, _SHORTEST_HISTORY_SECONDS))
    return now + timedelta(seconds=round(wait + stretched))


def _first_training(run: Run) -> datetime | None:
    # Attempts come one after another, so the first that is found is the first of all.
    starts = (
        attempt.planned_at + timedelta(seconds=phase.begins)
        for attempt in run.attempts
        for phase in phases_of(attempt)
        if phase.stage is Stage.TRAINING
    )
    return next(starts, None)


def _mean_wait(run: Run) -> float | None:
    """Return how long the run's own waits for spot capacity took until it came, on average."""
    lives = (phases_of(attempt) for attempt in run.attempts if attempt.placement.market is Market.SPOT)
    waits = [
        phase.ends - phase.begins
        for phase, after in chain.from_iterable(map(pairwise, lives))
        if phase.stage in _WAITS and phase.ends is not None and after.stage is not Stage.STOPPING
    ]
    return sum(waits) / len(waits) if waits else None
