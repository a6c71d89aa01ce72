"""An event may come before the answer to a launch is saved: then the job is looked at, and not launched again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from spot_relay.domain.run.attempt import CanaryStatus
from spot_relay.domain.run.observation import Due
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.run import OUTBOX_PATIENCE, RunStatus
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.ports import UnansweredError
from tests.fakes import MemoryTrainingJobs, MemoryTurns
from tests.unit.canaries import CANARY, ahead
from tests.unit.worlds import World, submission

if TYPE_CHECKING:
    from collections.abc import Callable

    from spot_relay.domain.run.launch import Created, Launch
    from spot_relay.domain.run.run import Run
    from spot_relay.domain.sagemaker.job import Absent, Job
    from spot_relay.domain.sagemaker.refusal import NotCreated


@dataclass
class CountingTurns(MemoryTurns):
    """Turns that are counted."""

    count: int = 0

    def take(self, *asked: object) -> object:  # type: ignore[override]
        self.count += 1
        return super().take(*asked)  # type: ignore[arg-type]


@dataclass
class HastyJobs(MemoryTrainingJobs):
    """A SageMaker whose first event is handled before the function that called it goes on."""

    creates: list[str] = field(default_factory=list)
    hears: Callable[[], object] | None = None
    unanswered: bool = False

    def create(self, launch: Launch) -> Created | NotCreated:
        self.creates.append(launch.job_name)
        answer = super().create(launch)
        if (hears := self.hears) is not None:
            self.hears = None
            hears()
        return answer

    def find(self, launch: Launch) -> Job | Absent:
        if self.unanswered:
            raise UnansweredError("Rate exceeded", Refusal.THROTTLED)
        return super().find(launch)


@pytest.fixture
def world() -> World:
    world = World(turns=CountingTurns())
    world.jobs = HastyJobs(world.clock)
    world.service = replace(world.service, jobs=world.jobs)
    return world


def overtake(world: World, status: str = "InProgress", secondary: str = "Starting") -> HastyJobs:
    """Have the first event of the next job handled before its launch is saved."""
    assert isinstance(world.jobs, HastyJobs)
    world.jobs.hears = lambda: world.advance(world.event(1, status, secondary))
    return world.jobs


def turns_taken(world: World) -> int:
    assert isinstance(world.turns, CountingTurns)
    return world.turns.count


def test_a_job_whose_event_comes_before_its_launch_is_saved_is_created_once_in_one_turn(world: World) -> None:
    jobs = overtake(world)
    run = world.service.submit(submission())
    assert jobs.creates == ["churn-relay-01"]
    assert turns_taken(world) == 1
    assert (run.status, run.outbox) == (RunStatus.IN_PROGRESS, Outbox())
    assert run.current.arn == jobs.jobs["churn-relay-01"].arn
    assert world.telemetry.total("AttemptsLaunched") == 1


def test_a_function_that_dies_before_it_saves_a_launch_leaves_the_rest_to_the_event(world: World) -> None:
    jobs = overtake(world)

    def hear_and_die() -> None:
        world.advance(world.event(1, "InProgress", "Starting"))
        raise KeyboardInterrupt

    jobs.hears = hear_and_die
    with pytest.raises(KeyboardInterrupt):
        world.service.submit(submission())
    run = world.run()
    assert jobs.creates == ["churn-relay-01"]
    assert (run.status, replace(run.outbox, news=())) == (RunStatus.IN_PROGRESS, Outbox())
    world.clock.passes(OUTBOX_PATIENCE.total_seconds())
    world.advance(Due())
    assert world.run().outbox == Outbox()


def test_an_event_of_somebody_elses_job_leaves_the_launch_owed(world: World) -> None:
    run = owing_a_launch(world)
    assert isinstance(world.jobs, HastyJobs)
    world.jobs.creates.clear()
    world.advance(world.event(1, "InProgress", "Starting"))
    assert world.jobs.creates == [run.current.job_name], "what is owed is performed, as after any other observation"


def test_a_launch_is_tried_again_if_sagemaker_does_not_say_whether_there_has_been_one(world: World) -> None:
    jobs = overtake(world)
    jobs.unanswered = True
    run = world.service.submit(submission())
    assert jobs.creates == ["churn-relay-01", "churn-relay-01"]
    assert run.status is RunStatus.IN_PROGRESS
    assert len(jobs.requests) == 1


def test_a_stop_that_comes_with_the_event_stops_the_job(world: World) -> None:
    jobs = overtake(world)

    def stop_too() -> None:
        run = world.run()
        world.store.save(replace(run, stop_requested=True))
        world.advance(world.event(1, "InProgress", "Starting"))

    jobs.hears = stop_too
    run = world.service.submit(submission())
    assert jobs.creates == ["churn-relay-01"]
    assert run.status is RunStatus.STOPPING
    assert jobs.stopped[:1] == ["churn-relay-01"]


def test_a_canary_whose_event_comes_before_its_launch_is_saved_is_created_once() -> None:
    world = ahead()
    run = world.run()
    assert run.canary is not None
    jobs = HastyJobs(world.clock, world.jobs.jobs, world.jobs.tags)
    world.service = replace(world.service, jobs=jobs)
    planned = replace(run.canary, status=CanaryStatus.PLANNED, arn=None)
    world.store.save(replace(run.with_canary(planned), outbox=Outbox(canary=planned.number)))
    world.jobs = jobs
    run = world.canary_tells(2, "InProgress", "Starting")
    assert jobs.creates == []
    assert run.canary is not None
    assert (run.canary.status, run.canary.arn) == (CanaryStatus.IN_PROGRESS, jobs.jobs[CANARY].arn)
    assert run.outbox.canary is None


def owing_a_launch(world: World) -> Run:
    """A run that owes a launch, as its decision has saved it, and whose job does not exist."""
    run = world.service.submit(submission())
    world.jobs.jobs.clear()
    world.jobs.tags.clear()
    planned = replace(run.current, status=type(run.current.status).PLANNED, arn=None, launched_at=None)
    return world.store.save(replace(run.with_attempt(planned), outbox=Outbox(launch=1)))
