"""The price list is kept in memory as in the table."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from spot_relay.adapters.prices import DynamoDBPrices
from spot_relay.adapters.runs import DynamoDBRunStore
from spot_relay.domain.run.prices import Price, PriceList
from tests.fakes import NOON, MemoryPrices
from tests.integration.runs import a_run
from tests.template import create_runs_table

if TYPE_CHECKING:
    from spot_relay.ports import Prices
    from tests.integration.fake_aws import FakeAWS

TABLE = "runs"
LIST = PriceList("s3://prices/list.json", NOON, {"ml.p3.2xlarge": Price(3.825, 1.15), "ml.m5.xlarge": Price(0.23)})


@pytest.fixture
def table(aws: FakeAWS) -> DynamoDBPrices:
    create_runs_table(aws.client("dynamodb"), TABLE)
    return DynamoDBPrices(aws.client("dynamodb"), TABLE, "us-east-1")


@pytest.fixture(params=["memory", "dynamodb"])
def kept(request: pytest.FixtureRequest) -> MemoryPrices | DynamoDBPrices:
    found: MemoryPrices | DynamoDBPrices = (
        MemoryPrices() if request.param == "memory" else request.getfixturevalue("table")
    )
    return found


def read(port: Prices) -> PriceList | None:
    """Read by the port, as the service does."""
    return port.read()


def test_a_stack_has_no_prices_at_first(kept: MemoryPrices | DynamoDBPrices) -> None:
    assert read(kept) is None


def test_a_list_is_read_as_it_was_written(kept: MemoryPrices | DynamoDBPrices) -> None:
    kept.write(LIST)
    assert read(kept) == LIST


def test_a_newer_list_takes_the_place_of_the_older_one_with_all_its_prices(
    kept: MemoryPrices | DynamoDBPrices,
) -> None:
    kept.write(LIST)
    newer = PriceList("AWS Price List, us-east-1", NOON + timedelta(days=7), {"ml.c5.xlarge": Price(0.2)})
    kept.write(newer)
    assert read(kept) == newer


def test_the_time_of_a_list_is_kept_to_the_microsecond(kept: MemoryPrices | DynamoDBPrices) -> None:
    at = datetime(2026, 1, 1, 23, 59, 59, 999_999, tzinfo=UTC)
    kept.write(replace(LIST, as_of=at))
    found = read(kept)
    assert found is not None
    assert found.as_of == at


def test_each_region_has_its_own_list(table: DynamoDBPrices) -> None:
    table.write(LIST)
    assert replace(table, region="eu-west-1").read() is None


def test_a_list_lies_among_the_runs_and_is_none_of_them(table: DynamoDBPrices) -> None:
    store = DynamoDBRunStore(table.client, TABLE)
    store.create(a_run("churn", NOON, check_at=NOON))
    table.write(LIST)
    assert [due.run_id for due in store.list_due(NOON)] == ["churn"]
    assert [run["run_id"] for run in store.page(None, 25, None)[0]] == ["churn"]


def test_the_age_and_the_source_of_a_list_can_be_seen_in_the_table(table: DynamoDBPrices) -> None:
    table.write(LIST)
    item = table.client.get_item(TableName=TABLE, Key={"id": {"S": "prices#us-east-1"}})["Item"]
    assert (item["as_of"]["S"], item["source"]["S"]) == ("2026-11-23T12:00:00.000Z", "s3://prices/list.json")


def test_a_list_of_every_instance_type_fits_into_an_item(table: DynamoDBPrices) -> None:
    every = {f"ml.family-{number}.48xlarge": Price(12.345678, 1.234567) for number in range(2000)}
    table.write(replace(LIST, by_instance_type=every))
    found = table.read()
    assert found is not None
    assert len(found.by_instance_type) == 2000
