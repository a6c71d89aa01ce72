"""Play a run forward, from its submission to its end, through the decisions that a real run goes through."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from spot_relay.domain.decide.decision import decide, settle
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.decide.looks import attempt_to_look_at, canary_to_look_at, needs_checkpoint
from spot_relay.domain.plan.jobs import Luck, PlayedJob, describe_canary, launch_job
from spot_relay.domain.rules.pace import standing_of
from spot_relay.domain.run.observation import CanaryChanged, CanaryCreated, Due, Launched
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import TICK
from spot_relay.domain.sagemaker.job import Checkpoint, Market
from spot_relay.domain.values import dataclass, replace

if TYPE_CHECKING:
    from spot_relay.domain.run.observation import Observation
    from spot_relay.domain.run.run import Run

# Nothing is lost in these worlds, so periodic checks would find nothing. The checks that rules ask for come anyway.
_NOTHING_KNOWN = Facts(Due(), check_every=timedelta(days=28))
# Far more than 50 attempts take.
_MOST_STEPS = 5_000


@dataclass(frozen=True)
class Work:
    """What a run needs: its training, and what each start takes before it trains; in seconds."""

    training: float
    startup: float


@dataclass(frozen=True)
class _World:
    """A run that is played, and what surrounds it at a moment."""

    run: Run
    luck: Luck
    work: Work
    moment: datetime
    jobs: dict[str, PlayedJob] = field(default_factory=dict)
    saved_at: datetime | None = None
    """When the newest checkpoint was written."""


def play(accepted: Run, luck: Luck, work: Work) -> Run:
    """Return an accepted run as it ends with this luck, or as far as it was played.

    It never waits for room or for a turn to launch. It is looked at no sooner than a tick could.
    """
    world = _perform(_World(accepted, luck, work, accepted.updated_at), accepted.outbox)
    for _ in range(_MOST_STEPS):
        if world.run.has_ended:
            break
        world = _step(world)
    return world.run


def _step(world: _World) -> _World:
    """Let the next thing happen: an event of the newest job, or a look of the tick."""
    run = world.run
    job = world.jobs.get(run.current.job_name)
    event = job.next_event(world.moment) if job else None
    check_at = max(world.moment, run.check_at or world.moment) + TICK
    observation: Observation = Due()
    now = check_at
    if event is not None and event.at <= check_at:
        observation, now = event, event.at
    world = replace(world, moment=now, saved_at=_save(world, now))
    decision = decide(run, _gather(world, observation), now)
    return _perform(replace(world, run=decision.run), decision.owes)


def _gather(world: _World, observation: Observation) -> Facts:
    run, now = world.run, world.moment
    attempt = attempt_to_look_at(run, observation, now)
    job = world.jobs[attempt.job_name].describe(now) if attempt and attempt.job_name in world.jobs else None
    canary, found = canary_to_look_at(run, observation, now), None
    beside = None if canary is None else describe_canary(canary, world.luck)
    if needs_checkpoint(run, observation, job, now) and world.saved_at is not None:
        found = Checkpoint("newest", world.saved_at)
    return replace(_NOTHING_KNOWN, observation=observation, job=job, checkpoint=found, canary=beside)


def _save(world: _World, now: datetime) -> datetime | None:
    """Return when the newest checkpoint was written: each second of training is in one, unless it is lost."""
    job = world.jobs.get(world.run.current.job_name)
    if job is None or (world.luck is Luck.LOST and job.placement.market is Market.SPOT):
        return world.saved_at
    return job.saved_until(now) or world.saved_at


def _perform(world: _World, owed: Outbox) -> _World:
    """Perform what is owed, and what that leads to. No launch is refused."""
    while owed.acts:
        run, jobs = world.run, dict(world.jobs)
        answers: list[Observation] = []
        attempt = None if owed.launch is None else run.attempt(owed.launch)
        if attempt is not None:
            # The training that no checkpoint holds.
            work = world.work.training - run.progress_seconds
            jobs[attempt.job_name] = launch_job(
                run, attempt, world.luck, work, world.work.startup, _reclaimed_at(world), world.moment
            )
            answers.append(Launched(attempt.number, f"arn:{attempt.job_name}"))
        if owed.canary is not None and (canary := run.canary_beside(owed.canary)):
            status = describe_canary(canary, world.luck).secondary_status
            created = CanaryCreated(canary.number, f"arn:{canary.job_name}")
            answers.extend((created, CanaryChanged(canary.number, status)))
        if owed.stop in jobs:
            jobs[owed.stop] = jobs[owed.stop].stop(world.moment)
        settled = settle(run, tuple(answers), _NOTHING_KNOWN, world.moment)
        owed = settled.outbox
        world = replace(world, run=settled, jobs=jobs)
    return world


def _reclaimed_at(world: _World) -> datetime | None:
    """Return when a run that loses all its training loses its instances: when its deadline no longer allows it.

    While a job trains, no rule takes it off spot; to be told so late costs it the most that the deadline allows.
    If that time has passed, it loses them as soon as it trains.
    """
    standing = standing_of(world.run, world.moment)
    if standing is None:
        return None
    return world.moment + timedelta(seconds=standing.time - standing.work - standing.reserve)
