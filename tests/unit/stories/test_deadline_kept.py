"""Whatever becomes of spot capacity and of events, a run that needs no more than it said is done by its deadline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.run.observation import CanaryChanged
from spot_relay.domain.run.policy import Budgets, ReturnToSpot
from spot_relay.domain.run.run import MAX_ATTEMPTS, RunStatus
from spot_relay.domain.sagemaker.job import Market, parse_attempt_name, parse_canary_name
from tests.thoroughness import examples
from tests.unit.worlds import World, deadline, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

pytestmark = pytest.mark.slow
WORK = 8 * 3600
MINUTE = 60


@dataclass
class Job:
    """A job under way: in which phase, for how many minutes, and with how much training behind it, in seconds."""

    spot: bool
    phase: str = "Starting"
    minutes: int = 0
    trained: int = 0
    kept: int = 0


@dataclass
class Stage:
    """Plays SageMaker minute by minute: spot capacity comes and goes, events may get lost, on-demand is always there.

    A start takes two minutes, a stop two, and a checkpoint is written after every five minutes of training.
    """

    capacity: list[bool]
    lost: list[bool]
    world: World = field(default_factory=World)
    playing: dict[str, Job] = field(default_factory=dict)
    kept: int = 0
    minute: int = 0

    def play(self, seconds: int, way: ReturnToSpot) -> Run:
        policy = deadline(
            seconds,
            expected_runtime_seconds=WORK,
            return_to_spot=way,
            budgets=Budgets(expired_waits=0, attempts_without_progress=99),
        )
        self.world.service.submit(submission(policy, StoppingCondition={"MaxRuntimeInSeconds": 2 * WORK}))
        while not self.world.run().has_ended and self.minute * MINUTE <= seconds:
            self.minute += 1
            self.world.clock.passes(MINUTE)
            for name in self.world.live_jobs():
                self._goes_on(name)
            self.world.tick()
            self._check()
        return self.world.run()

    def _goes_on(self, name: str) -> None:
        spot = parse_canary_name(name) is not None or self._attempt(name).placement.market is Market.SPOT
        job = self.playing.setdefault(name, Job(spot, trained=self.kept, kept=self.kept))
        job.minutes += 1
        there = not job.spot or self.capacity[self.minute // 10 % len(self.capacity)]
        if self.world.jobs.jobs[name].status == "Stopping":
            self._stops(name, job)
        elif job.phase in {"Starting", "Interrupted"}:
            if there:
                self._becomes(name, job, "Downloading")
        elif not there:
            job.trained = job.kept
            self._becomes(name, job, "Interrupted")
        elif job.phase == "Downloading":
            if job.minutes >= 2:
                self._becomes(name, job, "Training", training_started_at=self.world.clock())
        else:
            self._trains(name, job)

    def _trains(self, name: str, job: Job) -> None:
        job.trained += MINUTE
        if parse_canary_name(name):
            if job.minutes >= 10:
                self._becomes(name, job, "Completed", "Completed")
            return
        if job.minutes % 5 == 0:
            self.kept = job.kept = job.trained
            self.world.checkpoint(f"checkpoint-{self.minute}")
        if job.trained >= WORK:
            self._becomes(name, job, "Completed", "Completed")

    def _stops(self, name: str, job: Job) -> None:
        if job.phase != "Stopping":
            may_stop = not job.spot or job.phase != "Training" or parse_canary_name(name)
            assert may_stop, "a spot job that trains is never left"
            job.phase, job.minutes = "Stopping", 0
        elif job.minutes >= 2:
            self._becomes(name, job, "Stopped", "Stopped")

    def _becomes(self, name: str, job: Job, phase: str, status: str = "InProgress", **changes: Any) -> None:
        job.phase, job.minutes = phase, 0
        self.world.jobs.becomes(name, status, phase, **changes)
        if self.lost and self.lost.pop(0):
            return
        if canary := parse_canary_name(name):
            self.world.advance(CanaryChanged(canary[1], phase))
        else:
            self.world.advance(self.world.event(self._attempt(name).number, status, phase))

    def _attempt(self, name: str) -> Any:
        found = parse_attempt_name(name)
        assert found is not None
        return self.world.run().attempt(found[1])

    def _check(self) -> None:
        attempts = [name for name in self.world.live_jobs() if parse_attempt_name(name)]
        assert len(attempts) <= 1, "a run has at most one live attempt"
        names = [request["TrainingJobName"] for request in self.world.jobs.requests]
        assert len(names) == len(set(names)), "an attempt is created at most once"


capacities = st.lists(st.sampled_from([True, False, False]), min_size=1, max_size=40)
losses = st.lists(st.booleans(), max_size=60)


@examples(40)
@given(capacity=capacities, lost=losses, slack=st.integers(600, 8 * 3600), way=st.sampled_from(ReturnToSpot))
def test_a_run_is_done_by_its_deadline(capacity: list[bool], lost: list[bool], slack: int, way: ReturnToSpot) -> None:
    run = Stage(capacity, lost).play(WORK + slack, way)
    assert run.status is RunStatus.COMPLETED, run.reason
    assert run.ended_at is not None
    assert run.deadline_at is not None
    assert run.ended_at <= run.deadline_at
    assert len(run.attempts) < MAX_ATTEMPTS


@examples(20)
@given(lost=losses, way=st.sampled_from(ReturnToSpot), slack=st.integers(3 * 3600, 8 * 3600))
def test_where_spot_is_always_there_a_run_has_no_other_attempt(lost: list[bool], way: ReturnToSpot, slack: int) -> None:
    run = Stage([True], lost).play(WORK + slack, way)
    assert [attempt.placement.market for attempt in run.attempts] == [Market.SPOT]
    assert run.status is RunStatus.COMPLETED


@examples(10)
@given(lost=losses, way=st.sampled_from(ReturnToSpot))
def test_where_spot_is_never_there_a_run_waits_and_then_stays_on_demand(lost: list[bool], way: ReturnToSpot) -> None:
    run = Stage([False], lost).play(WORK + 4 * 3600, way)
    assert run.status is RunStatus.COMPLETED
    markets = [attempt.placement.market for attempt in run.attempts]
    assert markets[:2] == [Market.SPOT, Market.ON_DEMAND]
    if way is not ReturnToSpot.BLIND:
        assert len(markets) == 2
