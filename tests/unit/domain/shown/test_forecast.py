"""What is foretold about a run is what then happens, if nothing comes in between."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from spot_relay.domain.decide.decision import decide
from spot_relay.domain.run.attempt import AttemptStatus
from spot_relay.domain.run.checkpoint_copy import CheckpointCopy
from spot_relay.domain.run.policy import Backoff, Budgets, Policy, Rung
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.shown.forecast import NextAction, foretell_demand, foretell_finish, foretell_next
from spot_relay.domain.values import replace
from tests.fakes import NOON
from tests.unit.any_run import facts, moments, runs
from tests.unit.priced import PRICES
from tests.unit.spec.documents import CALM
from tests.unit.worlds import World, deadline, submission

if TYPE_CHECKING:
    from spot_relay.domain.decide.facts import Facts
    from spot_relay.domain.run.run import Run
    from spot_relay.domain.shown.forecast import Next

HOUR = 3600
FOUR_HOURS = 4 * HOUR


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def submitted(policy: Policy | None = None) -> World:
    world = World()
    world.service.submit(submission(policy))
    return world


def foretold(world: World) -> Next:
    found = foretell_next(world.run(), world.clock())
    assert found is not None
    return found


def passes_until(world: World, moment: datetime) -> Run:
    return world.passes((moment - world.clock()).total_seconds())


def test_a_wait_for_spot_ends_on_demand_when_it_was_foretold() -> None:
    world = submitted(deadline(FOUR_HOURS))
    world.passes(600)
    told = foretold(world)
    assert (told.action, told.reason) == (
        NextAction.GO_ON_DEMAND,
        "Continues on-demand unless spot capacity comes before then.",
    )
    assert told.at == foretell_demand(world.run(), world.clock())
    assert told.at is not None
    assert passes_until(world, told.at - timedelta(seconds=60)).current.switch_to is None
    assert passes_until(world, told.at + timedelta(seconds=60)).current.switch_to is Market.ON_DEMAND
    assert foretold(world).reason == "Continues on-demand once SageMaker has stopped churn-relay-01."


def test_what_was_foretold_of_a_wait_stays_the_same_while_it_lasts() -> None:
    world = submitted(deadline(FOUR_HOURS))
    world.passes(600)
    first = foretold(world)
    world.passes(1200)
    assert foretold(world) == first


def test_without_a_deadline_the_wait_ends_with_its_limit_and_goes_on_down_the_ladder() -> None:
    rungs = (
        Rung(Placement("ml.m5.xlarge", 1, Market.SPOT)),
        Rung(Placement("ml.m5.2xlarge", 1, Market.SPOT)),
    )
    world = submitted(Policy(ladder=rungs))
    told = foretold(world)
    assert (told.action, told.at) == (NextAction.LAUNCH, at(7200))
    assert told.reason == (
        "Launches the next attempt on 1 x ml.m5.2xlarge (spot), unless spot capacity comes before then."
    )
    world.clock.passes(7200)
    run = world.tell(1, "Stopped", "MaxWaitTimeExceeded")
    assert run.current.placement == rungs[1].placement


def test_a_wait_that_no_budget_lets_follow_fails_the_run() -> None:
    world = submitted(Policy(Budgets(expired_waits=0)))
    told = foretold(world)
    assert (told.action, told.at) == (NextAction.FAIL, at(7200))
    world.clock.passes(7200)
    assert world.tell(1, "Stopped", "MaxWaitTimeExceeded").status is RunStatus.FAILED


def test_a_backoff_ends_when_it_was_foretold() -> None:
    world = submitted(Policy(backoff=Backoff(600, 600)))
    world.trains(1)
    world.tell(1, "Failed", "Failed", failure_reason="InternalServerError: again")
    told = foretold(world)
    assert (told.action, told.at) == (NextAction.LAUNCH, world.run().check_at)
    assert told.reason == "Launches the next attempt on 1 x ml.m5.xlarge (spot), after a backoff."
    assert told.at is not None
    assert len(passes_until(world, told.at + timedelta(seconds=60)).attempts) == 2


def test_a_run_that_cannot_pay_for_another_attempt_is_foretold_to_fail() -> None:
    world = World()
    world.prices.write(PRICES)
    world.service.submit(submission(Policy(Budgets(money_usd=0.25), backoff=Backoff(600, 600))))
    world.trains(1, 3000)
    world.tell(
        1,
        "Failed",
        "Failed",
        failure_reason="InternalServerError: again",
        training_seconds=3000,
        billable_seconds=3000,
    )
    told = foretold(world)
    assert told.action is NextAction.FAIL
    assert "policy.budgets.money_usd is 0.25" in told.reason
    assert told.at is not None
    assert passes_until(world, told.at + timedelta(seconds=60)).status is RunStatus.FAILED


def test_a_run_in_the_queue_is_launched_with_room_or_goes_on_demand_by_its_deadline() -> None:
    world = World()
    world.jobs.refusals = [(Refusal.QUOTA_FULL, "full")] * 1000
    world.service.submit(submission())
    told = foretold(world)
    assert (told.action, told.at) == (NextAction.LAUNCH, None)
    assert told.reason == "Launches churn-relay-01 once there is room in ml.m5.xlarge (spot)."
    world = World()
    world.jobs.refusals = [(Refusal.QUOTA_FULL, "full")] * 1000
    world.service.submit(submission(deadline(FOUR_HOURS)))
    told = foretold(world)
    assert told.reason == "Continues on-demand unless there is room in ml.m5.xlarge (spot) before then."
    assert told.at is not None
    assert passes_until(world, told.at - timedelta(seconds=60)).current.placement.market is Market.SPOT
    assert passes_until(world, told.at + timedelta(seconds=90)).current.placement.market is Market.ON_DEMAND


def test_a_run_that_comes_after_others_begins_once_they_have_completed_and_not_before_its_time() -> None:
    world = World()
    world.service.submit(submission())
    run = replace(world.run(), waits_to_begin=True, start=Start(at(600), ("prepare", "clean")), completed=())
    told = foretell_next(run, NOON)
    assert told is not None
    assert (told.action, told.at) == (NextAction.LAUNCH, at(600))
    assert told.reason == "Launches churn-relay-01 once prepare, clean have completed, not earlier."
    ready = foretell_next(replace(run, completed=("prepare", "clean")), NOON)
    assert ready is not None
    assert (ready.at, ready.reason) == (at(600), "Launches churn-relay-01.")


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (Start(template="t.yaml", at_most=1), "no other run of t.yaml is under way"),
        (Start(template="t.yaml", at_most=3), "fewer than 3 other runs of t.yaml are under way"),
        (
            Start(after=("prep",), continue_from="prep", checkpoint=True),
            "prep has completed, and the checkpoints of prep are copied",
        ),
    ],
)
def test_a_run_that_waits_for_its_place_or_for_a_copy_says_so_and_no_time(start: Start, told: str) -> None:
    world = World()
    world.service.submit(submission())
    foretold_next = foretell_next(replace(world.run(), waits_to_begin=True, start=start), NOON)
    assert foretold_next is not None
    assert (foretold_next.at, foretold_next.reason) == (None, f"Launches churn-relay-01 once {told}.")


def test_a_run_whose_checkpoints_are_being_copied_has_its_place() -> None:
    world = World()
    world.service.submit(submission())
    start = Start(after=("prep",), continue_from="prep", checkpoint=True, template="t.yaml", at_most=1)
    copying = CheckpointCopy("s3://models/prep/", done=3)
    run = replace(world.run(), waits_to_begin=True, start=start, completed=("prep",), copying=copying)
    told = foretell_next(run, NOON)
    assert told is not None
    assert told.reason == "Launches churn-relay-01 once the checkpoints of prep are copied."


def test_a_stop_and_an_end_leave_nothing_open() -> None:
    world = submitted()
    world.trains(1)
    world.service.stop("churn")
    assert foretold(world).reason == "The run ends once SageMaker has stopped churn-relay-01."
    world.tell(1, "Stopped", "Stopped")
    assert foretell_next(world.run(), world.clock()) is None
    assert foretell_finish(world.run(), world.clock()) is None


def test_on_demand_a_run_looks_for_spot_when_it_was_foretold_and_returns_once_there_is_some() -> None:
    world = submitted(deadline(FOUR_HOURS, changeover_seconds=60))
    world.passes(5700)
    world.tell(1, "Stopped", "Stopped")
    assert world.run().current.placement.market is Market.ON_DEMAND
    world.passes(60)
    world.tell(2, "InProgress", "Training", training_started_at=world.clock())
    told = foretold(world)
    assert told.action is NextAction.LOOK_FOR_SPOT
    assert told.at is not None
    assert passes_until(world, told.at - timedelta(seconds=60)).canary is None
    # The newest checkpoint may be as old as the time until the next look.
    for _ in range(15):
        world.checkpoint(f"model.{world.clock():%H%M}")
        world.passes(60)
    assert world.run().canary is not None
    assert foretold(world).action is NextAction.RETURN_TO_SPOT
    assert foretold(world).reason.startswith("Returns to spot once churn-canary-02 gets capacity.")


def test_a_run_that_trains_without_loss_finishes_as_early_as_it_can() -> None:
    world = submitted(deadline(FOUR_HOURS))
    world.trains(1, 600)
    world.checkpoint("model.1")
    world.passes(300)
    finish = foretell_finish(world.run(), world.clock())
    assert finish is not None
    assert finish.earliest == finish.likely == at(60 + 7200)
    assert finish.latest == at(FOUR_HOURS)
    assert foretold(world).action is NextAction.COMPLETE
    assert foretold(world).at == finish.likely


def test_time_lost_so_far_makes_it_likely_that_more_is_lost() -> None:
    world = submitted(deadline(10 * HOUR))
    world.trains(1, 1800)
    world.checkpoint("model.1")
    world.tell(1, "InProgress", "Interrupted")
    world.passes(1800)
    waiting = foretell_finish(world.run(), world.clock())
    world.tell(1, "InProgress", "Training")
    world.passes(1800)
    finish = foretell_finish(world.run(), world.clock())
    assert waiting is not None
    assert finish is not None
    assert finish.earliest == world.clock() + timedelta(seconds=7200 - 3600)
    assert finish.likely == finish.earliest + timedelta(seconds=3600 * 0.5)
    assert waiting.likely is not None
    assert waiting.earliest < waiting.likely < at(10 * HOUR)


def test_before_a_run_has_trained_nobody_knows_when_it_is_likely_to_finish() -> None:
    world = submitted(deadline(FOUR_HOURS))
    finish = foretell_finish(world.run(), world.clock())
    assert finish is not None
    assert (finish.earliest, finish.likely, finish.latest) == (at(7200), None, at(FOUR_HOURS))


def test_a_deadline_that_cannot_be_met_promises_nothing() -> None:
    world = submitted(deadline(FOUR_HOURS))
    late = foretell_finish(world.run(), at(3 * HOUR))
    assert late is not None
    assert (late.earliest, late.latest) == (at(5 * HOUR), None)


def test_a_run_that_does_not_say_how_long_it_trains_has_no_finish() -> None:
    world = submitted()
    world.trains(1)
    assert foretell_finish(world.run(), world.clock()) is None
    told = foretold(world)
    assert (told.at, told.reason) == (None, "Completes. If it loses its spot capacity, it waits for more.")


@pytest.mark.parametrize("hours", [3, 4, 6, 10])
def test_of_any_run_the_finish_is_in_order(hours: int) -> None:
    world = submitted(deadline(hours * HOUR))
    for _ in range(4):
        world.trains(1, 900)
        world.checkpoint(f"model.{world.clock():%H%M}")
        world.tell(1, "InProgress", "Interrupted")
        world.passes(600)
        finish = foretell_finish(world.run(), world.clock())
        if world.run().current.number > 1 or finish is None:
            break
        known = [moment for moment in (finish.earliest, finish.likely, finish.latest) if moment is not None]
        assert known == sorted(known)


@CALM
@given(run=runs(), known=facts, now=moments)
def test_something_is_foretold_of_every_open_run_and_nothing_of_any_other(
    run: Run, known: Facts, now: datetime
) -> None:
    after = decide(run, known, now).run
    told, finish = foretell_next(after, now), foretell_finish(after, now)
    assert (told is None) == after.has_ended
    assert finish is None or not after.has_ended
    if told is not None and after.current.status is AttemptStatus.ENDED and not after.stop_requested:
        assert told.action in {NextAction.LAUNCH, NextAction.FAIL}
