"""The document of a plan in full, and what its figures sum up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.domain.plan.document import plan_document
from spot_relay.domain.plan.jobs import Luck
from spot_relay.domain.plan.plan import Outlook, Plan, Room, Step
from spot_relay.domain.run.prices import Price, PriceList
from spot_relay.domain.run.run import RunStatus
from spot_relay.domain.run.start import Start
from spot_relay.domain.sagemaker.job import Market, Placement
from tests.fakes import NOON

if TYPE_CHECKING:
    from datetime import datetime

SPOT, PAID = Placement("ml.m5.xlarge", 2, Market.SPOT), Placement("ml.g5.xlarge", 1, Market.ON_DEMAND)


def at(hour: int) -> datetime:
    return NOON + timedelta(hours=hour)


FULL = Room(limit=4, used=3, waiting=2, oldest="first", because="It is full.", as_of=at(-1))
PLAN = Plan(
    run_id="churn",
    as_of=NOON,
    steps=(Step(SPOT, 0, 3, Price(0.24, 0.08), FULL), Step(PAID, 1, None, None, Room())),
    training_seconds=7200,
    is_training_known=True,
    startup_seconds=600,
    deadline_at=at(8),
    outlooks={
        Luck.AT_ONCE: Outlook(RunStatus.COMPLETED, "It has completed.", at(2), 1, None, 0.123),
        Luck.NEVER: Outlook(RunStatus.COMPLETED, "It has completed.", at(7), 2, at(5), 1.234),
        Luck.LOST: Outlook(RunStatus.COMPLETED, "It has completed.", at(6), 3, at(4), 2.345),
    },
    on_demand_usd=1.117,
    is_spot_priced=True,
    prices=PriceList("a list", at(-2), {"ml.m5.xlarge": Price(0.24, 0.08)}),
    start=Start(),
)


def outlook(
    ended: str | None, attempts: int, on_demand: str | None, usd: float | None, **others: Any
) -> dict[str, Any]:
    return {
        "status": "Completed",
        "reason": "It has completed.",
        "ended_at": ended,
        "attempts": attempts,
        "on_demand_from": on_demand,
        "cost_usd": usd,
        **others,
    }


DOCUMENT = {
    "run_id": "churn",
    "as_of": "2026-11-23T12:00:00.000Z",
    "start": None,
    "placements": [
        {
            "order": 1,
            "rung": 0,
            "attempts": 3,
            "instance_type": "ml.m5.xlarge",
            "instance_count": 2,
            "market": "spot",
            "on_demand_usd_per_hour": 0.24,
            "spot_usd_per_hour": 0.08,
            "limit": {"limit": 4, "used": 3, "source": "the stack's parameter AttemptLimits"},
            "queue": {
                "place": 3,
                "waiting": 2,
                "oldest": {"run_id": "first", "message": "It is full.", "at": "2026-11-23T11:00:00.000Z"},
            },
        },
        {
            "order": 2,
            "rung": 1,
            "attempts": None,
            "instance_type": "ml.g5.xlarge",
            "instance_count": 1,
            "market": "on-demand",
            "on_demand_usd_per_hour": None,
            "spot_usd_per_hour": None,
            "limit": None,
            "queue": {"place": 1, "waiting": 0, "oldest": None},
        },
    ],
    "training_seconds": 7200,
    "training_seconds_from": "policy.expected_runtime",
    "startup_seconds": 600,
    "deadline": {
        "at": "2026-11-23T20:00:00.000Z",
        "earliest_finish": "2026-11-23T14:00:00.000Z",
        "latest_finish": "2026-11-23T19:00:00.000Z",
        "on_demand_from": "2026-11-23T17:00:00.000Z",
    },
    "cost": {"best_usd": 0.12, "worst_usd": 2.35, "on_demand_usd": 1.12},
    "prices": {"source": "a list", "as_of": "2026-11-23T10:00:00.000Z"},
    "outlooks": {
        "spot_at_once": outlook("2026-11-23T14:00:00.000Z", 1, None, 0.12),
        "spot_never": outlook("2026-11-23T19:00:00.000Z", 2, "2026-11-23T17:00:00.000Z", 1.23),
        "spot_lost": outlook("2026-11-23T18:00:00.000Z", 3, "2026-11-23T16:00:00.000Z", 2.35),
    },
}


def test_a_document_has_all_that_its_plan_knows() -> None:
    assert plan_document(PLAN) == DOCUMENT


def test_what_a_plan_does_not_know_is_null() -> None:
    unpriced = {luck: replace(one, cost_usd=None, ended_at=None) for luck, one in PLAN.outlooks.items()}
    least = replace(PLAN, outlooks=unpriced, is_training_known=False, deadline_at=None, on_demand_usd=None, prices=None)
    assert plan_document(least) == DOCUMENT | {
        "training_seconds_from": "StoppingCondition.MaxRuntimeInSeconds",
        "deadline": None,
        "cost": {"best_usd": None, "worst_usd": None, "on_demand_usd": None},
        "prices": None,
        "outlooks": {
            "spot_at_once": outlook(None, 1, None, None),
            "spot_never": outlook(None, 2, "2026-11-23T17:00:00.000Z", None),
            "spot_lost": outlook(None, 3, "2026-11-23T16:00:00.000Z", None),
        },
    }


@pytest.mark.parametrize(
    ("start", "waits"), [(Start(template="churn.yaml", at_most=2), True), (Start(template="churn.yaml"), False)]
)
def test_a_document_says_what_its_run_waits_for(start: Start, *, waits: bool) -> None:
    found = plan_document(replace(PLAN, start=start))["start"]
    assert (found["template"], found["at_most"], found["waits"]) == ("churn.yaml", start.at_most, waits)


@pytest.mark.parametrize(
    ("changes", "earliest", "latest"),
    [
        ({"deadline_at": None}, at(2), None),
        ({"outlooks": PLAN.outlooks | {Luck.LOST: Outlook(RunStatus.FAILED, "No.", at(9), 1, None, 1.0)}}, at(2), None),
        (
            {"outlooks": PLAN.outlooks | {Luck.AT_ONCE: Outlook(RunStatus.FAILED, "No.", at(9), 1, None, 1.0)}},
            None,
            None,
        ),
    ],
)
def test_the_latest_finish_is_known_only_with_a_deadline_and_if_every_luck_leads_to_it(
    changes: dict[str, Any], earliest: datetime | None, latest: datetime | None
) -> None:
    found = replace(PLAN, **changes)
    assert (found.earliest_finish, found.latest_finish) == (earliest, latest)


def test_the_worst_cost_is_known_only_if_that_of_every_luck_is() -> None:
    one_unknown = PLAN.outlooks | {Luck.NEVER: replace(PLAN.outlooks[Luck.NEVER], cost_usd=None)}
    found = replace(PLAN, outlooks=one_unknown)
    assert (found.best_usd, found.worst_usd) == (0.123, None)
