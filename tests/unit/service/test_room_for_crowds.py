"""Many runs and little room: few calls, nobody starves, no limit is passed, no slot leaks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.run.policy import Backoff, Budgets, Policy
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import parse_attempt_name
from tests.thoroughness import examples, share
from tests.unit.crowds import M5, ON_DEMAND, SPOT, Crowd

pytestmark = pytest.mark.slow
THOUSAND = [f"waits-{number:04d}" for number in range(1000)]


@pytest.fixture(params=share(["quota", "limit"]))
def crowd(request: pytest.FixtureRequest) -> Crowd:
    """One run that has the only room there is, and a thousand that want it."""
    crowd = Crowd({SPOT: 1}) if request.param == "quota" else Crowd(limits=f"{M5}=1")
    crowd.submit("first", *THOUSAND)
    return crowd


def test_a_thousand_runs_that_find_no_room_ask_sagemaker_once_a_minute_together(crowd: Crowd) -> None:
    assert len(crowd.jobs.asked) <= 2
    assert crowd.waiting() == THOUSAND
    crowd.minutes(45)
    assert len(crowd.jobs.asked) <= 2 + 45
    assert crowd.have_jobs() == ["first"]


def test_one_room_that_is_freed_costs_three_launches_within_the_next_minute_and_one_a_minute_then(crowd: Crowd) -> None:
    crowd.minutes(5)
    before = len(crowd.jobs.asked)
    crowd.ends("first")
    assert crowd.deliver() == THOUSAND[:2]
    assert len(crowd.jobs.asked) - before <= 2
    crowd.minutes(1)
    assert len(crowd.jobs.asked) - before <= 3
    crowd.minutes(30)
    assert len(crowd.jobs.asked) - before <= 2 + 31
    assert crowd.have_jobs() == THOUSAND[:1]
    assert crowd.waiting() == THOUSAND[1:]


def test_one_room_that_is_freed_while_sagemaker_is_busy_costs_no_more(crowd: Crowd) -> None:
    crowd.minutes(5)
    before = len(crowd.jobs.asked)
    crowd.ends("first")
    crowd.jobs.hiccups = ["throttled", "down", "throttled"]
    crowd.deliver()
    crowd.minutes(1)
    assert len(crowd.jobs.asked) - before <= 3
    crowd.minutes(9)
    assert len(crowd.jobs.asked) - before <= 3 + 2 * 9
    assert crowd.have_jobs() == THOUSAND[:1]


# Nobody starves


@dataclass(frozen=True)
class Wish:
    """A run that somebody will want: when, where, how many instances, and what its jobs will do."""

    minute: int
    on_demand: bool
    count: int
    minutes: int
    expires: int
    stopped_at: int | None


@dataclass
class Town:
    """Plays wishes over small quotas on a virtual clock, minute by minute; messages and answers may get lost."""

    wishes: list[Wish]
    quota: int
    limit: int | None
    seed: int
    losses: float
    now: int = 0
    left: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)  # noqa: S311
        limits = f"{M5}={self.limit}" if self.limit else ""
        self.crowd = Crowd({SPOT: self.quota, ON_DEMAND: self.quota}, limits)
        self.crowd.world.service = replace(self.crowd.world.service, draw=self.chance.random)

    def play(self) -> None:
        """Let minutes pass until all runs have ended, for some days at most."""
        policy = Policy(Budgets(expired_waits=50), Backoff(max_seconds=300))
        while self.now < 6000 and not (self.now > 60 and self.crowd.all_ended()):
            for number, wish in enumerate(self.wishes):
                name = f"run-{number}"
                if wish.minute == self.now:
                    submit = self.crowd.on_demand if wish.on_demand else self.crowd.submit
                    submit(name, policy=policy, count=wish.count)
                if wish.stopped_at == self.now and wish.minute < self.now and not self.crowd.run(name).has_ended:
                    self.crowd.world.service.stop(name)
            self._minute()
            self.now += 1

    def _minute(self) -> None:
        crowd, world = self.crowd, self.crowd.world
        world.clock.passes(60)
        if not crowd.jobs.hiccups and self.chance.random() < self.losses:
            crowd.jobs.hiccups = [self.chance.choice(["throttled", "down", "lost"])]
        for job_name in crowd.jobs.live():
            self._job_lives(job_name)
        world.tick()
        world.wakeups.woken = [name for name in world.wakeups.woken if self.chance.random() >= self.losses]
        crowd.deliver()

    def _job_lives(self, job_name: str) -> None:
        named = parse_attempt_name(job_name)
        assert named is not None
        name, number = named
        wish = self.wishes[int(name.partition("-")[2])]
        self.left[job_name] = self.left.get(job_name, wish.minutes) - 1
        if self.crowd.jobs.jobs[job_name].status == "Stopping":
            self.crowd.jobs.becomes(job_name, "Stopped", "Stopped")
        elif self.left[job_name] <= 0 and number <= wish.expires and not wish.on_demand:
            self.crowd.jobs.becomes(job_name, "Stopped", "MaxWaitTimeExceeded")
        elif self.left[job_name] <= 0:
            self.crowd.jobs.becomes(job_name, "Completed", "Completed")
        else:
            return
        if self.chance.random() >= self.losses and self.crowd.run(name).current.job_name == job_name:
            self.crowd.tell(name)


@st.composite
def towns(draw: st.DrawFn) -> Town:
    """A town of up to ten wishes, each of which fits the quota when nothing else runs."""
    quota = draw(st.integers(1, 3))
    wish = st.builds(
        Wish,
        minute=st.integers(0, 30),
        on_demand=st.booleans(),
        count=st.integers(1, quota),
        minutes=st.integers(1, 40),
        expires=st.integers(0, 3),
        stopped_at=st.none() | st.none() | st.integers(1, 90),
    )
    return Town(
        wishes=draw(st.lists(wish, min_size=1, max_size=10)),
        quota=quota,
        limit=draw(st.none() | st.integers(1, 3)),
        seed=draw(st.integers(0, 10_000)),
        losses=draw(st.sampled_from([0.0, 0.0, 0.1, 0.3])),
    )


@examples(60)
@given(town=towns())
def test_every_run_has_its_turn_no_limit_is_ever_passed_and_no_slot_is_left_behind(town: Town) -> None:
    # That neither quota nor limit is passed at any moment is checked with every job that is created.
    town.play()
    for number, wish in enumerate(town.wishes):
        run = town.crowd.run(f"run-{number}")
        assert run.status is RunStatus.COMPLETED or (wish.stopped_at and run.status is RunStatus.STOPPED), run
    assert town.crowd.jobs.live() == []
    assert town.crowd.holders() == set()


@examples(30)
@given(town=towns())
def test_where_nothing_gets_lost_no_room_stays_empty_for_longer_than_a_minute(town: Town) -> None:
    town.losses = 0
    town.wishes = [replace(wish, expires=0, stopped_at=None, count=1, on_demand=False) for wish in town.wishes]
    idle = 0
    for _ in range(600):
        for number, wish in enumerate(town.wishes):
            if wish.minute == town.now:
                town.crowd.submit(f"run-{number}")
        town._minute()
        town.now += 1
        room = min(town.quota, town.limit or town.quota) - len(town.crowd.have_jobs())
        idle = idle + 1 if room and town.crowd.waiting() else 0
        assert idle <= 1
    assert town.crowd.all_ended()
