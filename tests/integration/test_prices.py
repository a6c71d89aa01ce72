"""`prices` replaces the stack's price list by what its source tells, or leaves it as it is and says what is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from spot_relay import bootstrap
from spot_relay.adapters.prices import AwsPriceList
from spot_relay.adapters.s3 import S3PriceFile
from spot_relay.domain.run.prices import Price, PriceList, UnusablePricesError
from tests.fakes import NOON
from tests.integration.stack import BUCKET, TABLE, document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.stack import Stack

EVENT = document("prices/every-week")
FILE = f"s3://{BUCKET}/prices.json"
P3 = {"prices": {"ml.p3.2xlarge": {"on_demand_usd": 3.825, "spot_usd": 1.15}}}
ASKED = {
    "ServiceCode": "AmazonSageMaker",
    "FormatVersion": "aws_v1",
    "Filters": [
        {"Type": "EQUALS", "Field": "regionCode", "Value": "us-east-1"},
        {"Type": "CONTAINS", "Field": "usagetype", "Value": "Train"},
    ],
}


@pytest.fixture
def file(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> S3PriceFile:
    """The stack with a price file of its operator's."""
    monkeypatch.setenv("PRICE_FILE", FILE)
    put(stack, json.dumps(P3))
    return S3PriceFile(stack.client("s3"), FILE)


def put(stack: Stack, text: str | bytes) -> None:
    body = text.encode() if isinstance(text, str) else text
    stack.client("s3").put_object(Bucket=BUCKET, Key="prices.json", Body=body)


def offer(usage: str, usd: str, unit: str = "Hrs", currency: str = "USD", **attributes: str) -> str:
    """An offer as GetProducts gives it, with the parts that tell a price."""
    dimension = {"unit": unit, "pricePerUnit": {currency: usd}, "beginRange": "0", "endRange": "Inf"}
    terms = {"OnDemand": {"SKU.TERM": {"priceDimensions": {"SKU.TERM.RATE": dimension}, "sku": "SKU"}}}
    product = {"productFamily": "ML Instance", "attributes": {"usagetype": usage, **attributes}, "sku": "SKU"}
    return json.dumps({"product": product, "serviceCode": "AmazonSageMaker", "terms": terms})


@pytest.fixture
def listing() -> Iterator[tuple[AwsPriceList, Stubber]]:
    """The AWS Price List, and what it is going to answer."""
    client = boto3.client("pricing", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:
        yield AwsPriceList(client, "us-east-1"), stub


def fetched(listing: tuple[AwsPriceList, Stubber], *offers: str) -> dict[str, Price]:
    source, stub = listing
    stub.add_response("get_products", {"FormatVersion": "aws_v1", "PriceList": list(offers)}, ASKED)
    return source.fetch(NOON).by_instance_type


def test_the_prices_of_a_file_become_the_stacks_prices(stack: Stack, file: S3PriceFile) -> None:
    assert stack.invoke("prices", EVENT) == {"source": FILE, "instance_types": 1}
    assert bootstrap.create_price_list(TABLE).read() == PriceList(
        FILE, stack.clock(), {"ml.p3.2xlarge": Price(3.825, 1.15)}
    )


def test_a_changed_file_changes_the_prices_at_the_next_refresh(stack: Stack, file: S3PriceFile) -> None:
    stack.invoke("prices", EVENT)
    put(stack, '{"prices": {"ml.m5.xlarge": {"on_demand_usd": 0.23}}}')
    stack.clock.passes(60)
    stack.invoke("prices", EVENT)
    assert bootstrap.create_price_list(TABLE).read() == PriceList(FILE, stack.clock(), {"ml.m5.xlarge": Price(0.23)})


def test_a_file_that_can_not_be_used_fails_with_its_fields_and_leaves_the_old_prices(
    stack: Stack, file: S3PriceFile
) -> None:
    stack.invoke("prices", EVENT)
    kept = bootstrap.create_price_list(TABLE).read()
    put(stack, '{"prices": {"ml.p3.2xlarge": {"on_demand_usd": "3.825"}}}')
    with pytest.raises(UnusablePricesError) as caught:
        stack.invoke("prices", EVENT)
    assert str(caught.value) == (
        f'The price file {FILE} cannot be used: prices.ml.p3.2xlarge.on_demand_usd: Found "3.825". '
        "Use a number above 0, up to 10000 USD per hour."
    )
    assert kept is not None
    assert bootstrap.create_price_list(TABLE).read() == kept


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"\xff\xfe", "it is not UTF-8"), (b" " * (256 * 1024 + 1), "it has more than 262144 bytes")],
    ids=["not UTF-8", "too long"],
)
def test_a_file_that_is_no_text_or_too_long_is_refused(
    stack: Stack, file: S3PriceFile, content: bytes, why: str
) -> None:
    put(stack, content)
    with pytest.raises(UnusablePricesError, match=f"{FILE} cannot be used: {why}"):
        file.fetch(NOON)


@pytest.mark.parametrize("uri", [f"s3://{BUCKET}/other.json", "s3://nowhere/prices.json"])
def test_a_file_that_is_not_there_is_named(stack: Stack, uri: str) -> None:
    with pytest.raises(UnusablePricesError, match=f"The price file {uri} cannot be used: it cannot be read .*NoSuch"):
        S3PriceFile(stack.client("s3"), uri).fetch(NOON)


def test_without_a_file_the_prices_are_those_of_the_region_in_the_price_list(stack: Stack) -> None:
    source = stack.load("prices").source
    assert isinstance(source, AwsPriceList)
    assert source.region == "us-east-1"
    assert source.client.meta.service_model.service_name == "pricing"


def test_an_hour_of_a_training_instance_has_its_price(listing: tuple[AwsPriceList, Stubber]) -> None:
    source, stub = listing
    pages: list[dict[str, Any]] = [
        {"PriceList": [offer("USE1-Train:ml.p3.2xlarge", "3.8250000000", component="Training")], "NextToken": "more"},
        {"PriceList": [offer("EU-Train:ml.m5.xlarge", "0.23"), offer("Train:ml.c5.xlarge", "0.204")]},
    ]
    stub.add_response("get_products", pages[0], ASKED)
    stub.add_response("get_products", pages[1], ASKED | {"NextToken": "more"})
    expected = {"ml.c5.xlarge": Price(0.204), "ml.m5.xlarge": Price(0.23), "ml.p3.2xlarge": Price(3.825)}
    assert source.fetch(NOON) == PriceList("AWS Price List, us-east-1", NOON, expected)


@pytest.mark.parametrize(
    "other",
    [
        offer("USE1-TrainingPlanUpfrontFee:ml.p3.2xlarge", "99", unit="Quantity"),
        offer("USE1-TrainingPlan:ml.p3.2xlarge", "99"),
        offer("USE1-Train-WarmPool:ml.p3.2xlarge", "99"),
        offer("USE1-ServerlessTraining:FineTuning", "99"),
        offer("USE1-Train:VolumeUsage.gp2", "99", unit="GB-Mo"),
        offer("USE1-Train:ml.p3.2xlarge", "99", unit="Sec"),
        offer("USE1-Train:ml.p3.2xlarge", "99", currency="CNY"),
        offer("USE1-Train:ml.p3.2xlarge", "0.0000000000"),
        json.dumps({"product": {"attributes": {}}, "terms": {}}),
    ],
)
def test_what_is_no_hour_of_a_training_instance_has_no_part_in_its_price(
    listing: tuple[AwsPriceList, Stubber], other: str
) -> None:
    hour = offer("USE1-Train:ml.p3.2xlarge", "3.825")
    assert fetched(listing, other, hour, other) == {"ml.p3.2xlarge": Price(3.825)}


@pytest.mark.parametrize(
    "spot",
    [
        offer("USE1-SpotTraining:ml.p3.2xlarge", "1.15"),
        offer("USE1-Train-Spot:ml.p3.2xlarge", "1.15"),
        offer("USE1-Train:Spot:ml.p3.2xlarge", "1.15"),
        offer("USE1-TrainS:ml.p3.2xlarge", "1.15", platoinstancetype="SpotTraining"),
    ],
)
def test_a_spot_price_is_taken_however_the_list_may_name_it(listing: tuple[AwsPriceList, Stubber], spot: str) -> None:
    assert fetched(listing, spot, offer("USE1-Train:ml.p3.2xlarge", "3.825")) == {"ml.p3.2xlarge": Price(3.825, 1.15)}


@pytest.mark.parametrize("usd", ["3.825", "4", "0"])
def test_a_spot_price_that_is_not_below_that_of_on_demand_says_nothing(
    listing: tuple[AwsPriceList, Stubber], usd: str
) -> None:
    spot = offer("USE1-SpotTraining:ml.p3.2xlarge", usd)
    assert fetched(listing, offer("USE1-Train:ml.p3.2xlarge", "3.825"), spot) == {"ml.p3.2xlarge": Price(3.825)}


def test_of_two_prices_the_higher_counts(listing: tuple[AwsPriceList, Stubber]) -> None:
    offers = [offer("USE1-Train:ml.p3.2xlarge", usd) for usd in ("3.6", "3.825", "3.7")]
    assert fetched(listing, *offers) == {"ml.p3.2xlarge": Price(3.825)}


@pytest.mark.parametrize("offers", [[], [offer("USE1-SpotTraining:ml.p3.2xlarge", "1.15")]])
def test_a_price_list_without_training_prices_is_refused(
    listing: tuple[AwsPriceList, Stubber], offers: list[str]
) -> None:
    with pytest.raises(UnusablePricesError, match=r"in USD for the region us-east-1\. .* PriceFile"):
        fetched(listing, *offers)


def test_a_price_list_that_does_not_answer_raises(listing: tuple[AwsPriceList, Stubber]) -> None:
    source, stub = listing
    stub.add_client_error("get_products", "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDeniedException"):
        source.fetch(NOON)
