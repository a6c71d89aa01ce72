"""What is foretold about a run is what then happens, if nothing comes in between."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.decide.decision import decide
from spot_relay.domain.run.attempt import AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.checkpoint_copy import CheckpointCopy
from spot_relay.domain.run.policy import Backoff, Budgets, Policy, ReturnToSpot, Rung
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.phase import Phase, Stage
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.shown.forecast import Finish, Next, NextAction, foretell_demand, foretell_finish, foretell_next
from spot_relay.domain.values import replace
from tests.fakes import NOON, at
from tests.unit.any_run import facts, moments, runs
from tests.unit.priced import PRICES
from tests.unit.spec.documents import CALM
from tests.unit.worlds import World, deadline, submission

if TYPE_CHECKING:
    from spot_relay.domain.decide.facts import Facts
    from spot_relay.domain.run.attempt import Attempt
    from spot_relay.domain.run.run import Run

HOUR = 3600
FOUR_HOURS = 4 * HOUR


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
    assert told == Next(NextAction.FAIL, at(7200), "The run fails unless spot capacity comes before then.")
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


# A run whose deadline is four hours after its submission. It needs two hours of training, and ten minutes for a start.
# Without capacity it is behind its pace of 0.8 after an hour and a half.
PLANNED = accept(submission(deadline(FOUR_HOURS)), "one", NOON)
CALLED = replace(PLANNED.current, status=AttemptStatus.IN_PROGRESS, created_at=NOON)
POOL = "ml.m5.xlarge (spot)"
ON_DEMAND = Placement("ml.m5.xlarge", 1, Market.ON_DEMAND)
DEMAND_AT = at(5400)


def of(attempt: Attempt, run: Run = PLANNED, **changes: Any) -> Run:
    """The run with one attempt that is under way, or another one."""
    changes = {"status": RunStatus.IN_PROGRESS, "attempts": (attempt,)} | changes
    return replace(run, **changes)


def waiting(since: float, **changes: Any) -> Attempt:
    return replace(CALLED, waiting_since=at(since), **changes)


def training(*phases: Phase, **changes: Any) -> Attempt:
    """An attempt that trains after these phases, which end two minutes after noon if there are none."""
    before = phases or (Phase(Stage.WAITING, 0, 60), Phase(Stage.STARTING, 60, 120))
    assert before[-1].ends is not None
    return replace(CALLED, phases=(*before, Phase(Stage.TRAINING, before[-1].ends)), **changes)


def closed(run: Run) -> Run:
    """The run where SageMaker refuses on-demand for good."""
    return replace(run, closed=(ON_DEMAND,))


def without_deadline(run: Run) -> Run:
    return replace(run, policy=replace(run.policy, deadline=None), deadline_at=None)


STOPPING = of(PLANNED.current, stop_requested=True)
GOES_WITH_ROOM = Next(NextAction.LAUNCH, None, f"Launches churn-relay-01 once there is room in {POOL}.")
IN_QUEUE = replace(PLANNED.current, waits_for_room=True)


@pytest.mark.parametrize(
    ("run", "told"),
    [
        pytest.param(
            STOPPING,
            Next(NextAction.STOP, PLANNED.check_at, "The run ends unless churn-relay-01 turns out to exist."),
            id="stop before the launch is answered",
        ),
        pytest.param(
            of(CALLED, STOPPING, stop_requested=True),
            Next(NextAction.STOP, None, "The run ends once SageMaker has stopped churn-relay-01."),
            id="stop",
        ),
        pytest.param(
            of(replace(PLANNED.current, gives_up=True, waits_for_room=True)),
            Next(NextAction.FAIL, PLANNED.check_at, "The run fails unless churn-relay-01 turns out to exist."),
            id="give up",
        ),
        pytest.param(
            of(IN_QUEUE),
            Next(
                NextAction.GO_ON_DEMAND,
                DEMAND_AT,
                f"Continues on-demand unless there is room in {POOL} before then.",
            ),
            id="room before the deadline asks for on-demand",
        ),
        pytest.param(of(replace(IN_QUEUE, refusals=1)), GOES_WITH_ROOM, id="room in a pool that refuses"),
        pytest.param(without_deadline(of(IN_QUEUE)), GOES_WITH_ROOM, id="room without a deadline"),
        pytest.param(
            of(replace(PLANNED.current, turn_at=at(40))),
            Next(NextAction.LAUNCH, at(40), "Launches churn-relay-01, when its turn comes."),
            id="turn",
        ),
        pytest.param(
            of(PLANNED.current),
            Next(NextAction.LAUNCH, PLANNED.check_at, "Launches churn-relay-01."),
            id="launch",
        ),
        pytest.param(
            of(replace(PLANNED.current, refusals=1)),
            Next(NextAction.LAUNCH, PLANNED.check_at, "Tries again to launch churn-relay-01."),
            id="launch again",
        ),
        pytest.param(
            of(waiting(0, switch_to=Market.ON_DEMAND)),
            Next(
                NextAction.GO_ON_DEMAND,
                None,
                "Continues on-demand once SageMaker has stopped churn-relay-01.",
            ),
            id="switch to on-demand",
        ),
        pytest.param(
            of(replace(CALLED, placement=ON_DEMAND, switch_to=Market.SPOT)),
            Next(NextAction.RETURN_TO_SPOT, None, "Continues on spot once SageMaker has stopped churn-relay-01."),
            id="switch to spot",
        ),
        pytest.param(
            of(waiting(0)),
            Next(
                NextAction.GO_ON_DEMAND,
                DEMAND_AT,
                "Continues on-demand unless spot capacity comes before then.",
            ),
            id="wait for spot",
        ),
        pytest.param(
            of(waiting(0, max_wait_seconds=5400)),
            Next(
                NextAction.GO_ON_DEMAND,
                DEMAND_AT,
                "Continues on-demand unless spot capacity comes before then.",
            ),
            id="wait for spot as long as the deadline allows",
        ),
        pytest.param(
            of(waiting(0, max_wait_seconds=5399)),
            Next(
                NextAction.LAUNCH,
                at(5399),
                f"Launches the next attempt on 1 x {POOL}, unless spot capacity comes before then.",
            ),
            id="wait for spot not quite as long as the deadline allows",
        ),
        pytest.param(
            of(training()),
            Next(
                NextAction.COMPLETE,
                at(7320),
                "Completes. If it loses its spot capacity, it waits for more, as long as the deadline allows, and then "
                "continues on-demand.",
            ),
            id="train on spot",
        ),
        pytest.param(
            closed(of(training())),
            Next(NextAction.COMPLETE, at(7320), "Completes. If it loses its spot capacity, it waits for more."),
            id="train on spot where on-demand is refused",
        ),
        pytest.param(
            of(training(placement=ON_DEMAND, cause=Cause.SAFETY_NET)),
            Next(NextAction.COMPLETE, at(7320), "Completes on-demand."),
            id="train on-demand for good",
        ),
        pytest.param(
            without_deadline(of(training(placement=ON_DEMAND))),
            Next(NextAction.COMPLETE, None, "Completes on-demand."),
            id="train on-demand without a deadline",
        ),
    ],
)
def test_what_comes_next_is_foretold_with_its_time_and_its_condition(run: Run, told: Next) -> None:
    assert foretell_next(run, at(120)) == told


BACKOFF = of(
    replace(CALLED, status=AttemptStatus.ENDED, outcome=Outcome.SERVICE_ERROR),
    status=RunStatus.PENDING,
    check_at=at(90),
)


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (BACKOFF, Next(NextAction.LAUNCH, at(90), f"Launches the next attempt on 1 x {POOL}, after a backoff.")),
        (
            closed(replace(BACKOFF, policy=replace(BACKOFF.policy, ladder=(Rung(ON_DEMAND),)))),
            Next(
                NextAction.FAIL,
                at(90),
                "The run fails, after a backoff: SageMaker refuses every placement for good (tried: 1 x ml.m5.xlarge "
                "(on-demand)). Resume the run when a quota has been raised, or submit the spec under another name with "
                "other placements.",
            ),
        ),
        (
            replace(BACKOFF, prices=PRICES, policy=replace(BACKOFF.policy, budgets=Budgets(money_usd=0.01))),
            Next(
                NextAction.FAIL,
                at(90),
                "The run fails, after a backoff: policy.budgets.money_usd is 0.0100 USD. 0.00 USD is spent, and an "
                "attempt on 1 x ml.m5.xlarge (spot) may cost up to 0.0800 USD (MaxRuntimeInSeconds 3600). Resume the "
                "run with policy.budgets.money_usd set to 0.0800 or more.",
            ),
        ),
    ],
)
def test_after_a_backoff_the_next_attempt_or_what_is_in_its_way_is_foretold(run: Run, told: Next) -> None:
    assert foretell_next(run, at(60)) == told


def test_a_wait_costs_nothing_so_it_leaves_the_money_for_what_follows_it() -> None:
    # It has trained for ten minutes, and waits for almost four hours. Another attempt costs 0.08 USD at most.
    waits = waiting(700, training_started_at=at(100), interruptions=1)
    budgets = Budgets(money_usd=0.2)
    run = without_deadline(of(waits, prices=PRICES, policy=replace(PLANNED.policy, budgets=budgets)))
    told = f"Launches the next attempt on 1 x {POOL}, unless spot capacity comes before then."
    assert foretell_next(run, at(800)) == Next(NextAction.LAUNCH, at(FOUR_HOURS), told)


def on_demand(way: ReturnToSpot = ReturnToSpot.CANARY, canary: Canary | None = None, money: float | None = None) -> Run:
    """The run on-demand for being behind its pace."""
    policy = deadline(FOUR_HOURS, return_to_spot=way, changeover_seconds=60, budgets=Budgets(money_usd=money))
    attempt = training(placement=ON_DEMAND, cause=Cause.BEHIND_PACE, training_started_at=at(120))
    run = accept(submission(policy), "one", NOON, PRICES)
    return of(attempt, run, canaries=() if canary is None else (canary,))


CANARY = Canary(1, "churn-canary-01", Placement("ml.m5.xlarge", 1, Market.SPOT), NOON, 3600)
COMPLETES = Next(NextAction.COMPLETE, at(7320), "Completes on-demand.")
LOOKS = Next(
    NextAction.LOOK_FOR_SPOT,
    at(9000),
    "Looks for spot capacity with a canary, if the run is ahead of its pace by then.",
)


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (on_demand(), LOOKS),
        (on_demand(ReturnToSpot.CANARY, CANARY), LOOKS),
        (on_demand(ReturnToSpot.CANARY, replace(CANARY, number=2, status=CanaryStatus.ENDED)), LOOKS),
        (
            on_demand(ReturnToSpot.CANARY, replace(CANARY, status=CanaryStatus.IN_PROGRESS)),
            Next(
                NextAction.RETURN_TO_SPOT,
                None,
                "Returns to spot once churn-canary-01 gets capacity. Until then it keeps training on-demand.",
            ),
        ),
        (on_demand(ReturnToSpot.CANARY, replace(CANARY, status=CanaryStatus.ENDED)), COMPLETES),
        (
            on_demand(ReturnToSpot.BLIND),
            Next(NextAction.RETURN_TO_SPOT, at(12_600), "Returns to spot, if the run is ahead of its pace by then."),
        ),
        (on_demand(ReturnToSpot.NEVER), COMPLETES),
        # The training until now costs 0.40 USD, the canary less than a cent, and an attempt on spot 0.08 USD at most.
        (on_demand(money=0.5), LOOKS),
        (on_demand(money=0.45), COMPLETES),
        (on_demand(ReturnToSpot.NEVER, replace(CANARY, status=CanaryStatus.IN_PROGRESS)), COMPLETES),
    ],
)
def test_on_demand_a_return_to_spot_is_foretold_if_the_run_has_a_way_and_the_time_for_it(run: Run, told: Next) -> None:
    assert foretell_next(run, at(6120)) == told


BEGINS = replace(PLANNED, waits_to_begin=True)
PREP = Start(after=("prep",))


@pytest.mark.parametrize(
    ("start", "completed", "told"),
    [
        (PREP, (), Next(NextAction.LAUNCH, None, "Launches churn-relay-01 once prep has completed.")),
        (
            Start(at(121), ("prep", "clean", "check")),
            ("clean",),
            Next(
                NextAction.LAUNCH,
                at(121),
                "Launches churn-relay-01 once prep, check have completed, not earlier.",
            ),
        ),
        (Start(at(120)), (), Next(NextAction.LAUNCH, PLANNED.check_at, "Launches churn-relay-01.")),
        (Start(at(121)), (), Next(NextAction.LAUNCH, at(121), "Launches churn-relay-01.")),
        (replace(PREP, at=at(120)), ("prep",), Next(NextAction.LAUNCH, PLANNED.check_at, "Launches churn-relay-01.")),
    ],
)
def test_a_run_that_has_to_wait_is_launched_once_all_has_come_that_it_waits_for(
    start: Start, completed: tuple[str, ...], told: Next
) -> None:
    assert foretell_next(replace(BEGINS, start=start, completed=completed), at(120)) == told


TEN_HOURS = 10 * HOUR
LONG = accept(submission(deadline(TEN_HOURS)), "one", NOON)
SLOW_WAITS = (
    Phase(Stage.WAITING, 0, 600),
    Phase(Stage.TRAINING, 600, 1000),
    Phase(Stage.INTERRUPTED, 1000, 1100),
    Phase(Stage.STARTING, 1100, 1200),
)
GIVEN_UP = (*SLOW_WAITS, Phase(Stage.TRAINING, 1200, 1300), Phase(Stage.INTERRUPTED, 1300, 3000))
INTERRUPTED = waiting(
    3120, phases=(*training().phases[:-1], Phase(Stage.TRAINING, 120, 3120), Phase(Stage.INTERRUPTED, 3120))
)
FIRST = replace(CALLED, status=AttemptStatus.ENDED, phases=(*GIVEN_UP, Phase(Stage.STOPPING, 3000, 3010)))
SECOND = replace(PLANNED.current, number=2, job_name="churn-relay-02", planned_at=at(3010), phases=())


@pytest.mark.parametrize(
    ("run", "now", "finish"),
    [
        pytest.param(of(training()), 3120, Finish(at(7320), at(7320), at(FOUR_HOURS)), id="no loss"),
        pytest.param(
            of(training(counted_until=at(720)), progress_seconds=600),
            3120,
            Finish(at(7320), at(7320), at(FOUR_HOURS)),
            id="no loss, and a checkpoint",
        ),
        # It has lost ten minutes, and kept forty; eighty are left.
        pytest.param(
            of(training(counted_until=at(720))),
            3120,
            Finish(at(3120 + 4800), at(3120 + 6000), at(FOUR_HOURS)),
            id="as much is lost as until now",
        ),
        # It has lost ten minutes, and kept ten, which count as half an hour.
        pytest.param(
            of(training(counted_until=at(720))),
            1320,
            Finish(at(1320 + 6600), at(1320 + 8800), at(FOUR_HOURS)),
            id="a short history says little",
        ),
        pytest.param(
            of(training(counted_until=at(4000))),
            3120,
            Finish(at(3120 + 7200), at(FOUR_HOURS), at(FOUR_HOURS)),
            id="a checkpoint of a clock that is ahead",
        ),
        pytest.param(
            of(training(), progress_seconds=7000), 720, Finish(at(720), at(720), at(FOUR_HOURS)), id="all is trained"
        ),
        # Its wait took a minute until now, so it is over by now; what it has kept is nothing.
        pytest.param(
            of(INTERRUPTED, LONG),
            3300,
            Finish(at(3300 + 7200), at(3300 + 600 + 19_920), at(TEN_HOURS)),
            id="a wait that takes longer than usual",
        ),
        pytest.param(
            of(INTERRUPTED, LONG, progress_seconds=3000),
            3300,
            Finish(at(3300 + 4200), at(3300 + 600 + 4452), at(TEN_HOURS)),
            id="a wait after a checkpoint",
        ),
        # Its two waits took 350 s on average, and it has waited for 100 s. It has kept 400 s, and lost 300 s.
        pytest.param(
            of(waiting(1300, phases=(*GIVEN_UP[:-1], Phase(Stage.INTERRUPTED, 1300))), LONG, progress_seconds=400),
            1400,
            Finish(at(1400 + 6800), at(1400 + 850 + 8311), at(TEN_HOURS)),
            id="a wait as long as the mean of those before",
        ),
        # The wait that was given up is none of those that took until capacity came.
        pytest.param(
            of(FIRST, LONG, attempts=(FIRST, SECOND), progress_seconds=500),
            3010,
            Finish(at(3010 + 6700), at(3010 + 950 + 13_809), at(TEN_HOURS)),
            id="an attempt that is planned",
        ),
        pytest.param(
            of(replace(CALLED, phases=SLOW_WAITS), LONG, progress_seconds=400),
            1200,
            Finish(at(1200 + 6800), at(1200 + 600 + 7556), at(TEN_HOURS)),
            id="a job that starts",
        ),
        pytest.param(
            of(replace(CALLED, phases=SLOW_WAITS[:1]), LONG),
            600,
            Finish(at(600 + 7200), None, at(TEN_HOURS)),
            id="a run that has never trained",
        ),
        pytest.param(
            of(waiting(0)), 120, Finish(at(120 + 7200), None, at(FOUR_HOURS)), id="a run that has never had capacity"
        ),
        pytest.param(
            of(training(placement=ON_DEMAND, counted_until=at(720))),
            3120,
            Finish(at(3120 + 4800), at(3120 + 4800), at(FOUR_HOURS)),
            id="on-demand nothing is lost",
        ),
        pytest.param(
            of(replace(PLANNED.current, placement=ON_DEMAND)),
            120,
            Finish(at(120 + 7200), at(120 + 600 + 7200), at(FOUR_HOURS)),
            id="on-demand a job starts first",
        ),
        pytest.param(
            of(replace(PLANNED.current, placement=ON_DEMAND), BEGINS, start=Start(at(2000)), waits_to_begin=True),
            120,
            Finish(at(2000 + 7200), at(2000 + 7200), at(FOUR_HOURS)),
            id="a run that begins later",
        ),
        pytest.param(
            replace(BEGINS, start=PREP, completed=("prep",)),
            120,
            Finish(at(120 + 7200), None, at(FOUR_HOURS)),
            id="a run that may begin",
        ),
        pytest.param(replace(BEGINS, start=PREP), 120, None, id="a run that comes after another"),
        pytest.param(of(training(), stop_requested=True), 3120, None, id="a run that is being stopped"),
        pytest.param(of(training(), status=RunStatus.FAILED), 3120, None, id="a run that has ended"),
        pytest.param(without_deadline(of(training())), 3120, None, id="a run without a deadline"),
        pytest.param(
            of(waiting(0)), 7200, Finish(at(FOUR_HOURS), None, at(FOUR_HOURS)), id="a deadline that leaves just enough"
        ),
        pytest.param(
            of(waiting(0)), 7201, Finish(at(FOUR_HOURS + 1), None, None), id="a deadline that leaves too little"
        ),
        pytest.param(
            closed(of(training(counted_until=at(720)))),
            3120,
            Finish(at(3120 + 4800), at(3120 + 6000), None),
            id="a deadline without on-demand",
        ),
        pytest.param(
            closed(of(training(placement=ON_DEMAND))),
            3120,
            Finish(at(7320), at(7320), at(FOUR_HOURS)),
            id="a deadline that needs no other attempt",
        ),
    ],
)
def test_the_finish_is_foretold_by_what_is_left_and_by_how_the_run_has_fared(
    run: Run, now: float, finish: Finish | None
) -> None:
    assert foretell_finish(run, at(now)) == finish


@pytest.mark.parametrize(
    ("run", "now", "demand_at"),
    [
        (of(waiting(0)), 120, DEMAND_AT),
        (of(training()), 120, DEMAND_AT),
        # Before it has waited for five minutes, nobody knows whether there is capacity.
        (of(waiting(5300)), 5300, at(5600)),
        (of(waiting(5200)), 5300, at(5500)),
        (of(waiting(0)), 6000, at(6000)),
        (without_deadline(of(waiting(0))), 120, None),
        (of(waiting(0), status=RunStatus.FAILED), 120, None),
        (of(waiting(0), stop_requested=True), 120, None),
        (of(waiting(0), waits_to_begin=True), 120, None),
        (of(waiting(0, switch_to=Market.SPOT)), 120, None),
        (of(waiting(0, status=AttemptStatus.ENDED)), 120, None),
        (of(waiting(0, placement=ON_DEMAND)), 120, None),
        (closed(of(waiting(0))), 120, None),
    ],
)
def test_a_run_without_capacity_goes_on_demand_when_its_deadline_asks_for_it(
    run: Run, now: float, demand_at: datetime | None
) -> None:
    assert foretell_demand(run, at(now)) == demand_at


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
