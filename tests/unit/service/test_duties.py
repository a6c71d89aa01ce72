"""Duties that do not depend on each other: one that fails keeps none of the others from being done."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from spot_relay.domain.run.attempt import AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.outbox import Outbox, Room
from spot_relay.domain.sagemaker.job import Market, Placement, Pool
from tests.fakes import NOON, MemoryTrainingJobs, MemoryWakeups
from tests.unit.worlds import World, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

POOLS = [Pool(kind, Market.SPOT) for kind in ("ml.m5.xlarge", "ml.g5.2xlarge", "ml.p3.2xlarge")]


@dataclass
class DeafQueue(MemoryWakeups):
    """A queue that does not take the news for one run."""

    deaf_to: str = "waits-for-0"

    def wake(self, run_id: str) -> None:
        if run_id == self.deaf_to:
            message = f"no news for {run_id}"
            raise ConnectionError(message)
        super().wake(run_id)


@dataclass
class Unstoppable(MemoryTrainingJobs):
    """A SageMaker that stops anything but one job."""

    lasting: str = "churn-relay-01"
    asked: list[str] = field(default_factory=list)

    def stop(self, job_name: str) -> None:
        self.asked.append(job_name)
        if job_name == self.lasting:
            message = f"no answer about {job_name}"
            raise ConnectionError(message)
        super().stop(job_name)


def owing() -> tuple[World, Run]:
    """A run that has a job and a canary to stop and room to tell of, and three others that wait for it."""
    world = World()
    world.jobs = Unstoppable(world.clock)
    world.wakeups = DeafQueue()
    world.service = replace(world.service, jobs=world.jobs, wakeups=world.wakeups)
    run = world.service.submit(submission())
    for number, pool in enumerate(POOLS):
        waits = replace(
            run.current, placement=Placement(pool.instance_type, 1, pool.market or Market.SPOT), waits_for_room=True
        )
        planned = run.with_attempt(replace(waits, status=AttemptStatus.PLANNED))
        world.store.runs[f"waits-for-{number}"] = replace(planned, id=f"waits-for-{number}")
    canary = Canary(1, "churn-canary-01", run.current.placement, NOON, 60, CanaryStatus.ENDED, arn="arn")
    owed = Outbox(freed=tuple(Room(pool) for pool in POOLS), stop="churn-relay-01", stop_canary="churn-canary-01")
    return world, replace(run.with_canary(canary), outbox=owed)


def test_a_stop_that_fails_keeps_neither_the_canary_from_being_stopped_nor_anyone_from_being_woken() -> None:
    world, run = owing()
    with pytest.raises(ConnectionError, match=r"^no answer about churn-relay-01$"):
        world.service._duties.perform(run, run.outbox)
    assert isinstance(world.jobs, Unstoppable)
    assert world.jobs.asked == ["churn-relay-01", "churn-canary-01"]
    assert world.wakeups.woken == ["waits-for-1", "waits-for-2"]


def test_news_that_does_not_reach_one_run_reaches_the_others_and_the_failure_is_raised_at_the_end() -> None:
    world, run = owing()
    with pytest.raises(ConnectionError, match=r"^no news for waits-for-0$"):
        world.service._duties.perform(run, Outbox(freed=run.outbox.freed))
    assert world.wakeups.woken == ["waits-for-1", "waits-for-2"]
