"""A user moves a run to on-demand or to spot: what happens at once, what holds from then on, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.decide.moves import move
from spot_relay.domain.decide.steps import Decision
from spot_relay.domain.run.attempt import AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.observation import Launched, MoveRequested, Refused
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import Budgets, Policy, Rung, Spent
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.service import NoSuchRunError, RejectedError
from tests.fakes import NOON, MemoryPrices
from tests.unit.canaries import ahead, finds_capacity, markets, stopped
from tests.unit.paid_runs import PRICES
from tests.unit.worlds import TRAINING_JOB, World, deadline, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

HOUR = 3600
M5, G5 = "ml.m5.xlarge", "ml.g5.2xlarge"
SPOT, ON_DEMAND = Market.SPOT, Market.ON_DEMAND
CAPACITY = "CapacityError: Unable to provision requested ML compute capacity."
SERVICE = "InternalServerError: We encountered an internal error.  Please try again."
FULL = (Refusal.QUOTA_FULL, "full")


def submitted(policy: Policy | None = None, *refusals: tuple[Refusal, str], start: Start | None = None) -> World:
    world = World(prices=MemoryPrices(PRICES))
    world.jobs.refusals = list(refusals)
    world.service.submit(replace(submission(policy), start=start or Start()))
    return world


def moved(world: World, market: Market) -> Run:
    return world.service.change("churn", MoveRequested(market))


def on_demand() -> World:
    """A run without a deadline that its user has moved on-demand, where it trains."""
    world = submitted()
    world.trains(1)
    world.checkpoint("a")
    moved(world, ON_DEMAND)
    world.clock.passes(60)
    world.tell(1, "Stopped", "Stopped")
    world.trains(2)
    return world


def reason_of_refusal(world: World, market: Market) -> str:
    before = world.run()
    with pytest.raises(RejectedError) as caught:
        moved(world, market)
    assert world.run() == before
    return str(caught.value)


def test_a_job_that_trains_on_spot_is_stopped_and_continued_on_demand_from_its_checkpoint() -> None:
    world = submitted()
    world.trains(1)
    newest = world.checkpoint("a")
    run = moved(world, ON_DEMAND)
    assert run.reason == "A move to on-demand was requested. Stopping churn-relay-01 to continue on-demand."
    assert world.jobs.stopped == ["churn-relay-01"]
    world.clock.passes(60)
    run = world.tell(1, "Stopped", "Stopped")
    assert (run.current.cause, run.current.resumes_from) == (Cause.MOVED, newest)
    assert markets(world) == ["spot", "on-demand"]
    assert run.spent == Spent()


def test_the_next_attempt_waits_until_the_stopped_job_is_described_as_ended() -> None:
    world = submitted()
    world.trains(1)
    moved(world, ON_DEMAND)
    world.advance(world.event(1, "Stopped", "Stopped"))
    assert world.passes(300).current.number == 1
    assert world.live_jobs() == ["churn-relay-01"]


def test_a_stop_that_was_lost_is_repeated_although_the_job_trains_on_spot() -> None:
    world = submitted()
    world.trains(1)
    moved(world, ON_DEMAND)
    world.jobs.becomes("churn-relay-01", "InProgress", "Training")
    world.passes(60)
    assert world.jobs.stopped == ["churn-relay-01", "churn-relay-01"]


def test_a_request_that_comes_twice_stops_the_job_once_and_is_answered_twice() -> None:
    world = submitted()
    world.trains(1)
    assert moved(world, ON_DEMAND) == moved(world, ON_DEMAND)
    assert world.jobs.stopped == ["churn-relay-01"]
    world.clock.passes(60)
    run = world.tell(1, "Stopped", "Stopped")
    assert moved(world, ON_DEMAND) == run


@pytest.mark.parametrize("failure", [CAPACITY, SERVICE])
def test_on_demand_a_run_stays_whatever_its_ladder_says(failure: str) -> None:
    world = on_demand()
    world.tell(2, "Failed", "Failed", failure_reason=failure)
    run = world.passes(1200)
    assert markets(world) == ["spot", "on-demand", "on-demand"]
    assert run.current.cause == Cause.of_end(run.attempts[1].outcome)


def test_a_run_that_is_moved_back_goes_by_its_ladder_again() -> None:
    world = on_demand()
    run = moved(world, SPOT)
    assert run.moved_to is SPOT
    world.clock.passes(60)
    run = world.tell(2, "Stopped", "Stopped")
    assert (run.current.cause, run.moved_to) == (Cause.MOVED, None)
    world.tell(3, "Stopped", "MaxWaitTimeExceeded")
    assert markets(world) == ["spot", "on-demand", "spot", "spot"]


def test_a_run_ahead_of_its_deadlines_pace_does_not_return_once_its_user_has_moved_it() -> None:
    world = ahead()
    assert world.run().canary is not None
    run = moved(world, ON_DEMAND)
    assert run.reason == "The run is already on-demand, and stays there from now on."
    assert run.canary is not None
    assert run.canary.status is CanaryStatus.ENDED
    assert "churn-canary-02" in world.jobs.stopped
    world.passes(4 * HOUR)
    assert len(world.run().canaries) == 1
    assert markets(world) == ["spot", "on-demand"]


def test_a_return_to_spot_that_is_under_way_ends_on_demand_if_its_user_wants_that() -> None:
    world = ahead()
    finds_capacity(world)
    assert world.run().current.switch_to is SPOT
    moved(world, ON_DEMAND)
    stopped(world)
    assert markets(world) == ["spot", "on-demand", "on-demand"]


def test_under_a_deadline_a_run_may_be_moved_to_spot_before_the_pace_allows_it() -> None:
    world = ahead()
    moved(world, SPOT)
    run = stopped(world)
    assert (run.current.placement.market, run.current.cause) == (SPOT, Cause.MOVED)


def test_a_move_to_spot_that_the_deadline_leaves_no_time_for_is_refused() -> None:
    world = World()
    world.service.submit(submission(deadline(2 * HOUR + 1000, changeover_seconds=600)))
    world.trains(1)
    assert markets(world) == ["on-demand"]
    expected = "The deadline leaves no time to wait for spot. Change it or remove it, then move the run."
    assert reason_of_refusal(world, SPOT) == expected


def test_a_launch_that_waits_for_room_on_spot_is_made_on_demand_at_once() -> None:
    world = submitted(None, FULL)
    assert world.run().waits_for is not None
    run = moved(world, ON_DEMAND)
    assert (run.current.number, run.current.placement) == (1, Placement(M5, 1, ON_DEMAND))
    assert (run.status, run.waits_for, run.current.switch_to) == (RunStatus.IN_PROGRESS, None, None)


def test_a_job_that_exists_after_all_in_the_other_market_is_stopped() -> None:
    world = submitted(None, (Refusal.UNAVAILABLE, "no answer"))
    # The job was created, and the answer got lost.
    world.jobs.refusals = [(Refusal.UNAVAILABLE, "no answer")]
    moved(world, ON_DEMAND)
    run = world.advance(Launched(1, "arn", Placement(M5, 1, SPOT)))
    assert (run.current.placement.market, run.current.switch_to) == (SPOT, ON_DEMAND)


def test_a_launch_that_is_answered_only_after_the_move_is_known_by_where_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = submitted(None, FULL)
    create = world.jobs.create

    def slowly(launch: Any) -> Any:
        answer = create(launch)
        # Meanwhile another function has moved the attempt, and heard nothing of the job.
        attempt = replace(world.run().current, placement=Placement(M5, 1, ON_DEMAND), switch_to=ON_DEMAND)
        world.store.save(replace(world.run().with_attempt(attempt), moved_to=ON_DEMAND, outbox=Outbox()))
        monkeypatch.setattr(world.jobs, "create", create)
        return answer

    monkeypatch.setattr(world.jobs, "create", slowly)
    run = world.passes(60)
    assert (run.current.placement.market, run.current.switch_to) == (SPOT, ON_DEMAND)


def test_a_placement_on_demand_that_is_refused_for_good_leaves_the_run_on_spot() -> None:
    world = submitted(Policy(ladder=(Rung(Placement(M5, 1, SPOT)),)), FULL)
    world.jobs.refusals = [(Refusal.QUOTA_TOO_SMALL, "too small")]
    run = moved(world, ON_DEMAND)
    assert (run.current.placement.market, run.current.switch_to, run.status) == (SPOT, None, RunStatus.IN_PROGRESS)
    assert "SageMaker refuses every placement of this run on-demand for good" in reason_of_refusal(world, ON_DEMAND)


def test_a_run_between_two_attempts_continues_where_its_user_wants_it_within_a_minute() -> None:
    world = submitted()
    world.trains(1)
    world.checkpoint("a")
    world.tell(1, "Failed", "Failed", failure_reason=CAPACITY)
    assert moved(world, ON_DEMAND).reason.endswith("Launching the next attempt within a minute.")
    assert moved(world, ON_DEMAND).reason == world.run().reason
    world.passes(60)
    assert markets(world) == ["spot", "on-demand"]
    assert world.run().current.cause is Cause.MOVED


def test_a_run_that_waits_to_begin_begins_where_its_user_wants_it() -> None:
    world = submitted(start=Start(at=NOON.replace(hour=14)))
    run = moved(world, ON_DEMAND)
    assert (run.waits_to_begin, run.status, world.live_jobs()) == (True, RunStatus.PENDING, [])
    world.passes(2 * HOUR + 60)
    assert markets(world) == ["on-demand"]
    assert world.live_jobs() == ["churn-relay-01"]


def test_a_resumed_run_stays_on_demand() -> None:
    world = on_demand()
    world.service.stop("churn")
    world.tell(2, "Stopped", "Stopped")
    world.service.resume("churn")
    assert markets(world) == ["spot", "on-demand", "on-demand"]


def test_a_run_that_is_there_already_is_left_alone() -> None:
    world = submitted()
    world.trains(1)
    before = world.run()
    assert moved(world, SPOT) == before
    assert world.telemetry.reasons[-1] == "churn MoveRequested: The run is already on spot."


def test_a_run_that_fell_back_to_spot_is_told_so_and_goes_by_its_policy_again() -> None:
    world = submitted(Policy(ladder=(Rung(Placement(M5, 1, SPOT)),)), FULL)
    world.jobs.refusals = [(Refusal.QUOTA_TOO_SMALL, "too small")]
    moved(world, ON_DEMAND)
    run = moved(world, SPOT)
    assert (run.moved_to, run.reason) == (
        None,
        "The run is already on spot, and from now on its policy decides again.",
    )


def test_money_that_does_not_pay_for_on_demand_is_named_with_what_is_needed() -> None:
    # Prices: 0.23 on-demand and 0.08 on spot, each for an hour at most.
    world = submitted(Policy(Budgets(money_usd=0.1)))
    world.trains(1)
    reason = reason_of_refusal(world, ON_DEMAND)
    assert reason.startswith("policy.budgets.money_usd is 0.1000 USD.")
    assert reason.endswith("An open run has to be stopped before it can be resumed.")
    assert world.live_jobs() == ["churn-relay-01"]


def test_a_job_without_checkpoints_is_not_moved_once_it_has_been_launched() -> None:
    world = World()
    world.service.submit(submission(CheckpointConfig=None))
    world.trains(1)
    assert "no CheckpointConfig, so another attempt would start from zero" in reason_of_refusal(world, ON_DEMAND)


def test_a_run_with_no_spot_in_its_ladder_is_not_moved_to_spot() -> None:
    world = submitted(Policy(ladder=(Rung(Placement(M5, 1, ON_DEMAND)),)))
    world.trains(1)
    assert "no placement on spot that SageMaker accepts" in reason_of_refusal(world, SPOT)


def test_a_run_that_is_being_stopped_or_has_ended_is_not_moved() -> None:
    world = submitted()
    world.trains(1)
    world.service.stop("churn")
    assert reason_of_refusal(world, ON_DEMAND).startswith("The run is being stopped.")
    world.tell(1, "Stopped", "Stopped")
    expected = "Only an open run can be moved, and this one is Stopped. Resume it first."
    assert reason_of_refusal(world, ON_DEMAND) == expected
    done = submitted()
    done.tell(1, "Completed", "Completed")
    assert reason_of_refusal(done, SPOT) == "Only an open run can be moved, and this one is Completed."


def test_a_run_that_gives_up_its_launch_is_not_moved() -> None:
    world = submitted(Policy(Budgets(refusals=0)), (Refusal.THROTTLED, "Rate exceeded"))
    world.advance(Refused(1, Refusal.THROTTLED, "Rate exceeded"))
    assert "the run is about to fail" in reason_of_refusal(world, ON_DEMAND)


def test_a_run_that_does_not_exist_is_not_moved() -> None:
    with pytest.raises(NoSuchRunError):
        moved(World(), ON_DEMAND)


NOW, SOON = NOON + timedelta(hours=1), timedelta(seconds=30)
SPOT_M5, ON_DEMAND_M5, ON_DEMAND_G5 = Placement(M5, 1, SPOT), Placement(M5, 1, ON_DEMAND), Placement(G5, 1, ON_DEMAND)
NAME = "churn-relay-01"
TELLS = Outbox(status=True)
WITHOUT_CHECKPOINTS = {name: value for name, value in TRAINING_JOB.items() if name != "CheckpointConfig"}
LIVE, ENDED = {"status": AttemptStatus.IN_PROGRESS}, {"status": AttemptStatus.ENDED}
WAITING = Canary(1, "churn-canary-01", SPOT_M5, NOON, 3600, status=CanaryStatus.IN_PROGRESS)


def a_run(attempt: dict[str, Any] | None = None, policy: Policy | None = None, **changes: Any) -> Run:
    """A run that owes nothing, with its first attempt in some state."""
    run = replace(accept(submission(policy), "one", NOON), outbox=Outbox(), moved_to=None)
    return replace(run.with_attempt(replace(run.current, **attempt or {})), **changes)


def decided(run: Run, owes: Outbox, reason: str, attempt: dict[str, Any] | None = None, **changes: Any) -> Decision:
    """The decision that changes the run and its attempt so, and nothing else."""
    after = run.with_attempt(replace(run.current, **attempt or {}))
    return Decision(replace(after, updated_at=NOW, reason=reason, **changes), owes, reason)


@pytest.mark.parametrize(
    ("run", "market", "said"),
    [
        (a_run(LIVE), SPOT, "The run is already on spot."),
        (a_run(), SPOT, "The run is already on spot."),
        (a_run({**LIVE, "placement": ON_DEMAND_M5}, moved_to=ON_DEMAND), ON_DEMAND, "The run is already on-demand."),
        (
            a_run({"placement": ON_DEMAND_M5, "switch_to": ON_DEMAND}, moved_to=ON_DEMAND),
            ON_DEMAND,
            "The run is already on-demand.",
        ),
        (
            a_run({**LIVE, "switch_to": ON_DEMAND}, moved_to=ON_DEMAND),
            ON_DEMAND,
            "The run is already being moved to on-demand.",
        ),
        (
            a_run({**LIVE, "placement": ON_DEMAND_M5, "switch_to": SPOT}, moved_to=SPOT),
            SPOT,
            "The run is already being moved to spot.",
        ),
        (a_run(ENDED, moved_to=ON_DEMAND), ON_DEMAND, "The run is already on-demand."),
        (a_run({**ENDED, "switch_to": SPOT}, moved_to=SPOT), SPOT, "The run is already on spot."),
    ],
)
def test_a_run_that_is_where_it_is_to_go_or_on_its_way_is_left_alone(run: Run, market: Market, said: str) -> None:
    assert move(run, market, NOW) == Decision(run, Outbox(), said)


AT_HOME = {**LIVE, "placement": ON_DEMAND_M5}


@pytest.mark.parametrize(
    ("run", "market", "owes", "said", "changes"),
    [
        (
            a_run(AT_HOME),
            ON_DEMAND,
            TELLS,
            "The run is already on-demand, and stays there from now on.",
            {"moved_to": ON_DEMAND},
        ),
        (
            a_run(AT_HOME, canaries=(WAITING,)),
            ON_DEMAND,
            Outbox(status=True, stop_canary="churn-canary-01"),
            "The run is already on-demand, and stays there from now on.",
            {"moved_to": ON_DEMAND, "canaries": (replace(WAITING, status=CanaryStatus.ENDED),)},
        ),
        (
            # Only its user's switch stops a job that trains on spot after all.
            a_run({**LIVE, "switch_to": ON_DEMAND}),
            ON_DEMAND,
            Outbox(status=True, stop=NAME),
            "The run is already being moved to on-demand, and stays there from now on.",
            {"moved_to": ON_DEMAND},
        ),
        (
            a_run({**LIVE, "switch_to": ON_DEMAND}, canaries=(WAITING,)),
            ON_DEMAND,
            Outbox(status=True, stop=NAME, stop_canary="churn-canary-01"),
            "The run is already being moved to on-demand, and stays there from now on.",
            {"moved_to": ON_DEMAND, "canaries": (replace(WAITING, status=CanaryStatus.ENDED),)},
        ),
        (
            a_run({"placement": ON_DEMAND_M5, "switch_to": ON_DEMAND}),
            ON_DEMAND,
            TELLS,
            "The run is already on-demand, and stays there from now on.",
            {"moved_to": ON_DEMAND},
        ),
        (
            a_run(LIVE, moved_to=ON_DEMAND, canaries=(WAITING,)),
            SPOT,
            TELLS,
            "The run is already on spot, and from now on its policy decides again.",
            {"moved_to": None},
        ),
    ],
)
def test_a_run_that_is_there_already_may_still_have_to_stay_or_to_go_by_its_policy_again(
    run: Run, market: Market, owes: Outbox, said: str, changes: dict[str, Any]
) -> None:
    assert move(run, market, NOW) == decided(run, owes, said, **changes)


ON_THE_WAY_BACK = a_run({**AT_HOME, "switch_to": SPOT}, canaries=(WAITING,))


@pytest.mark.parametrize(
    ("run", "market", "owes", "said", "changes"),
    [
        (
            a_run(LIVE),
            ON_DEMAND,
            Outbox(status=True, stop=NAME),
            "A move to on-demand was requested. Stopping churn-relay-01 to continue on-demand.",
            {},
        ),
        (
            ON_THE_WAY_BACK,
            ON_DEMAND,
            Outbox(status=True, stop=NAME, stop_canary="churn-canary-01"),
            "A move to on-demand was requested. Stopping churn-relay-01 to continue on-demand.",
            {"canaries": (replace(WAITING, status=CanaryStatus.ENDED),)},
        ),
        (
            # A canary may go on looking for the capacity that the run is about to need.
            a_run(AT_HOME, moved_to=ON_DEMAND, canaries=(WAITING,)),
            SPOT,
            Outbox(status=True, stop=NAME),
            "A move to spot was requested. Stopping churn-relay-01 to continue on spot.",
            {},
        ),
    ],
)
def test_a_live_job_is_stopped_and_looked_at_soon(
    run: Run, market: Market, owes: Outbox, said: str, changes: dict[str, Any]
) -> None:
    expected = decided(run, owes, said, {"switch_to": market}, moved_to=market, check_at=NOW + SOON, **changes)
    assert move(run, market, NOW) == expected


MOVED_ALREADY = {"cause": Cause.MOVED, "refusals": 0, "waits_for_room": False, "waiting_since": None}
WAITS = {"refusals": 2, "waits_for_room": True, "waiting_since": NOON}
BOTH = Policy(ladder=(Rung(SPOT_M5), Rung(ON_DEMAND_G5)))


@pytest.mark.parametrize(
    ("run", "market", "attempt", "moved_to"),
    [
        (a_run(WAITS), ON_DEMAND, {"placement": ON_DEMAND_M5}, ON_DEMAND),
        (a_run(WAITS, BOTH), ON_DEMAND, {"placement": ON_DEMAND_G5, "rung": 1}, ON_DEMAND),
        (
            a_run({**WAITS, "placement": ON_DEMAND_G5, "rung": 1}, BOTH, moved_to=ON_DEMAND),
            SPOT,
            {"placement": SPOT_M5, "rung": 0},
            None,
        ),
        (
            a_run({**WAITS, "placement": ON_DEMAND_M5}, deadline(10 * HOUR), moved_to=ON_DEMAND),
            SPOT,
            {"placement": SPOT_M5, "max_wait_seconds": 9 * HOUR},
            None,
        ),
        # Without checkpoints, only another attempt would start from zero.
        (a_run(WAITS, training_job=WITHOUT_CHECKPOINTS), ON_DEMAND, {"placement": ON_DEMAND_M5}, ON_DEMAND),
    ],
)
def test_an_attempt_that_is_not_known_to_exist_is_launched_in_the_other_market(
    run: Run, market: Market, attempt: dict[str, Any], moved_to: Market | None
) -> None:
    said = f"A move to {market} was requested."
    changed = {**MOVED_ALREADY, "switch_to": market, **attempt}
    place = attempt["placement"]
    assert move(run, market, NOW) == decided(
        run,
        Outbox(launch=1),
        f"{said} Launching churn-relay-01 on {place} instead.",
        changed,
        moved_to=moved_to,
        status=RunStatus.PENDING,
        check_at=NOW + timedelta(seconds=90),
    )
    waits = replace(run, waits_to_begin=True)
    begins = f"{said} churn-relay-01 will be launched on {place} when the run begins."
    assert move(waits, market, NOW) == decided(waits, TELLS, begins, changed, moved_to=moved_to)


@pytest.mark.parametrize("market", [SPOT, ON_DEMAND])
@pytest.mark.parametrize("moved_to", [None, "the other"])
def test_between_two_attempts_the_next_one_is_planned_where_its_user_wants_it(market: Market, moved_to: Any) -> None:
    other = SPOT if market is ON_DEMAND else ON_DEMAND
    run = a_run(ENDED, moved_to=moved_to and other, check_at=NOW + SOON)
    said = f"A move to {market} was requested. Launching the next attempt within a minute."
    assert move(run, market, NOW) == decided(run, TELLS, said, moved_to=market, check_at=NOW)


POOR: dict[str, Any] = {"prices": PRICES, "policy": Policy(Budgets(money_usd=0.25))}
TRAINS = {**LIVE, "training_started_at": NOON}
TOO_DEAR = (
    "policy.budgets.money_usd is 0.2500 USD. 0.0800 USD is spent, and an attempt on 1 x ml.m5.xlarge (on-demand) may "
    "cost up to 0.2400 USD (MaxRuntimeInSeconds 3600). Resume the run with policy.budgets.money_usd set to 0.3200 or "
    "more. An open run has to be stopped before it can be resumed."
)
NO_SPOT = (
    "The run has no placement on spot that SageMaker accepts. To train on spot, submit the spec under another name "
    "with a spot rung in its ladder."
)
NO_TIME = "The deadline leaves no time to wait for spot. Change it or remove it, then move the run."
NO_ON_DEMAND = (
    "SageMaker refuses every placement of this run on-demand for good (tried: 1 x ml.m5.xlarge (on-demand), 1 x "
    "ml.g5.2xlarge (on-demand)). Ask AWS to raise the quota, then stop and resume the run."
)
FROM_ZERO = (
    "The training job has no CheckpointConfig, so another attempt would start from zero. Add one, or set "
    "policy.restart_from_scratch to true, and submit the spec under another name."
)


@pytest.mark.parametrize(
    ("run", "market", "said"),
    [
        (a_run(status=RunStatus.COMPLETED), SPOT, "Only an open run can be moved, and this one is Completed."),
        (
            a_run(status=RunStatus.FAILED),
            ON_DEMAND,
            "Only an open run can be moved, and this one is Failed. Resume it first.",
        ),
        (
            a_run(stop_requested=True),
            ON_DEMAND,
            "The run is being stopped. Resume it once it has stopped, then move it.",
        ),
        (
            a_run({"gives_up": True}),
            ON_DEMAND,
            "churn-relay-01 could not be created, and the run is about to fail. Resume it then.",
        ),
        (a_run(AT_HOME, Policy(ladder=(Rung(ON_DEMAND_M5),))), SPOT, NO_SPOT),
        (a_run(AT_HOME, closed=(SPOT_M5,)), SPOT, NO_SPOT),
        (a_run(AT_HOME, deadline(10 * HOUR), deadline_at=NOW + timedelta(hours=2)), SPOT, NO_TIME),
        (a_run(LIVE, closed=(ON_DEMAND_M5, ON_DEMAND_G5)), ON_DEMAND, NO_ON_DEMAND),
        (a_run(LIVE, training_job=WITHOUT_CHECKPOINTS), ON_DEMAND, FROM_ZERO),
        (a_run(ENDED, training_job=WITHOUT_CHECKPOINTS), ON_DEMAND, FROM_ZERO),
        (a_run(TRAINS, **POOR), ON_DEMAND, TOO_DEAR),
    ],
)
def test_a_move_that_cannot_be_made_is_refused_with_what_to_do(run: Run, market: Market, said: str) -> None:
    assert move(run, market, NOW) == Decision(run, Outbox(), said, rejected=True)
