"""Runs and placements with prices, as values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spot_relay.domain.decide.acceptance import accept
from spot_relay.domain.run.outbox import Outbox
from spot_relay.domain.run.policy import Budgets, Policy
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.sagemaker.job import Market, Placement
from tests.fakes import NOON
from tests.unit.worlds import submission

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

M5, P3 = "ml.m5.xlarge", "ml.p3.2xlarge"
PRICES = PriceList("s3://prices/list.json", NOON, {M5: Price(0.24, 0.08), P3: Price(3.6)})


def a_run(money: float | None = None, prices: PriceList | None = PRICES, **changes: Any) -> Run:
    """A run of one spot attempt on ml.m5.xlarge, for an hour at most, that is being launched."""
    policy = Policy(budgets=Budgets(money_usd=money))
    return replace(accept(submission(policy, **changes), "one", NOON, prices), prices=prices)


def accepted(policy: Policy | None = None, **attempt: Any) -> Run:
    """A run whose first launch is under way, with what is known of its attempt."""
    run = replace(accept(submission(policy), "one", NOON, PRICES), outbox=Outbox())
    return run.with_attempt(replace(run.current, **attempt))


def placed(instance_type: str, count: int = 1, market: Market = Market.SPOT) -> Placement:
    return Placement(instance_type, count, market)
