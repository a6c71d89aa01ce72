"""News that end nothing are only recorded, and told to others if they want to know: a load and a save or two.

What an interruption has cost is looked at soon after.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from spot_relay.domain.run.policy import Budgets
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.shown.report import status_document
from tests.fakes import NOON, REGION, MemoryPrices
from tests.unit.crashes import Grim, KilledError, guarded
from tests.unit.worlds import World, deadline, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.observation import JobChanged

QUIET = ["Pending", "Downloading", "DownloadingTrainingImage", "Rebalancing"]
TOLD = ["Training", "Interrupted", "Uploading"]
NOTED = ["load", "save"]
# An event is sent once the change that it tells is saved, and what was sent is saved as done.
NOTED_AND_TOLD = ["load", "save", "announce", "save"]
HOUR = 3600
# What calls no service of AWS.
SILENT = {"log_decision", "measure"}


@pytest.fixture
def world() -> World:
    """A service with one run whose job lives."""
    world = World()
    world.service.submit(submission())
    world.clock.passes(60)
    return world


def calls(world: World, event: JobChanged) -> list[str]:
    grim = Grim()
    guarded(world, grim).advance("churn", event)
    return [call for call in grim.calls if call not in SILENT]


@pytest.mark.parametrize(
    ("secondary", "costs"), [*((one, NOTED) for one in QUIET), *((one, NOTED_AND_TOLD) for one in TOLD)]
)
def test_they_cost_a_load_and_a_save_and_an_event_if_others_want_to_know(
    world: World, secondary: str, costs: list[str]
) -> None:
    event = world.event(1, "InProgress", secondary)
    assert calls(world, event) == costs
    assert world.run().current.phase == secondary
    assert not world.run().outbox
    assert calls(world, event) == ["load"]


def test_so_does_the_news_that_a_job_stops(world: World) -> None:
    assert calls(world, world.event(1, "Stopping", "Stopping")) == NOTED_AND_TOLD


def test_the_run_shows_them_at_once_and_its_status_document_with_the_next_look(world: World) -> None:
    world.tell(1, "InProgress", "Training")
    assert status_document(world.run(), REGION)["attempts"][0]["phase"] == "Training"
    assert world.documents.written["churn"]["attempts"][0]["phase"] is None
    world.passes(240)
    assert world.documents.written["churn"] == status_document(world.run(), REGION)
    assert world.documents.written["churn"]["attempts"][0]["phase"] == "Training"


def test_they_put_no_look_off(world: World) -> None:
    for secondary in ("Downloading", "Training", "Uploading") * 4:
        world.tell(1, "InProgress", secondary)
        world.passes(60)
    assert world.jobs.described == ["churn-relay-01"] * 2, "every five minutes, as if there were no news"


def test_an_interruption_is_looked_at_within_ninety_seconds_whatever_follows_it(world: World) -> None:
    world.trains(1)
    world.checkpoint("a")
    world.clock.passes(100)
    world.tick()
    described = len(world.jobs.described)
    run = world.tell(1, "InProgress", "Interrupted")
    assert len(world.jobs.described) == described
    assert run.check_at == world.clock() + timedelta(seconds=30)
    world.clock.passes(2)
    world.tell(1, "InProgress", "Starting")
    world.clock.passes(20)
    run = world.tell(1, "InProgress", "Training")
    world.clock.passes(20)
    world.tick()
    assert world.run().current.wasted_seconds == 100
    assert world.documents.written["churn"]["wasted_seconds"] == 100


def test_without_checkpoints_there_is_nothing_to_look_for() -> None:
    world = World()
    world.service.submit(submission(CheckpointConfig=None))
    world.clock.passes(60)
    run = world.tell(1, "InProgress", "Interrupted")
    assert run.check_at is not None
    assert run.check_at - world.clock() > timedelta(seconds=30)


def test_only_the_first_news_of_an_interruption_has_it_looked_at(world: World) -> None:
    world.trains(1)
    world.tell(1, "InProgress", "Interrupted")
    world.passes(120)
    run = world.tell(1, "InProgress", "Interrupted")
    assert run.current.interruptions == 1
    assert run.check_at is not None
    assert run.check_at - world.clock() > timedelta(seconds=30)


def test_an_interruption_that_an_event_has_counted_is_not_counted_again_by_a_look(world: World) -> None:
    for interruptions in (1, 2):
        world.trains(1)
        world.tell(1, "InProgress", "Interrupted")
        run = world.passes(120)
        assert run.current.interruptions == interruptions
    assert world.telemetry.total("Interruptions") == 2


def test_a_description_that_lags_behind_the_event_delays_the_account_and_counts_nothing_twice(world: World) -> None:
    world.trains(1)
    world.checkpoint("a")
    world.clock.passes(100)
    world.tick()
    world.advance(world.event(1, "InProgress", "Interrupted"))
    lost_at = world.clock()
    world.passes(60)
    world.jobs.becomes("churn-relay-01", "InProgress", "Interrupted")
    job = world.jobs.jobs["churn-relay-01"]
    assert job.transitions[-1].started_at > lost_at
    run = world.passes(360)
    assert run.current.interruptions == 1
    assert world.telemetry.total("Interruptions") == 1
    assert run.current.wasted_seconds == 160, "by the description, which says that it went on for a minute"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, 7))
def test_a_function_that_dies_counts_an_interruption_once_at_most(world: World, number: int, after: bool) -> None:
    world.trains(1)
    event = world.event(1, "InProgress", "Interrupted")
    call = ["load", "log_decision", "save", "announce", "save again", "measure"][number - 1]
    with pytest.raises(KilledError):
        guarded(world, Grim(number, after=after)).advance("churn", event)
    world.jobs.becomes("churn-relay-01", "InProgress", "Interrupted")
    world.clock.passes(360)
    world.advance(event)
    world.passes(360)
    assert world.run().current.interruptions == 1
    lost = (call, after) in {("save again", True), ("measure", False)}
    assert world.telemetry.total("Interruptions") == (0 if lost else 1)


def unseen(within: int) -> World:
    """A run that has trained for an hour and a half of its two, with checkpoints, while nobody looked."""
    world = World()
    world.service.submit(submission(deadline(within)))
    world.trains(1, 0)
    for key in "abc":
        world.clock.passes(1800)
        world.checkpoint(key)
    return world


def test_an_interruption_for_which_the_deadline_may_leave_no_time_is_looked_at_at_once() -> None:
    # As far as is counted nothing is kept, and work and reserve take more than the time left. The look counts first.
    world = unseen(3 * HOUR)
    run = world.tell(1, "InProgress", "Interrupted")
    assert (run.current.interruptions, run.progress_seconds) == (1, 5400)
    assert (run.status, world.jobs.stopped) == (RunStatus.IN_PROGRESS, [])
    assert world.telemetry.total("Interruptions") == 1


def test_one_that_the_deadline_leaves_time_for_is_not() -> None:
    world = unseen(10 * HOUR)
    assert calls(world, world.event(1, "InProgress", "Interrupted")) == NOTED_AND_TOLD


def test_it_is_looked_at_where_the_money_allows_it_by_then() -> None:
    world = World(prices=MemoryPrices(PriceList("a list", NOON, {"ml.m5.xlarge": Price(0.24, 0.08)})))
    world.service.submit(submission(deadline(3 * HOUR, budgets=Budgets(money_usd=9))))
    world.trains(1, 5400)
    assert "describe" in calls(world, world.event(1, "InProgress", "Interrupted"))


def test_other_news_costs_no_look_however_late_it_is_nor_does_old_news() -> None:
    world = unseen(3 * HOUR)
    assert calls(world, world.event(1, "InProgress", "Uploading")) == NOTED_AND_TOLD
    assert calls(world, world.event(1, "InProgress", "Interrupted")) == ["load"]


def test_nor_does_an_interruption_of_a_run_that_is_being_stopped_or_is_on_its_way() -> None:
    world = unseen(3 * HOUR)
    world.store.runs["churn"] = replace(world.run(), stop_requested=True)
    assert calls(world, world.event(1, "InProgress", "Interrupted")) == NOTED_AND_TOLD
    world = unseen(3 * HOUR)
    leaving = replace(world.run().current, switch_to=Market.ON_DEMAND)
    world.store.runs["churn"] = world.run().with_attempt(leaving)
    assert calls(world, world.event(1, "InProgress", "Interrupted")) == NOTED_AND_TOLD


def test_what_an_interruption_has_cost_is_looked_up_once(world: World) -> None:
    world.trains(1)
    world.tell(1, "InProgress", "Interrupted")
    world.passes(60)
    looked_up = len(world.checkpoints.asked)
    world.passes(900)
    assert len(world.checkpoints.asked) == looked_up


def test_on_a_market_that_comes_and_goes_with_the_tick_the_safety_net_fires_all_the_same() -> None:
    world = World()
    world.service.submit(submission(deadline(9000)))
    while not world.jobs.stopped:
        assert world.clock() < world.run().created_at + timedelta(seconds=9000)
        world.tell(1, "InProgress", "Interrupted")
        world.clock.passes(50)
        world.tell(1, "InProgress", "Downloading")
        world.clock.passes(10)
        world.tick()
    left = world.run().deadline_at
    assert left is not None
    assert 7200 + 1500 - 60 <= (left - world.clock()).total_seconds() <= 7200 + 1500


def test_a_description_that_lags_behind_such_an_event_is_soon_asked_for_again() -> None:
    world = unseen(3 * HOUR)
    run = world.advance(world.event(1, "InProgress", "Interrupted"))
    assert run.current.interruptions == 0
    assert run.check_at == world.clock() + timedelta(seconds=30)
    world.jobs.becomes("churn-relay-01", "InProgress", "Interrupted")
    assert world.passes(60).current.interruptions == 1
    assert world.telemetry.total("Interruptions") == 1


def test_where_the_money_allows_no_on_demand_such_an_event_is_news_as_any_other() -> None:
    world = unseen(3 * HOUR)
    world.store.runs["churn"] = replace(world.run(), policy=replace(world.run().policy, budgets=Budgets(money_usd=1)))
    assert calls(world, world.event(1, "InProgress", "Interrupted")) == NOTED_AND_TOLD


def test_what_a_resumed_job_saves_before_the_look_hides_what_the_interruption_has_cost(world: World) -> None:
    world.trains(1)
    world.checkpoint("a")
    world.clock.passes(100)
    world.tick()
    world.tell(1, "InProgress", "Interrupted")
    world.clock.passes(20)
    world.tell(1, "InProgress", "Training")
    world.clock.passes(20)
    world.checkpoint("b")
    assert world.passes(60).current.wasted_seconds == 0
