"""A function may die at any call: redelivery, or the tick alone, brings the run to where it would have been."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.run import RunStatus
from tests.unit.worlds import World, submission

if TYPE_CHECKING:
    from collections.abc import Callable

    from spot_relay.domain.run.observation import JobChanged

PORTS = ("store", "jobs", "checkpoints", "documents", "announcements", "telemetry", "slots", "wakeups")


class KilledError(BaseException):
    """The function's process is gone."""


class Grim:
    """Counts the calls through all ports, and kills at one of them, before or after it has taken effect."""

    def __init__(self, kill_at: int | None = None, *, after: bool = False) -> None:
        self.calls: list[str] = []
        self.kill_at = kill_at
        self.after = after

    def guard(self, port: Any) -> Any:
        reaper = self

        class Guarded:
            def __getattr__(self, name: str) -> Callable[..., Any]:
                def call(*args: Any) -> Any:
                    reaper.calls.append(name)
                    dies = len(reaper.calls) == reaper.kill_at
                    if dies and not reaper.after:
                        raise KilledError
                    answer = getattr(port, name)(*args)
                    if dies:
                        raise KilledError
                    return answer

                return call

        return Guarded()


def expired(world: World) -> JobChanged:
    world.service.submit(submission())
    world.trains(1)
    world.checkpoint("a")
    world.jobs.becomes("churn-relay-01", "Stopped", "MaxWaitTimeExceeded", training_seconds=600, billable_seconds=200)
    return world.event(1, "Stopped", "MaxWaitTimeExceeded")


def guarded(world: World, grim: Grim) -> Any:
    assert {*PORTS} <= {f.name for f in fields(world.service)}
    return replace(world.service, **{name: grim.guard(getattr(world.service, name)) for name in PORTS})


def calls_of_a_relaunch() -> list[str]:
    world = World()
    event = expired(world)
    grim = Grim()
    guarded(world, grim).advance("churn", event)
    return grim.calls


CALLS = calls_of_a_relaunch()


def loses_measures(call: int, *, after: bool) -> bool:
    """Tell whether the function dies in the instant between settling the relaunch and publishing its metrics."""
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


def test_a_relaunch_makes_at_most_eight_calls_to_aws() -> None:
    # Without a limit of the stack, "limit", "take" and "give_back" call nothing.
    silent = {"decided", "measure", "limit", "take", "give_back"}
    assert [call for call in CALLS if call not in silent] == [
        "load",
        "describe",
        "newest",
        "save",
        "oldest_waiting",
        "create",
        "write",
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
