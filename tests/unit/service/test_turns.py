"""A launch awaits its turn: briefly in the function, or until the run is looked at again, and nobody polls."""

from __future__ import annotations

from datetime import timedelta

import pytest

from spot_relay.domain.rules.turns import LATEST, LEAD, Lane, LaunchRate
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.observation import Due, Refused, RoomFreed
from spot_relay.domain.run.run import TICK, RunStatus
from spot_relay.domain.sagemaker.refusal import Refusal
from tests.fakes import NOON, MemoryTurns
from tests.unit.crowds import SPOT, Crowd
from tests.unit.worlds import World, deadline, submission


def paced(per_second: float = 1, taken: int = 0) -> World:
    """A world whose stack launches so often, and where so many turns are taken."""
    world = World(turns=MemoryTurns(LaunchRate(per_second)))
    for number in range(taken):
        world.service.submit(submission(name=f"before-{number}", CheckpointConfig=None))
    world.wakeups.looks.clear()
    world.pauses.clear()
    return world


def test_a_launch_waits_in_the_function_for_a_turn_that_comes_soon() -> None:
    world = paced(taken=1)
    run = world.service.submit(submission())
    assert run.status is RunStatus.IN_PROGRESS
    assert world.pauses == pytest.approx([1.05])
    assert world.wakeups.looks == []


def test_a_launch_whose_turn_comes_later_is_put_off_until_then_and_says_so() -> None:
    world = paced(taken=3)
    run = world.service.submit(submission())
    assert (run.status, run.current.status) == (RunStatus.PENDING, AttemptStatus.PLANNED)
    turn = run.current.turn_at
    assert turn is not None
    assert turn == NOON + timedelta(seconds=3.15)
    assert run.check_at == turn + TICK, "the message may be lost"
    assert "other launches come first. churn-relay-01 is launched at 2026-11-23 12:00:03 UTC." in run.reason
    assert run.current.refusals == 0, "it was not refused by SageMaker"
    assert world.wakeups.looks == [("churn", turn - LEAD - NOON)]
    assert world.pauses == []


def test_a_turn_that_the_tick_finds_in_time_needs_no_message() -> None:
    world = paced(per_second=0.02, taken=3)
    run = world.service.submit(submission())
    assert run.current.turn_at == NOON + timedelta(seconds=157.5)
    assert run.check_at == run.current.turn_at - LEAD
    assert world.wakeups.looks == []


def test_a_run_that_is_looked_at_when_its_turn_comes_is_launched_with_no_new_turn() -> None:
    world = paced(taken=5)
    run = world.service.submit(submission())
    assert run.current.turn_at is not None
    taken = world.turns.taken
    world.clock.now = run.current.turn_at - LEAD
    run = world.advance(Due())
    assert (run.status, run.current.turn_at) == (RunStatus.IN_PROGRESS, None)
    assert world.turns.taken == taken
    assert world.pauses == [LEAD.total_seconds()]


def test_launches_that_come_too_late_for_their_turns_take_others_and_do_not_meet() -> None:
    world = paced()
    for number in range(30):
        world.service.submit(submission(name=f"next-{number:02d}", CheckpointConfig=None))
    late = [run.id for run in world.store.runs.values() if run.current.turn_at and run.current.turn_at > NOON + LEAD]
    world.clock.passes(20)
    passed = [id_ for id_ in late if (turn := world.run(id_).current.turn_at) and turn < world.clock() - LATEST]
    assert len(passed) > 10
    for run_id in passed:
        world.service.advance(run_id, Due())
    launched = [run_id for run_id in passed if world.run(run_id).status is RunStatus.IN_PROGRESS]
    assert len(launched) <= 1 + LEAD / timedelta(seconds=1), "or SageMaker would throttle most of them"
    turns = [turn for run in world.store.runs.values() if (turn := run.current.turn_at)]
    assert min(turns) >= world.clock() - LATEST
    assert len({*turns}) == len(turns), "each has a turn of its own"
    assert all(world.run(run_id).current.refusals == 0 for run_id in passed), "SageMaker has refused none of them"


def test_a_launch_whose_messages_are_always_late_comes_all_the_same() -> None:
    world = paced(taken=5)
    world.service.submit(submission())
    for number in range(300):
        world.service.submit(submission(name=f"next-{number}", CheckpointConfig=None))
    turns = []
    while (turn := world.run().current.turn_at) is not None:
        turns.append(turn)
        world.clock.now = turn + timedelta(minutes=2)
        world.advance(Due())
    assert world.run().status is RunStatus.IN_PROGRESS
    assert len(turns) <= 2


def test_a_run_that_is_woken_before_its_turn_keeps_it() -> None:
    world = paced(taken=5)
    run = world.service.submit(submission())
    turn = run.current.turn_at
    world.clock.passes(1)
    again = world.service.submit(submission())
    assert again.current.turn_at == turn
    assert world.advance(Due()).current.turn_at == turn


def test_a_throttled_launch_has_used_its_turn_and_takes_one_that_is_kept_for_it() -> None:
    world = paced()
    world.jobs.refusals = [(Refusal.THROTTLED, "Rate exceeded.")]
    run = world.service.submit(submission())
    assert (run.current.turn_at, run.current.refusals) == (None, 1)
    for number in range(300):
        world.service.submit(submission(name=f"next-{number}", CheckpointConfig=None))
    world.draw = 0.0
    assert run.check_at is not None
    world.clock.now = run.check_at
    run = world.advance(Due())
    assert run.current.turn_at is not None
    assert timedelta() < run.current.turn_at - world.clock() < timedelta(seconds=11)


def test_the_head_of_a_queue_keeps_its_place_while_it_awaits_its_turn() -> None:
    crowd = Crowd({SPOT: 1})
    crowd.submit("first", "second", "third")
    world = crowd.world
    assert crowd.refusal("second") is Refusal.QUOTA_FULL
    assert crowd.run("second").waits_for == SPOT
    world.turns.rate = LaunchRate(0.1)
    world.turns.take(Lane.LINE, world.clock())
    world.service.advance("second", RoomFreed())
    assert crowd.refusal("second") is Refusal.AWAITS_TURN
    waits = crowd.run("second")
    assert waits.waits_for == SPOT
    world.service.advance("third", RoomFreed())
    assert crowd.refusal("third") is Refusal.QUEUED_BEHIND
    assert crowd.run("third").current.turn_at is None, "whoever is not first in the queue takes no turn"


def test_a_run_that_goes_on_demand_before_its_turn_keeps_the_turn() -> None:
    world = paced(per_second=0.01, taken=1)
    urgent = deadline(9000, changeover_seconds=60)
    run = world.service.submit(submission(urgent))
    turn = run.current.turn_at
    assert turn is not None
    world.clock.now = turn - LEAD
    run = world.advance(Due())
    assert run.current.turn_at is None
    assert world.live_jobs() == ["before-0-relay-01", "churn-relay-01"]


def test_a_stop_is_final_although_the_turn_comes_later() -> None:
    world = paced(taken=5)
    world.service.submit(submission())
    world.service.stop("churn")
    world.passes(360)
    assert world.run().status is RunStatus.STOPPED
    assert "churn-relay-01" not in world.jobs.jobs


def test_an_attempt_keeps_its_slot_until_its_turn_comes() -> None:
    crowd = Crowd(limits="*=1")
    crowd.world.turns.rate = LaunchRate(0.1)
    crowd.world.turns.take(Lane.LINE, crowd.world.clock())
    crowd.submit("first", "second")
    answer = crowd.service.answers["first"]
    assert isinstance(answer, Refused)
    assert answer.refusal is Refusal.AWAITS_TURN
    assert crowd.refusal("second") is Refusal.LIMIT_REACHED
    assert crowd.holders() == {"first-relay-01"}
