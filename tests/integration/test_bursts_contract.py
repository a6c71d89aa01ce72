"""All stores of bursts keep the same promises: the one in memory, and the table of the template."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from spot_relay.adapters.bursts import DynamoDBBursts
from spot_relay.domain.run.template import Burst
from tests.fakes import NOON, MemoryBursts
from tests.template import create_runs_table

if TYPE_CHECKING:
    from spot_relay.ports import Bursts
    from tests.integration.fake_aws import FakeAWS

TABLE = "runs"
PLACE = ("templates/churn.yaml", "data", "monday/")
FIRST, SECOND, THIRD = (Burst(f"churn-{number}", NOON + timedelta(microseconds=number)) for number in range(3))


@pytest.fixture(params=["memory", "dynamodb"])
def bursts(request: pytest.FixtureRequest) -> Bursts:
    if request.param == "memory":
        return MemoryBursts()
    aws: FakeAWS = request.getfixturevalue("aws")
    create_runs_table(aws.client("dynamodb"), TABLE)
    return DynamoDBBursts(aws.client("dynamodb"), TABLE, timedelta(days=90))


def test_a_burst_is_known_as_it_was_opened_and_only_in_its_place(bursts: Bursts) -> None:
    assert bursts.load(*PLACE) is None
    assert bursts.open(*PLACE, FIRST, None)
    assert bursts.load(*PLACE) == FIRST
    for other in (("templates/b.yaml", "data", "monday/"), (PLACE[0], "b", "monday/"), (*PLACE[:2], "mon")):
        assert bursts.load(*other) is None


def test_of_two_that_open_a_burst_at_once_only_the_first_does(bursts: Bursts) -> None:
    assert bursts.open(*PLACE, FIRST, None)
    assert not bursts.open(*PLACE, SECOND, None)
    assert bursts.open(*PLACE, SECOND, FIRST)
    assert not bursts.open(*PLACE, THIRD, FIRST)
    assert bursts.load(*PLACE) == SECOND


def test_keys_of_the_longest_form_a_place_as_well(bursts: Bursts) -> None:
    place = (f"templates/{'t' * 1014}", "data", f"{'é' * 500}/")
    assert bursts.open(*place, FIRST, None)
    assert bursts.load(*place) == FIRST


def test_a_burst_expires_after_its_run_may_have_and_no_event_of_it_can_come(aws: FakeAWS) -> None:
    create_runs_table(aws.client("dynamodb"), TABLE)
    DynamoDBBursts(aws.client("dynamodb"), TABLE, timedelta(days=90)).open(*PLACE, FIRST, None)
    (item,) = aws.client("dynamodb").scan(TableName=TABLE)["Items"]
    assert int(item["expires_at"]["N"]) == int((NOON + timedelta(days=104)).timestamp())
