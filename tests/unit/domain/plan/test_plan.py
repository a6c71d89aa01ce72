"""The plan of a submission: placements in their order, figures with their sources, and what is not known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.plan.document import plan_document
from spot_relay.domain.plan.jobs import Luck
from spot_relay.domain.plan.plan import Outlook, Plan, Room, Step, build_plan, list_steps
from spot_relay.domain.rules.pace import earliest_deadline
from spot_relay.domain.run.policy import Budgets, Policy, ReturnToSpot, Rung
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.job import Market, Placement
from tests.fakes import NOON
from tests.unit.worlds import deadline, roomy, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.submission import Submission

HOUR = 3600
M5, G5 = "ml.m5.xlarge", "ml.g5.xlarge"
PRICES = PriceList("a list", NOON, {M5: Price(0.24, 0.08), G5: Price(1.2, 0.4)})
SPOT, PAID = Placement(M5, 1, Market.SPOT), Placement(M5, 1, Market.ON_DEMAND)


def plan(spec: Submission, prices: PriceList | None = PRICES, rooms: dict[Placement, Room] | None = None) -> Plan:
    return build_plan(accept(spec, "submission", NOON, prices), prices, rooms or {})


def finishes(spec: Submission) -> tuple[Any, Any]:
    found = plan(spec)
    return found.earliest_finish, found.latest_finish


def at(hour: int, minute: int) -> datetime:
    return NOON.replace(hour=hour, minute=minute)


def test_a_plan_has_the_placements_the_work_and_every_outlook_with_what_is_known_of_them() -> None:
    large, room = Placement(G5, 2, Market.SPOT), Room(limit=4, used=3, waiting=1)
    policy = deadline(8 * HOUR, ladder=(Rung(large, 2), Rung(SPOT, 3)))
    completed, one = RunStatus.COMPLETED, "churn-relay-01 completed the training."
    assert plan(roomy(policy), rooms={SPOT: room}) == Plan(
        run_id="churn",
        as_of=NOON,
        steps=(
            Step(large, 0, 2, Price(1.2, 0.4), Room()),
            Step(SPOT, 1, 3, Price(0.24, 0.08), room),
            Step(replace(large, market=Market.ON_DEMAND), 0, None, Price(1.2, 0.4), Room()),
            Step(PAID, 1, None, Price(0.24, 0.08), Room()),
        ),
        training_seconds=7200,
        is_training_known=True,
        startup_seconds=600,
        deadline_at=NOON + timedelta(hours=8),
        outlooks={
            Luck.AT_ONCE: Outlook(completed, one, at(14, 10), 1, None, 1.733111),
            Luck.NEVER: Outlook(completed, one.replace("01", "02"), at(19, 43), 2, at(17, 33), 5.199333),
            Luck.LOST: Outlook(completed, one.replace("01", "02"), at(19, 47), 2, at(17, 37), 9.665778),
        },
        on_demand_usd=5.199333,
        is_spot_priced=True,
        prices=PRICES,
        start=Start(),
    )


def steps(*ladder: Rung, policy: Policy | None = None) -> list[tuple[Placement, int, int | None]]:
    """The steps of a run with this ladder, and with the deadline of ``policy``."""
    return list(list_steps(accept(submission(replace(policy or Policy(), ladder=ladder)), "one", NOON)))


def test_the_placements_are_those_of_the_ladder_in_order_each_once() -> None:
    large = Placement(G5, 1, Market.SPOT)
    assert steps(Rung(SPOT, 2), Rung(large, 3), Rung(SPOT, 4), Rung(PAID)) == [
        (SPOT, 0, 2),
        (large, 1, 3),
        (PAID, 3, 1),
    ]
    assert steps() == [(SPOT, 0, 50)]


def test_a_placement_on_demand_that_the_ladder_has_is_not_added_for_the_deadline() -> None:
    assert steps(Rung(SPOT, 2), Rung(PAID, 3), policy=deadline(8 * HOUR)) == [(SPOT, 0, 2), (PAID, 1, 3)]


def test_a_deadline_adds_the_placements_on_demand_that_it_may_lead_to() -> None:
    found = plan(roomy(deadline(8 * HOUR)))
    assert [step.placement for step in found.steps] == [SPOT, PAID]
    assert found.steps[1].attempts is None


def test_the_earliest_finish_is_the_earliest_deadline_that_would_be_accepted() -> None:
    policy = deadline(8 * HOUR)
    assert policy.deadline is not None
    assert plan(roomy(policy)).earliest_finish == earliest_deadline(policy.deadline, NOON)


def test_the_latest_finish_leaves_a_changeover_until_the_deadline() -> None:
    earliest, latest = finishes(roomy(deadline(8 * HOUR)))
    assert earliest == NOON + timedelta(hours=2, minutes=10)
    # The safety net keeps two changeovers and five minutes for its reaction, of which the stop takes two here.
    assert latest == NOON + timedelta(hours=8) - timedelta(minutes=13)


def test_without_a_deadline_nothing_limits_the_wait() -> None:
    found = plan(submission())
    assert found.latest_finish is None
    assert plan_document(found)["deadline"] is None


def test_costs_come_from_the_prices_of_both_markets() -> None:
    found = plan(roomy(deadline(8 * HOUR)))
    billed = (2 * HOUR + 600) / HOUR
    assert found.best_usd == pytest.approx(billed * 0.08, abs=0.001)
    assert found.on_demand_usd == pytest.approx(billed * 0.24, abs=0.001)
    assert found.outlooks[Luck.NEVER].cost_usd == pytest.approx(billed * 0.24, abs=0.001)
    # Spot from the beginning to the safety net, all of it lost; then the start-up and two hours on-demand.
    lost = (8 * HOUR - 2 * HOUR - 2 * 600 - 300) / HOUR
    assert found.worst_usd == pytest.approx(billed * 0.24 + lost * 0.08, abs=0.005)


def test_an_unknown_spot_price_leaves_the_best_cost_open_and_bounds_the_worst() -> None:
    unpriced = PriceList("the AWS Price List", NOON, {M5: Price(0.24)})
    found = plan(submission(), unpriced)
    assert found.best_usd is None
    assert found.on_demand_usd == pytest.approx(0.24)
    assert found.worst_usd is not None


def test_the_best_cost_is_known_if_all_prices_on_its_way_are() -> None:
    policy = deadline(12 * HOUR, ladder=(Rung(PAID), Rung(SPOT)), return_to_spot=ReturnToSpot.CANARY)
    unpriced = PriceList("a list", NOON, {M5: Price(0.24), G5: Price(1.2, 0.4)})
    assert not plan(roomy(policy), unpriced).is_spot_priced
    assert plan(roomy(replace(policy, ladder=(Rung(PAID),))), unpriced).is_spot_priced
    assert not plan(submission(), PriceList("a list", NOON, {G5: Price(1.2, 0.4)})).is_spot_priced


def test_without_prices_no_cost_is_known() -> None:
    document = plan_document(plan(submission(), None))
    assert document["cost"] == {"best_usd": None, "worst_usd": None, "on_demand_usd": None}
    assert document["prices"] is None


def test_a_job_that_must_go_on_demand_at_once_shows_it() -> None:
    found = plan(roomy(deadline(8000)))
    assert found.outlooks[Luck.AT_ONCE].on_demand_from == NOON
    assert found.best_usd == found.on_demand_usd


def test_a_budget_that_forbids_on_demand_shows_how_the_run_would_fail() -> None:
    policy = Policy(budgets=Budgets(expired_waits=1))
    never = plan(submission(policy)).outlooks[Luck.NEVER]
    assert never.status is RunStatus.FAILED
    assert never.ended_at == NOON + timedelta(seconds=2 * (7200 + 120))
    assert "policy.budgets.expired_waits" in never.reason


def test_a_run_that_waits_on_demand_first_returns_to_spot_where_there_is_some() -> None:
    policy = deadline(12 * HOUR, ladder=(Rung(PAID), Rung(SPOT)), return_to_spot=ReturnToSpot.CANARY)
    found = plan(roomy(policy))
    assert found.outlooks[Luck.AT_ONCE].attempts == 2
    assert found.outlooks[Luck.AT_ONCE].cost_usd < found.outlooks[Luck.NEVER].cost_usd  # type: ignore[operator]


def test_the_document_says_where_its_figures_come_from() -> None:
    room = Room(limit=4, used=3, waiting=2, oldest="first", because="It is full.", as_of=NOON)
    document = plan_document(plan(roomy(deadline(8 * HOUR)), rooms={SPOT: room}))
    first, second = document["placements"]
    assert first["limit"] == {"limit": 4, "used": 3, "source": "the stack's parameter AttemptLimits"}
    assert first["queue"]["place"] == 3
    assert first["queue"]["oldest"] == {"run_id": "first", "message": "It is full.", "at": "2026-11-23T12:00:00.000Z"}
    assert (second["limit"], second["queue"]) == (None, {"place": 1, "waiting": 0, "oldest": None})
    assert document["prices"]["source"] == "a list"
    assert document["training_seconds_from"] == "policy.expected_runtime"


def test_a_run_without_an_expected_runtime_is_planned_for_all_of_max_runtime() -> None:
    document = plan_document(plan(submission()))
    assert (document["training_seconds"], document["startup_seconds"]) == (3600, 0)
    assert document["training_seconds_from"] == "StoppingCondition.MaxRuntimeInSeconds"
    assert document["outlooks"]["spot_at_once"]["status"] == "Completed"


@pytest.mark.parametrize("way", list(ReturnToSpot))
@pytest.mark.parametrize("minutes", range(131, 1500, 53))
def test_with_any_luck_a_deadline_that_is_accepted_is_kept(minutes: int, way: ReturnToSpot) -> None:
    found = plan(roomy(deadline(minutes * 60, return_to_spot=way)))
    assert {outlook.status for outlook in found.outlooks.values()} == {RunStatus.COMPLETED}
    assert found.latest_finish is not None
    assert found.deadline_at is not None
    assert found.latest_finish <= found.deadline_at


def test_a_run_that_waits_is_planned_as_it_begins_once_the_others_have_completed() -> None:
    at_once = plan(submission())
    waits = plan(replace(submission(), start=Start(after=("prep",))))
    assert waits.outlooks == at_once.outlooks
    assert plan_document(waits)["start"]["after"] == [{"run_id": "prep", "has_completed": False}]
    assert plan_document(at_once)["start"] is None


def test_a_run_that_starts_at_a_time_is_planned_from_then_on() -> None:
    at_once = plan(submission())
    later = plan(replace(submission(), start=Start(at=NOON + timedelta(hours=3))))
    assert later.earliest_finish is not None
    assert at_once.earliest_finish is not None
    assert later.earliest_finish - at_once.earliest_finish == timedelta(hours=3)


def test_a_start_at_the_end_of_the_calendar_which_is_refused_still_has_a_plan() -> None:
    found = plan(replace(submission(), start=Start(at=datetime.max.replace(tzinfo=UTC))))
    assert found.earliest_finish is not None
