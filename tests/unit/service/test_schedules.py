"""Whatever becomes of the events on their way, the invariants hold and, once the tick has run, so does the outcome."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, replace
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.observation import JobChanged
from spot_relay.domain.run.policy import Budgets, Policy
from spot_relay.domain.run.run import RunStatus
from tests.thoroughness import examples
from tests.unit.worlds import World, submission

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from spot_relay.domain.run.run import Run

ENDS = {
    "completed": ("Completed", "Completed", {}),
    "wait expired": ("Stopped", "MaxWaitTimeExceeded", {}),
    "no capacity": ("Failed", "Failed", {"failure_reason": "CapacityError: Unable to provision."}),
    "service error": ("Failed", "Failed", {"failure_reason": "InternalServerError: We encountered"}),
    "user error": ("Failed", "Failed", {"failure_reason": "AlgorithmError: exit code 1"}),
    "stopped": ("Stopped", "Stopped", {}),
}
POLICY = Policy(budgets=Budgets(expired_waits=3, capacity_failures=3, service_errors=2, attempts_without_progress=1))


@dataclass(frozen=True)
class Life:
    """What becomes of one attempt's job: how it ends, whether it trains, and whether it leaves a checkpoint."""

    end: str
    trains: bool
    progresses: bool
    interruptions: int


@dataclass(frozen=True)
class Fate:
    """What becomes of one event: the delays, in seconds, of the times it is delivered; none if it is lost."""

    delays: tuple[int, ...]


PROMPT = Fate((0,))


@dataclass
class Theatre:
    """Plays the lives of a run's jobs on a virtual clock, delivers their events by their fates, and ticks."""

    lives: list[Life]
    fates: list[Fate]
    world: World = field(default_factory=World)
    plays: list[tuple[datetime, int, Callable[[], Any]]] = field(default_factory=list)
    order: count[int] = field(default_factory=count)
    states: list[Run] = field(default_factory=list)
    staged: int = 0

    def at(self, seconds: float, act: Callable[[], Any]) -> None:
        self.world.clock.passes(seconds)
        heapq.heappush(self.plays, (self.world.clock(), next(self.order), act))
        self.world.clock.passes(-seconds)

    def play(self) -> Run:
        """Let an hour and a half more than enough pass, then give the run as it ended."""
        self.world.service.submit(submission(POLICY))
        self._stage_new_jobs()
        for minute in range(1, 400):
            self.at(60 * minute, self.world.tick)
        while self.plays:
            self.world.clock.now, _, act = heapq.heappop(self.plays)
            act()
            self._stage_new_jobs()
            self._check()
        return self.world.run()

    def _stage_new_jobs(self) -> None:
        while self.staged < len(self.world.jobs.jobs):
            self.staged += 1
            self._stage(self.staged)
        self.states.append(self.world.run())

    def _stage(self, number: int) -> None:
        life = self.lives[min(number, len(self.lives)) - 1]
        moment = 10
        if life.trains:
            for _ in range(life.interruptions + 1):
                self._phase(moment, number, "InProgress", "Training", training_started_at=self.world.clock())
                self._phase(moment + 100, number, "InProgress", "Interrupted")
                moment += 200
        if life.trains and life.progresses:
            self.at(moment - 1, lambda: self.world.checkpoint(f"checkpoint-{number}"))
        status, secondary, more = ENDS[life.end]
        seconds = {"training_seconds": 100, "billable_seconds": 40} if life.trains else {}
        self._phase(moment, number, status, secondary, **more, **seconds)

    def _phase(self, seconds: float, number: int, status: str, secondary: str, **changes: Any) -> None:
        fate = self.fates.pop(0) if self.fates else PROMPT

        def happen() -> None:
            self.world.jobs.becomes(f"churn-relay-{number:02d}", status, secondary, **changes)
            event = JobChanged(number, status, secondary, self.world.clock())
            for delay in fate.delays:
                self.at(delay, lambda: self.world.service.advance("churn", event))

        self.at(seconds, happen)

    def _check(self) -> None:
        """Check what holds always, on the state just reached."""
        world, run = self.world, self.world.run()
        assert len(world.live_jobs()) <= 1, "a run has at most one live job"
        names = [request["TrainingJobName"] for request in world.jobs.requests]
        assert len(names) == len(set(names)), "an attempt is created at most once"
        assert run.has_ended or run.check_at is not None, "an open run is looked at again"
        assert all(a.status is AttemptStatus.ENDED for a in run.attempts[:-1]), "only the newest attempt may live"
        for name in ("expired_waits", "capacity_failures", "service_errors", "attempts_without_progress"):
            assert getattr(run.spent, name) <= getattr(POLICY.budgets, name), "a budget is never exceeded"
        for earlier, later in pairwise(self.states):
            told = replace(earlier, outbox=later.outbox, version=later.version)
            assert not earlier.has_ended or later == told, "a run that has ended stays as it is"
        self.states = self.states[-1:]


def outcome(run: Run) -> Any:
    """What a user would call the outcome: all but the times."""
    return (
        run.status,
        run.spent,
        [
            (a.job_name, a.outcome, a.training_seconds, a.billable_seconds, a.interruptions, a.failure_reason)
            for a in run.attempts
        ],
        [a.resumes_from.key if a.resumes_from else None for a in run.attempts],
    )


lives = st.lists(
    st.builds(Life, st.sampled_from(list(ENDS)), st.booleans(), st.booleans(), st.integers(0, 2)),
    min_size=1,
    max_size=6,
)
fates = st.lists(
    st.builds(Fate, st.lists(st.sampled_from([0, 0, 1, 90, 3000]), max_size=3).map(tuple)), min_size=0, max_size=40
)


@examples(150)
@given(lives=lives, fates=fates)
def test_shuffled_repeated_and_lost_events_change_nothing_but_time(lives: list[Life], fates: list[Fate]) -> None:
    disturbed = Theatre(lives, list(fates)).play()
    undisturbed = Theatre(lives, []).play()
    assert undisturbed.status in {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.STOPPED}
    assert outcome(disturbed) == outcome(undisturbed)


@examples(50)
@given(lives=lives)
def test_the_tick_alone_brings_every_run_to_its_end(lives: list[Life]) -> None:
    deaf = Theatre(lives, [Fate(())] * 200).play()
    assert outcome(deaf) == outcome(Theatre(lives, []).play())
