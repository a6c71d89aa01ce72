"""A function may die at any call: redelivery, or the tick alone, brings the run to where it would have been."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spot_relay.domain.run.run import RunStatus
from tests.unit.crashes import Grim, KilledError, guarded
from tests.unit.worlds import World, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.observation import JobChanged


def expired(world: World) -> JobChanged:
    world.service.submit(submission())
    world.trains(1)
    world.checkpoint("a")
    world.jobs.becomes("churn-relay-01", "Stopped", "MaxWaitTimeExceeded", training_seconds=600, billable_seconds=200)
    return world.event(1, "Stopped", "MaxWaitTimeExceeded")


def calls_of_a_relaunch() -> list[str]:
    world = World()
    event = expired(world)
    grim = Grim()
    guarded(world, grim).advance("churn", event)
    return grim.calls


CALLS = calls_of_a_relaunch()


def loses_measures(call: int, *, after: bool) -> bool:
    """Whether the function dies in the instant between settling the relaunch and publishing its metrics."""
    settled = [number for number, name in enumerate(CALLS, 1) if name == "save"][1]
    published = CALLS.index("measure") + 1
    return (call == settled and after) or settled < call < published or (call == published and not after)


def check(world: World, *, measures_may_be_lost: bool) -> None:
    run = world.run()
    assert run.status is RunStatus.IN_PROGRESS
    assert [attempt.job_name for attempt in run.attempts] == ["churn-relay-01", "churn-relay-02"]
    assert run.spent.expired_waits == 1
    assert not run.outbox
    assert [request["TrainingJobName"] for request in world.jobs.requests] == ["churn-relay-01", "churn-relay-02"]
    assert world.live_jobs() == ["churn-relay-02"]
    assert world.documents.written["churn"]["attempts"][1]["status"] == "InProgress"
    assert world.telemetry.total("TrainingSeconds") in {600, 0 if measures_may_be_lost else 600}


def test_a_relaunch_makes_at_most_eleven_calls_to_aws() -> None:
    # Without a limit of the stack, "limit", "take" and "give_back" call nothing.
    silent = {"log_decision", "measure", "limit", "take", "give_back"}
    assert [call for call in CALLS if call not in silent] == [
        "load",
        "describe",
        "find_newest",
        "save",
        "oldest_waiting",
        "create",
        "announce",
        "write",
        "save",
        "announce",
        "save",
    ]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(1, len(CALLS) + 1), ids=lambda n: f"{n}-{CALLS[n - 1]}")
def test_a_function_killed_at_any_call_loses_nothing_when_the_message_comes_again(call: int, after: bool) -> None:
    world = World()
    event = expired(world)
    with pytest.raises(KilledError):
        guarded(world, Grim(call, after=after)).advance("churn", event)
    world.clock.passes(360)
    world.advance(event)
    check(world, measures_may_be_lost=loses_measures(call, after=after))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", range(1, len(CALLS) + 1), ids=lambda n: f"{n}-{CALLS[n - 1]}")
def test_a_function_killed_at_any_call_loses_nothing_when_only_the_tick_follows(call: int, after: bool) -> None:
    world = World()
    event = expired(world)
    with pytest.raises(KilledError):
        guarded(world, Grim(call, after=after)).advance("churn", event)
    for _ in range(6):
        world.clock.passes(60)
        world.tick()
    check(world, measures_may_be_lost=loses_measures(call, after=after))
