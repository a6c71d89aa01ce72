"""What `spot-relay plan` draws and adds to the API's answer."""

from __future__ import annotations

import copy
import io
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from spot_relay_client.account_view import add_quotas
from spot_relay_client.cli.plan_view import draw_plan
from tests.plan_picture import PICTURE, plan_example, render_picture

if TYPE_CHECKING:
    from rich.console import RenderableType


def drawn(renderable: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=160, highlight=False)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def row(plan: dict[str, Any], beginning: str) -> str:
    return next(" ".join(line.split()) for line in drawn(draw_plan(plan)).splitlines() if line.startswith(beginning))


def test_a_placement_shows_price_limit_quota_and_place_in_the_queue() -> None:
    plan = plan_example()
    assert row(plan, "1 ") == "1 1 x ml.p3.8xlarge (spot) $14.69 $4.40 3 of 4 used 2 place 2, after resnet-weekly"
    assert row(plan, "2 ") == "2 1 x ml.p3.8xlarge (on-demand) $14.69 $4.40 3 of 4 used 4 free"


def test_a_deadline_shows_when_the_run_finishes_and_when_on_demand_begins() -> None:
    plan = plan_example()
    assert row(plan, "finish") == "finish 2026-11-30 14:15 UTC to 2026-12-01 11:42 UTC"
    assert row(plan, "without spot") == "without spot on-demand from 2026-11-30 03:33 UTC"
    assert row(plan, "cost") == "cost $115.50 at best, $479.79 at worst, $385.56 on-demand"


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"after": [{"run_id": "a", "has_completed": False}, {"run_id": "b", "has_completed": False}]}, "a, b"),
        ({"at": "2026-12-01T06:00:00.000Z"}, "a, 2026-12-01 06:00 UTC"),
        ({"continue_from": "a"}, "a, continues from the model of a"),
        ({"continue_from": "a", "checkpoint": True}, "a, continues from a copy of the checkpoints of a"),
    ],
)
def test_it_shows_what_a_run_waits_for_and_continues_from(changes: dict[str, Any], shown: str) -> None:
    start = {"waits": True, "at": None, "after": [{"run_id": "a", "has_completed": False}], "continue_from": None}
    assert row(plan_example() | {"start": start | changes}, "starts after") == f"starts after {shown}"


def test_what_is_not_known_is_shown_as_unknown() -> None:
    plan = copy.deepcopy(plan_example())
    plan |= {"deadline": None, "prices": None, "cost": {"best_usd": None, "worst_usd": None, "on_demand_usd": None}}
    plan["placements"][1] |= {"spot_usd_per_hour": None, "on_demand_usd_per_hour": None, "limit": None, "quota": None}
    assert row(plan, "2 ") == "2 1 x ml.p3.8xlarge (on-demand) unknown unknown none unknown free"
    assert row(plan, "cost") == "cost unknown at best, unknown at worst, unknown on-demand"
    assert "deadline" not in drawn(draw_plan(plan))


def test_it_says_why_a_run_would_fail() -> None:
    plan = copy.deepcopy(plan_example())
    plan["outlooks"]["spot_never"] |= {"status": "Failed", "reason": "The wait expired."}
    assert "If spot never comes: The wait expired." in drawn(draw_plan(plan))


def test_a_quota_belongs_to_its_instance_type_and_market() -> None:
    (spot, paid) = add_quotas(plan_example(), [("ml.p3.8xlarge for spot training job usage", 1.0)])["placements"]
    assert spot["quota"] == {"limit": 1.0, "used": None, "source": "Service Quotas"}
    assert paid["quota"] is None


def test_the_recording_in_the_docs_is_current() -> None:
    assert PICTURE.read_text("utf-8") == render_picture(), "Run `make plan-picture`."
