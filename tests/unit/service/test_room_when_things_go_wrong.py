"""Lost messages, lost answers, crashes and lagging indexes: no room is lost, no slot leaks, no run waits for ever."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.rules.limits import Limits
from spot_relay.domain.run.observation import Due, JobChanged, RoomFreed
from spot_relay.domain.run.policy import Deadline, Policy, ReturnToSpot
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.fakes import NOON, MemoryRunStore, oldest_of
from tests.unit.crashes import Grim, KilledError, guarded
from tests.unit.crowds import M5, SPOT, Crowd
from tests.unit.worlds import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from spot_relay.domain.run.run import Run, Waiting
    from spot_relay.domain.sagemaker.job import Pool
    from spot_relay.service import Service

SHORTAGES = pytest.mark.parametrize(
    "short", [lambda: Crowd({SPOT: 1}), lambda: Crowd(limits=f"{M5}=1")], ids=["quota", "limit"]
)


# Messages that get lost


@SHORTAGES
def test_a_message_that_gets_lost_costs_the_oldest_a_minute(short: Callable[[], Crowd]) -> None:
    crowd = short()
    crowd.submit("first", "second", "third")
    crowd.ends("first")
    assert crowd.woken() == ["second"]
    crowd.world.clock.passes(60)
    crowd.world.tick()
    assert crowd.have_jobs() == ["second"]


@SHORTAGES
def test_if_no_message_ever_comes_every_run_has_its_turn_all_the_same(short: Callable[[], Crowd]) -> None:
    crowd = short()
    names = ["first", "second", "third", "fourth"]
    crowd.submit(*names)
    for name in names:
        for _ in range(60):
            if name in crowd.have_jobs():
                break
            crowd.world.clock.passes(60)
            crowd.world.tick()
            crowd.woken()
        assert crowd.have_jobs() == [name]
        crowd.ends(name)
        crowd.woken()
    assert crowd.all_ended()
    assert crowd.holders() == set()


def test_a_message_that_comes_twice_takes_no_room_twice() -> None:
    crowd = Crowd({SPOT: 1})
    crowd.submit("first", "second", "third")
    crowd.ends("first")
    for _ in range(3):
        crowd.world.service.advance("second", RoomFreed())
    crowd.deliver()
    assert crowd.have_jobs() == ["second"]
    assert len(crowd.jobs.requests) == 2


# News that crosses with the wait


@dataclass
class LateStore(MemoryRunStore):
    """A store whose index of waiting runs misses those that have begun to wait just now; and meddlers, before saves."""

    unseen: set[str] = field(default_factory=set)
    meddlers: list[Callable[[], Any]] = field(default_factory=list)

    def save(self, run: Run) -> Run:
        if self.meddlers:
            self.meddlers.pop(0)()
        return super().save(run)

    def oldest_waiting(self, *pools: Pool) -> dict[Pool, Waiting]:
        return oldest_of((run for name, run in self.runs.items() if name not in self.unseen), pools)


@SHORTAGES
def test_one_that_the_news_has_missed_because_it_had_just_begun_to_wait_asks_within_a_minute(
    short: Callable[[], Crowd],
) -> None:
    crowd = short()
    store = crowd.world.store = LateStore(crowd.world.store.runs)
    crowd.world.service = replace(crowd.world.service, store=store)
    crowd.submit("first", "second")
    store.unseen = {"second"}
    crowd.ends("first")
    assert crowd.woken() == []
    crowd.minutes(1)
    assert crowd.have_jobs() == ["second"]


@pytest.mark.parametrize("draw", [0.0, 0.999])
def test_one_that_is_put_in_the_queue_while_the_last_before_it_leaves_asks_within_three_minutes(draw: float) -> None:
    store = LateStore()
    crowd = Crowd({SPOT: 2}, world=World(store=store, draw=draw))
    crowd.submit("large", count=2)
    crowd.submit("second")
    crowd.ends("large")
    # Before "third" is saved as one that waits behind "second", that one is launched, and finds nobody to wake.
    store.meddlers = [lambda: crowd.world.service.advance("second", RoomFreed())]
    crowd.submit("third")
    assert (crowd.have_jobs(), crowd.refusal("third")) == (["second"], Refusal.QUEUED_BEHIND)
    assert crowd.deliver() == ["second"]
    crowd.minutes(3)
    assert crowd.have_jobs() == ["second", "third"]


def test_one_that_has_waited_for_longer_looks_rarely_by_itself() -> None:
    crowd = Crowd({SPOT: 1})
    crowd.submit("first", "second", "third")
    crowd.minutes(3)
    check_at = crowd.run("third").check_at
    assert check_at is not None
    assert check_at - crowd.world.clock() > timedelta(minutes=15)


# SageMaker that does not answer, or asks for patience


@pytest.mark.parametrize("hiccup", ["throttled", "down"])
def test_a_launch_that_is_put_off_for_other_reasons_keeps_its_turn_and_sends_nobody_else(hiccup: str) -> None:
    crowd = Crowd({SPOT: 1})
    crowd.submit("first", *(f"waits-{number}" for number in range(20)))
    crowd.ends("first")
    asked = len(crowd.jobs.asked)
    crowd.jobs.hiccups = [hiccup] * 100
    crowd.deliver()
    assert crowd.jobs.asked[asked:] == ["waits-0-relay-01"]
    crowd.minutes(10)
    assert {*crowd.jobs.asked[asked:]} == {"waits-0-relay-01"}
    assert len(crowd.jobs.asked[asked:]) <= 22
    crowd.jobs.hiccups = []
    crowd.minutes(2)
    assert crowd.have_jobs() == ["waits-0"]


@pytest.mark.parametrize("then", ["throttled", "down"])
def test_a_job_whose_answer_was_lost_keeps_its_slot_whatever_is_answered_next(then: str) -> None:
    crowd = Crowd(limits=f"{M5}=1")
    crowd.jobs.hiccups = ["lost", then]
    crowd.submit("first")
    crowd.world.clock.passes(15)
    crowd.world.tick()
    assert crowd.run("first").status is RunStatus.PENDING
    crowd.submit("second")
    assert crowd.refusal("second") is Refusal.LIMIT_REACHED
    crowd.minutes(2)
    assert crowd.have_jobs() == ["first"]
    assert crowd.holders() == {"first-relay-01"}


def test_a_run_that_got_no_answer_holds_no_slot_against_the_older_ones_that_it_waits_behind() -> None:
    crowd = Crowd(limits=f"{M5}=1")
    crowd.submit("older")
    crowd.ends("older", "Failed", failure_reason="CapacityError: none")
    # While the older run backs off, the younger one takes the slot, and then gets no answer, twice.
    crowd.jobs.hiccups = ["down", "down"]
    crowd.submit("younger")
    crowd.minutes(1)
    assert crowd.refusal("older") is Refusal.LIMIT_REACHED
    assert crowd.holders() == {"younger-relay-01"}
    crowd.minutes(2)
    assert crowd.have_jobs() == ["older"]
    assert crowd.holders() == {"older-relay-02"}
    assert crowd.refusal("younger") in {Refusal.QUEUED_BEHIND, Refusal.LIMIT_REACHED}


def test_a_run_that_got_no_answer_and_is_refused_then_gives_its_slot_to_the_next_at_once() -> None:
    crowd = Crowd(limits=f"{M5}=1")
    crowd.jobs.hiccups = ["down"]
    crowd.submit("first", "second")
    assert crowd.refusal("second") is Refusal.LIMIT_REACHED
    crowd.jobs.refusals = [(Refusal.INVALID, "the role can't be assumed")]
    crowd.world.clock.passes(15)
    crowd.world.tick()
    assert crowd.run("first").status is RunStatus.FAILED
    assert crowd.woken() == ["second"]
    assert crowd.holders() == set()


def test_a_run_that_got_no_answer_and_is_stopped_gives_its_slot_to_the_next_once_no_job_can_exist() -> None:
    crowd = Crowd(limits=f"{M5}=1")
    crowd.jobs.hiccups = ["down"]
    crowd.submit("first", "second")
    crowd.world.service.stop("first")
    assert crowd.holders() == {"first-relay-01"}
    crowd.world.clock.passes(300)
    crowd.world.service.advance("first", Due())
    assert crowd.run("first").status is RunStatus.STOPPED
    assert crowd.woken() == ["second"]
    assert crowd.holders() == set()


def test_a_job_without_a_slot_is_known_as_launched_even_if_others_have_taken_all_slots() -> None:
    crowd = Crowd()
    crowd.jobs.hiccups = ["lost"]
    crowd.submit("first")
    # An operator sets a limit only now.
    crowd.world.slots.limits = Limits.parse(f"{M5}=1")
    crowd.submit("second")
    assert crowd.holders() == {"second-relay-01"}
    crowd.minutes(1)
    assert crowd.run("first").status is RunStatus.IN_PROGRESS


def test_a_run_whose_last_launch_got_no_answer_does_not_go_elsewhere_while_its_job_may_exist() -> None:
    crowd = Crowd({SPOT: 1})
    deadline = Deadline(3600, within_seconds=3 * 3600, return_to_spot=ReturnToSpot.NEVER)
    crowd.submit("first")
    crowd.submit("urgent", policy=Policy(deadline=deadline))
    assert crowd.refusal("urgent") is Refusal.QUOTA_FULL
    crowd.quotas[SPOT] = 2
    crowd.jobs.hiccups = ["lost", *["down"] * 500]
    for _ in range(180):
        crowd.minutes(1)
        assert crowd.run("urgent").current.placement.market is Market.SPOT
    assert sorted(crowd.have_jobs()) == ["first", "urgent"]


# Crashes


def calls_of(act: Callable[[Any], Any], made: Callable[[], Crowd]) -> list[str]:
    """The calls through all ports that a function makes."""
    grim = Grim()
    act(guarded(made().world, grim))
    return grim.calls


def one_has_ended() -> Crowd:
    """A crowd in which a job has ended, and nobody knows."""
    crowd = Crowd({SPOT: 1}, limits=f"{M5}=1")
    crowd.submit("first", "second", "third")
    crowd.jobs.becomes("first-relay-01", "Completed", "Completed")
    return crowd


def end_of_first(service: Service) -> Any:
    return service.advance("first", JobChanged(1, "Completed", "Completed", NOON + timedelta(seconds=3)))


def room_for_two() -> Crowd:
    """A crowd in which the one that was woken will find room for itself and for the next."""
    crowd = Crowd({SPOT: 2}, limits=f"{M5}=2")
    crowd.submit("large", count=2)
    crowd.submit("second", "third")
    crowd.ends("large")
    assert crowd.woken() == ["second"]
    return crowd


def news_for_second(service: Service) -> Any:
    return service.advance("second", RoomFreed())


ENDING, WAKING = calls_of(end_of_first, one_has_ended), calls_of(news_for_second, room_for_two)
CRASHES = [
    pytest.param(made, act, call, after, id=f"{act.__name__}-{call}-{'after' if after else 'before'}-{calls[call - 1]}")
    for made, act, calls in ((one_has_ended, end_of_first, ENDING), (room_for_two, news_for_second, WAKING))
    for call in range(1, len(calls) + 1)
    for after in (False, True)
]


def test_the_calls_at_which_functions_are_killed_free_wake_and_launch() -> None:
    assert {"give_back", "wake", "save"} <= {*ENDING}
    assert {"take", "create", "wake", "save"} <= {*WAKING}


@pytest.mark.parametrize(("made", "act", "call", "after"), CRASHES)
def test_a_function_killed_at_any_call_wakes_whom_it_owes_it_when_the_message_comes_again(
    made: Callable[[], Crowd], act: Callable[[Any], Any], call: int, after: bool
) -> None:
    crowd = made()
    with pytest.raises(KilledError):
        act(guarded(crowd.world, Grim(call, after=after)))
    crowd.world.clock.passes(1)
    act(crowd.world.service)
    heard = crowd.deliver()
    assert "third" in heard
    last = "third" if made is room_for_two else "second"
    assert crowd.have_jobs() == (["second", "third"] if last == "third" else ["second"])
    check(crowd)


@pytest.mark.parametrize(("made", "act", "call", "after"), CRASHES)
def test_a_function_killed_at_any_call_loses_no_room_when_only_the_tick_follows(
    made: Callable[[], Crowd], act: Callable[[Any], Any], call: int, after: bool
) -> None:
    crowd = made()
    with pytest.raises(KilledError):
        act(guarded(crowd.world, Grim(call, after=after)))
    crowd.minutes(7)
    assert crowd.have_jobs() == (["second", "third"] if made is room_for_two else ["second"])
    check(crowd)


def check(crowd: Crowd) -> None:
    """Check that each job was created once, and that slots are held by living jobs alone."""
    names = [request["TrainingJobName"] for request in crowd.jobs.requests]
    assert len(names) == len({*names})
    assert crowd.holders() == {*crowd.jobs.live()}
