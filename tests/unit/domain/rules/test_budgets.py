"""Budgets: each is counted by itself, none is ever exceeded, and a run that gives up says which one ended it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.run.observation import ResumeRequested
from spot_relay.domain.run.policy import Budgets, Policy, Rung, Spent
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.service import RejectedError, UnacceptableError
from tests.fakes import NOON
from tests.unit.priced import ENDS, HOUR, M5, P3, TOO_SMALL, priced
from tests.unit.worlds import World, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

KINDS = pytest.mark.parametrize("kind", list(ENDS))


def budgets_of(**given: Any) -> Policy:
    """A policy with these budgets and no others."""
    return Policy(budgets=Budgets(**(dict.fromkeys(asdict(Spent()), 0) | given)))


def ends(world: World, kind: str, **more: Any) -> Run:
    """Let the newest attempt end so."""
    status, secondary, changes = ENDS[kind]
    world.clock.passes(60)
    return world.tell(world.run().current.number, status, secondary, **changes, **more)


def waits(world: World) -> Run:
    """Let a backoff pass."""
    for _ in range(20):
        world.clock.passes(60)
        world.tick()
    return world.run()


def test_each_kind_of_end_draws_on_a_budget_of_its_own() -> None:
    world = World()
    world.service.submit(submission(budgets_of(**dict.fromkeys(ENDS, 2))))
    for turn in (1, 2):
        for kind in ENDS:
            ends(world, kind)
            assert getattr(waits(world).spent, kind) == turn
    assert world.run().status is RunStatus.IN_PROGRESS
    assert world.run().spent == Spent(2, 2, 2, 2, 0)


@KINDS
def test_a_budget_allows_as_many_relaunches_as_it_says_and_its_end_names_it_and_what_lets_the_run_go_on(
    kind: str,
) -> None:
    world = World()
    world.service.submit(submission(budgets_of(**{kind: 2})))
    for _ in range(2):
        ends(world, kind)
        assert waits(world).status is RunStatus.IN_PROGRESS
    run = ends(world, kind)
    assert run.status is RunStatus.FAILED
    assert len(run.attempts) == 3
    assert f"policy.budgets.{kind}" in run.reason


@KINDS
def test_what_is_left_of_other_budgets_helps_nobody(kind: str) -> None:
    world = World()
    world.service.submit(submission(budgets_of(**{other: 50 for other in ENDS if other != kind})))
    assert ends(world, kind).status is RunStatus.FAILED


def test_training_that_leaves_nothing_draws_on_two_budgets_and_the_one_that_is_spent_is_named() -> None:
    world = World()
    world.service.submit(submission(budgets_of(expired_waits=5, attempts_without_progress=1)))
    for number in (1, 2):
        world.trains(number)
        ends(world, "expired_waits", training_seconds=600)
    run = world.run()
    assert run.status is RunStatus.FAILED
    assert run.spent == Spent(expired_waits=1, attempts_without_progress=1)
    assert "policy.budgets.attempts_without_progress" in run.reason


def test_progress_between_gives_nothing_back() -> None:
    world = World()
    world.service.submit(submission(budgets_of(expired_waits=5, attempts_without_progress=1)))
    for number in (1, 2, 3):
        world.trains(number)
        if number == 2:
            world.checkpoint("a")
        ends(world, "expired_waits", training_seconds=600)
    assert world.run().status is RunStatus.FAILED
    assert world.run().spent == Spent(expired_waits=2, attempts_without_progress=1)


@KINDS
def test_a_resumption_begins_to_count_anew(kind: str) -> None:
    world = World()
    world.service.submit(submission(budgets_of(**{kind: 1})))
    ends(world, kind)
    waits(world)
    ends(world, kind)
    assert world.service.resume("churn").spent == Spent()
    ends(world, kind)
    assert waits(world).status is RunStatus.IN_PROGRESS
    assert ends(world, kind).status is RunStatus.FAILED


@KINDS
def test_a_resumption_can_raise_a_budget_and_leaves_the_others(kind: str) -> None:
    world = World()
    world.service.submit(submission(budgets_of()))
    ends(world, kind)
    run = world.service.resume("churn", ResumeRequested({kind: 2}))
    assert run.policy.budgets == budgets_of(**{kind: 2}).budgets
    for _ in range(2):
        ends(world, kind)
        assert waits(world).status is RunStatus.IN_PROGRESS
    assert ends(world, kind).status is RunStatus.FAILED


def test_a_switch_of_rungs_is_paid_from_the_same_budgets() -> None:
    ladder = (Rung(Placement(M5, 1, Market.SPOT)), Rung(Placement(P3, 1, Market.SPOT)))
    world = World()
    world.service.submit(submission(Policy(Budgets(expired_waits=3), ladder=ladder)))
    for _ in range(4):
        ends(world, "expired_waits")
    assert world.run().status is RunStatus.FAILED
    assert len(world.run().attempts) == 4


def test_what_is_left_of_the_budgets_is_in_the_status_document() -> None:
    world = World()
    world.service.submit(submission(budgets_of(expired_waits=3)))
    assert world.documents.written["churn"]["spent"]["expired_waits"] == 0
    ends(world, "expired_waits")
    document = world.documents.written["churn"]
    assert (document["spent"]["expired_waits"], document["budgets"]["expired_waits"]) == (1, 3)


# Money


SPOT, COSTLY = Rung(Placement(M5, 1, Market.SPOT)), Rung(Placement(P3, 1, Market.ON_DEMAND))


def trained(world: World, kind: str = "expired_waits") -> Run:
    """Let the newest attempt train for an hour, leave a checkpoint, and end so."""
    number = world.run().current.number
    world.trains(number, HOUR)
    world.checkpoint(f"checkpoint-{number}")
    return ends(world, kind, training_seconds=HOUR, billable_seconds=HOUR // 3)


def test_an_attempt_that_could_pass_the_money_budget_is_not_launched_and_the_run_says_what_lets_it_go_on() -> None:
    world = priced()
    world.service.submit(submission(Policy(Budgets(money_usd=0.2))))
    trained(world)
    assert world.run().status is RunStatus.IN_PROGRESS
    run = trained(world)
    assert run.status is RunStatus.FAILED
    assert len(world.jobs.requests) == 2
    assert "policy.budgets.money_usd set to 0.2400 or more" in run.reason


def test_a_resumption_with_more_money_goes_on_and_one_without_is_rejected() -> None:
    world = priced()
    world.service.submit(submission(Policy(Budgets(money_usd=0.1))))
    trained(world)
    with pytest.raises(RejectedError, match=r"money_usd set to 0\.1600 or more"):
        world.service.resume("churn")
    with pytest.raises(RejectedError, match=r"money_usd is 0\.1590 USD"):
        world.service.resume("churn", ResumeRequested({"money_usd": 0.159}))
    assert world.run().status is RunStatus.FAILED
    run = world.service.resume("churn", ResumeRequested({"money_usd": 0.16}))
    assert run.status is RunStatus.IN_PROGRESS
    assert len(world.jobs.requests) == 2


def test_money_that_was_spent_before_a_resumption_stays_spent() -> None:
    world = priced()
    world.service.submit(submission(Policy(Budgets(money_usd=0.16, expired_waits=0))))
    trained(world)
    world.service.resume("churn")
    trained(world)
    with pytest.raises(RejectedError, match=r"0\.1600 USD is spent"):
        world.service.resume("churn")


def test_a_rung_of_the_ladder_that_became_too_dear_ends_the_run() -> None:
    world = priced()
    world.service.submit(submission(Policy(Budgets(money_usd=3.65), ladder=(SPOT, COSTLY))))
    run = trained(world)
    assert run.status is RunStatus.FAILED
    assert "an attempt on 1 x ml.p3.2xlarge (on-demand) may cost up to 3.60 USD" in run.reason


def test_a_quota_that_holds_nothing_moves_no_run_to_a_rung_that_it_cannot_pay() -> None:
    world = priced()
    world.service.submit(submission(Policy(Budgets(money_usd=3.65), ladder=(SPOT, SPOT, COSTLY))))
    world.clock.passes(HOUR)
    world.jobs.refusals = [(Refusal.QUOTA_TOO_SMALL, TOO_SMALL)]
    run = trained(world)
    assert run.status is RunStatus.FAILED
    assert len(world.jobs.requests) == 1
    assert "service limit 'ml.m5.xlarge for spot training job usage'" in run.reason
    assert "policy.budgets.money_usd set to 3.68 or more" in run.reason


def test_a_run_that_was_never_launched_cannot_be_resumed_with_less_money_than_it_may_cost() -> None:
    world = priced()
    world.jobs.refusals = [(Refusal.INVALID, "the role can't be assumed")]
    world.service.submit(submission(Policy(Budgets(money_usd=1))))
    with pytest.raises(RejectedError, match=r"money_usd set to 0\.0800 or more"):
        world.service.resume("churn", ResumeRequested({"money_usd": 0.07}))
    assert world.run().status is RunStatus.FAILED
    assert world.jobs.requests == []
    assert world.service.resume("churn").status is RunStatus.IN_PROGRESS


def test_a_ladder_that_could_never_be_paid_is_not_accepted() -> None:
    world = priced()
    with pytest.raises(UnacceptableError, match=r"may cost up to 3.60 USD"):
        world.service.submit(submission(Policy(Budgets(money_usd=3.5), ladder=(SPOT, COSTLY))))


def test_without_a_price_a_money_budget_is_not_accepted() -> None:
    with pytest.raises(UnacceptableError, match=r"needs the price of ml.m5.xlarge"):
        World().service.submit(submission(Policy(Budgets(money_usd=3.5))))


def test_a_run_keeps_the_prices_of_its_submission() -> None:
    world = priced()
    world.service.submit(submission(Policy(Budgets(money_usd=0.16))))
    world.prices.write(PriceList("another list", NOON, {M5: Price(24, 8)}))
    assert trained(world).status is RunStatus.IN_PROGRESS
