"""What canaries cost, and what a money budget keeps for one that may still run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.decide.decision import decide
from spot_relay.domain.decide.facts import Facts
from spot_relay.domain.rules.money import canary_cost, check_money, cost_so_far, pays_for_canary
from spot_relay.domain.run.attempt import AttemptStatus, Canary, CanaryStatus
from spot_relay.domain.run.launch import CANARY_TAG, Created, Launch
from spot_relay.domain.run.observation import CanaryCreated
from spot_relay.domain.run.policy import Budgets, ReturnToSpot, Rung
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.refusal import NotCreated, Refusal
from spot_relay.domain.sagemaker.request import CANARY_MAX_RUNTIME_SECONDS
from spot_relay.domain.shown.accounting import account_of
from tests.fakes import NOON, Clock, MemoryPrices, MemoryTrainingJobs
from tests.unit.paid_runs import PRICES, a_run, placed
from tests.unit.worlds import World, deadline, submission

if TYPE_CHECKING:
    from collections.abc import Callable

    from spot_relay.domain.run.run import Run

HOUR = 3600
M5 = "ml.m5.xlarge"
# Of a run without attempts that cost anything, on one ml.m5.xlarge at 0.24 USD an hour on demand.
BOUND = 0.24 * CANARY_MAX_RUNTIME_SECONDS / HOUR
WORST = 0.08


def a_canary(count: int = 1, instance_type: str = M5, **known: Any) -> Canary:
    placement = Placement(instance_type, count, Market.SPOT)
    return replace(Canary(2, "one-canary-02", placement, NOON, HOUR, CanaryStatus.IN_PROGRESS), **known)


def with_canaries(money: float | None, *canaries: Canary, prices: PriceList = PRICES) -> Run:
    return replace(a_run(money, prices), canaries=canaries)


def test_a_canary_costs_its_billable_seconds_on_all_instances_at_the_on_demand_price() -> None:
    assert canary_cost(a_canary(3, billable_seconds=HOUR), PRICES) == pytest.approx(0.72)


@pytest.mark.parametrize("seconds", [None, 0])
def test_a_canary_that_has_not_ended_or_never_ran_has_cost_nothing_yet(seconds: int | None) -> None:
    assert canary_cost(a_canary(billable_seconds=seconds), PRICES) == 0
    assert canary_cost(a_canary(billable_seconds=seconds), None) == 0


@pytest.mark.parametrize("prices", [None, PRICES.only([])], ids=["no list", "no price"])
def test_what_a_canary_costs_is_unknown_without_a_price(prices: PriceList | None) -> None:
    assert canary_cost(a_canary(billable_seconds=90), prices) is None


def test_what_canaries_cost_is_in_the_cost_of_the_run() -> None:
    run = with_canaries(None, a_canary(billable_seconds=HOUR), a_canary(2, billable_seconds=HOUR))
    assert cost_so_far(run, NOON) == account_of(run, NOON).cost_usd == pytest.approx(0.24 + 0.48)


def test_a_canary_without_a_price_leaves_the_cost_of_the_run_unknown() -> None:
    run = with_canaries(9, a_canary(billable_seconds=HOUR), a_canary(instance_type="ml.c5.xlarge", billable_seconds=9))
    assert cost_so_far(run, NOON) is None
    no = check_money(run, placed(M5), NOON)
    assert no is not None
    assert no.because.startswith("policy.budgets.money_usd needs the price of ml.c5.xlarge, but ")


def holds(money: float, *canaries: Canary) -> bool:
    return check_money(with_canaries(money, *canaries), placed(M5), NOON) is None


def test_a_money_budget_keeps_what_a_canary_may_cost_at_most_until_its_seconds_are_known() -> None:
    assert holds(WORST + 2 * BOUND, a_canary(2))
    assert not holds(WORST + 2 * BOUND - 0.0001, a_canary(2))
    assert holds(WORST + 2 * BOUND, a_canary(), a_canary())
    assert not holds(WORST + 2 * BOUND - 0.0001, a_canary(), a_canary())
    assert holds(WORST + BOUND, a_canary(status=CanaryStatus.ENDED, phase="Stopped"))
    assert not holds(WORST + BOUND - 0.0001, a_canary(status=CanaryStatus.ENDED, phase="Stopped"))


def test_once_they_are_known_it_keeps_no_more_than_they_cost() -> None:
    ended = a_canary(status=CanaryStatus.ENDED, billable_seconds=30)
    assert holds(WORST + 0.002, ended)
    assert not holds(WORST + 0.0019, ended)


@pytest.mark.parametrize(
    "canary",
    [
        a_canary(status=status, refusal=refusal)
        for status in (CanaryStatus.PLANNED, CanaryStatus.ENDED)
        for refusal in Refusal
        if not refusal.leaves_open
    ],
    ids=lambda canary: f"{canary.status}, {canary.refusal}",
)
def test_it_keeps_nothing_for_a_canary_that_was_never_created(canary: Canary) -> None:
    assert holds(WORST, canary)


@pytest.mark.parametrize("refusal", [None, Refusal.THROTTLED, Refusal.UNAVAILABLE])
@pytest.mark.parametrize("status", [CanaryStatus.PLANNED, CanaryStatus.ENDED])
def test_it_keeps_the_most_that_a_canary_may_cost_while_nobody_knows_whether_it_exists(
    status: CanaryStatus, refusal: Refusal | None
) -> None:
    assert holds(WORST + BOUND, a_canary(status=status, refusal=refusal))
    assert not holds(WORST + BOUND - 0.0001, a_canary(status=status, refusal=refusal))


def test_a_canary_that_may_exist_and_has_no_price_is_more_than_a_money_budget_can_count() -> None:
    no = check_money(with_canaries(9, a_canary(), a_canary(instance_type="ml.c5.xlarge")), placed(M5), NOON)
    assert no is not None
    assert no.because.startswith("policy.budgets.money_usd needs the price of ml.c5.xlarge, but ")


def test_a_budget_that_lacks_the_price_of_a_canary_names_it_while_the_attempt_trains() -> None:
    run = with_canaries(9, a_canary(instance_type="ml.c5.xlarge"))
    trains = replace(run.current, status=AttemptStatus.IN_PROGRESS, training_started_at=NOON)
    no = check_money(run.with_attempt(trains), placed(M5), NOON + timedelta(minutes=5))
    assert no is not None
    assert no.because.startswith("policy.budgets.money_usd needs the price of ml.c5.xlarge, but ")


def test_a_run_that_its_budget_ends_says_what_it_keeps_for_canaries() -> None:
    no = check_money(with_canaries(WORST, a_canary()), placed(M5), NOON)
    assert no is not None
    assert no.because.endswith(
        " Canaries whose cost is not known yet may cost up to 0.0800 USD. Set policy.budgets.money_usd to 0.1600 or "
        "more, or lower MaxRuntimeInSeconds."
    )


@dataclass
class AnswersLost(MemoryTrainingJobs):
    """A SageMaker that creates canaries and loses its answers."""

    def create(self, launch: Launch) -> Created | NotCreated:
        answer = super().create(launch)
        if CANARY_TAG not in launch.tags:
            return answer
        return NotCreated("SageMaker did not answer: Read timeout.", Refusal.UNAVAILABLE)


def with_a_canary_and_little_money(jobs: Callable[[Clock], MemoryTrainingJobs]) -> World:
    """A run that trains on demand at 9 USD an hour, for 9 USD at most, and has sent a canary for 3 USD at most."""
    world = World(prices=MemoryPrices(PriceList("a list", NOON, {M5: Price(9.0)})))
    world.jobs = jobs(world.clock)
    world.service = replace(world.service, jobs=world.jobs)
    first = (Rung(placed(M5, market=Market.ON_DEMAND)), Rung(placed(M5)))
    known = deadline(48 * HOUR, expected_runtime_seconds=HOUR, ladder=first, return_to_spot=ReturnToSpot.CANARY)
    world.service.submit(submission(replace(known, budgets=Budgets(user_errors=5, money_usd=12.6))))
    world.trains(1, 0)
    for key in "ab":
        world.passes(300)
        world.checkpoint(key)
    world.passes(60)
    return world


@pytest.mark.parametrize("jobs", [MemoryTrainingJobs, AnswersLost])
def test_a_canary_whose_answer_was_lost_counts_as_one_that_was_answered(
    jobs: Callable[[Clock], MemoryTrainingJobs],
) -> None:
    world = with_a_canary_and_little_money(jobs)
    assert "churn-canary-01" in world.jobs.jobs
    reason = "AlgorithmError: exit code 1"
    run = world.tell(1, "Failed", "Failed", failure_reason=reason, training_seconds=800, billable_seconds=800)
    run = world.passes(60)
    assert (run.status, len(run.attempts)) == (RunStatus.FAILED, 1)
    assert "policy.budgets.money_usd is 12.60 USD. 2.00 USD is spent" in run.reason


def test_a_canary_that_was_refused_for_want_of_room_takes_no_money_from_the_next_attempt() -> None:
    def full(clock: Clock) -> MemoryTrainingJobs:
        return CanariesRefused(clock)

    world = with_a_canary_and_little_money(full)
    assert world.run().canary is not None
    assert "churn-canary-01" not in world.jobs.jobs
    world.tell(
        1, "Failed", "Failed", failure_reason="AlgorithmError: exit 1", training_seconds=800, billable_seconds=800
    )
    assert len(world.passes(60).attempts) == 2


@dataclass
class CanariesRefused(MemoryTrainingJobs):
    """A SageMaker whose spot quota is full."""

    def create(self, launch: Launch) -> Created | NotCreated:
        return NotCreated("Full.", Refusal.QUOTA_FULL) if CANARY_TAG in launch.tags else super().create(launch)


def test_what_it_keeps_is_at_the_price_that_a_canary_is_billed_at() -> None:
    dear = PriceList("a list", NOON, {M5: Price(2.4, 0.08)})
    run = with_canaries(WORST + 10 * BOUND, a_canary(), prices=dear)
    assert check_money(run, placed(M5), NOON) is None
    short = with_canaries(WORST + 10 * BOUND - 0.001, a_canary(), prices=dear)
    assert check_money(short, placed(M5), NOON) is not None


def on_demand_for(money: float | None, *canaries: Canary, prices: PriceList = PRICES) -> Run:
    """A run whose third attempt trains on demand, for at most an hour at 0.24 USD; two have cost 0.06 USD each."""
    run = with_canaries(money, *canaries, prices=prices)
    ended = replace(run.current, status=AttemptStatus.ENDED, training_seconds=HOUR, billable_seconds=HOUR // 4)
    on_demand = replace(run.current, placement=placed(M5, market=Market.ON_DEMAND), status=AttemptStatus.IN_PROGRESS)
    lives = replace(on_demand, number=3, training_started_at=NOON - timedelta(minutes=30))
    return replace(run, attempts=(ended, replace(ended, number=2), lives))


def test_a_canary_is_paid_for_beside_all_that_the_attempt_may_cost_and_what_was_spent_before_it() -> None:
    enough = 0.12 + 0.24 + BOUND
    assert pays_for_canary(on_demand_for(enough), placed(M5), NOON)
    assert not pays_for_canary(on_demand_for(enough - 0.0001), placed(M5), NOON)
    assert pays_for_canary(on_demand_for(enough + BOUND), placed(M5, 2), NOON)
    assert not pays_for_canary(on_demand_for(enough + BOUND - 0.0001), placed(M5, 2), NOON)
    assert pays_for_canary(on_demand_for(None), placed(M5), NOON)


@pytest.mark.parametrize(("price", "pays"), [(1 + 1e-9, True), (1 + 2e-9, False)])
def test_what_rounding_may_have_put_above_the_budget_still_pays_for_a_canary(price: float, pays: bool) -> None:
    run = with_canaries(1.0, prices=PriceList("a list", NOON, {M5: Price(0.0), "ml.g5.xlarge": Price(price)}))
    on_demand = replace(run.current, placement=placed("ml.g5.xlarge", market=Market.ON_DEMAND))
    assert pays_for_canary(run.with_attempt(on_demand), placed(M5), NOON) == pays


def test_an_earlier_attempt_that_is_not_known_to_have_ended_is_counted_until_now() -> None:
    run = on_demand_for(0.12 + 0.24 + BOUND)
    first = replace(run.attempts[0], training_seconds=None, billable_seconds=None, training_started_at=NOON)
    assert pays_for_canary(run.with_attempt(first), placed(M5), NOON + timedelta(minutes=45))
    assert not pays_for_canary(run.with_attempt(first), placed(M5), NOON + timedelta(minutes=46))


def test_an_earlier_canary_is_counted_at_its_worst_until_its_seconds_are_known() -> None:
    enough = 0.12 + 0.24 + BOUND
    earlier = a_canary(status=CanaryStatus.ENDED, phase="Stopped")
    assert pays_for_canary(on_demand_for(enough + BOUND, earlier), placed(M5), NOON)
    assert not pays_for_canary(on_demand_for(enough + BOUND - 0.0001, earlier), placed(M5), NOON)
    known = replace(earlier, billable_seconds=30)
    assert pays_for_canary(on_demand_for(enough + 0.002, known), placed(M5), NOON)
    assert not pays_for_canary(on_demand_for(enough + 0.0019, known), placed(M5), NOON)


def test_a_canary_without_a_price_is_not_paid_for() -> None:
    assert not pays_for_canary(on_demand_for(99.0), placed("ml.c5.xlarge"), NOON)


def ahead(money: float, way: ReturnToSpot) -> World:
    """A run on demand that may cost 21 USD and is ahead of its pace; a canary may cost a third of a dollar."""
    world = World(prices=MemoryPrices(PriceList("a list", NOON, {M5: Price(1.0, 0.3)})))
    first = (Rung(placed(M5, market=Market.ON_DEMAND)), Rung(placed(M5)))
    known = deadline(100 * HOUR, expected_runtime_seconds=20 * HOUR, ladder=first, return_to_spot=way)
    hours_21 = {"MaxRuntimeInSeconds": 21 * HOUR, "MaxWaitTimeInSeconds": 21 * HOUR}
    world.service.submit(submission(replace(known, budgets=Budgets(money_usd=money)), StoppingCondition=hours_21))
    world.trains(1, 0)
    world.passes(HOUR)
    world.checkpoint("a")
    world.passes(HOUR)
    return world


@pytest.mark.parametrize(("money", "sent"), [(21.0, False), (21.3, False), (21.4, True)])
def test_a_canary_is_sent_only_where_the_money_budget_pays_for_it_beside_the_attempt(money: float, sent: bool) -> None:
    world = ahead(money, ReturnToSpot.CANARY)
    assert ("churn-canary-01" in world.live_jobs()) == sent


def test_a_canary_that_was_paid_for_needs_no_more_money_for_the_move() -> None:
    world = ahead(21.4, ReturnToSpot.CANARY)
    world.canary_tells(1, "InProgress", "Training", training_started_at=world.clock())
    world.passes(60)
    assert world.jobs.stopped == ["churn-relay-01"]


def test_a_run_that_returns_without_a_canary_needs_no_money_for_one() -> None:
    assert ahead(21.0, ReturnToSpot.BLIND).jobs.stopped == ["churn-relay-01"]


def test_the_arn_of_a_canary_is_known_from_its_creation_and_from_its_description() -> None:
    world = ahead(21.4, ReturnToSpot.CANARY)
    canary, arn = world.run().canary, world.jobs.jobs["churn-canary-01"].arn
    assert canary is not None
    assert canary.arn == arn
    unknown = world.run().with_canary(replace(canary, status=CanaryStatus.PLANNED, arn=None))
    created = decide(unknown, Facts(CanaryCreated(1, "told by its creation")), NOON).run.canary
    assert created is not None
    assert created.arn == "told by its creation"
    world.store.runs["churn"] = world.run().with_canary(replace(canary, arn=None))
    world.passes(300)
    assert world.run().canary == canary


@pytest.mark.parametrize(
    ("usd", "shown"),
    [(0.0, "0.00"), (0.5, "0.5000"), (1.0, "1.00"), (1.5, "1.50"), (1.994, "1.99")],
)
def test_amounts_are_shown_in_cents_and_below_a_dollar_in_hundredths_of_them(usd: float, shown: str) -> None:
    run = with_canaries(usd)
    no = check_money(run, placed("ml.p3.2xlarge"), NOON)
    assert no is not None
    assert no.because.startswith(f"policy.budgets.money_usd is {shown} USD. 0.00 USD ")
