"""Store the stack's price list in DynamoDB, and fetch prices from the AWS Price List."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from spot_relay.domain.run.prices import Price, PriceList, UnusablePricesError
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.shown.report import iso
from spot_relay.domain.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_pricing import PricingClient

# Increase this whenever lists stored by an earlier version must be read differently.
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class DynamoDBPrices:
    """Stores the price list of a region as one item among the runs; no run's name contains a #."""

    client: DynamoDBClient
    table: str
    region: str

    def read(self) -> PriceList | None:
        """Return the stack's price list, or None if it has none yet."""
        key = {"id": {"S": self._id}}
        answer = self.client.get_item(TableName=self.table, Key=key, ProjectionExpression="document")
        item = answer.get("Item")
        return msgspec.json.decode(item["document"]["S"], type=PriceList) if item else None

    def write(self, prices: PriceList) -> None:
        """Replace the price list."""
        self.client.put_item(
            TableName=self.table,
            Item={
                "id": {"S": self._id},
                "schema_version": {"N": str(SCHEMA_VERSION)},
                "source": {"S": prices.source},
                "as_of": {"S": iso(prices.as_of) or ""},
                "document": {"S": msgspec.json.encode(prices).decode()},
            },
        )

    @property
    def _id(self) -> str:
        return f"prices#{self.region}"


class _Dimension(msgspec.Struct, rename="camel"):
    unit: str
    price_per_unit: dict[str, str]


class _Term(msgspec.Struct, rename="camel"):
    price_dimensions: dict[str, _Dimension]


class _Terms(msgspec.Struct):
    on_demand: dict[str, _Term] = msgspec.field(name="OnDemand", default_factory=dict)


class _Product(msgspec.Struct):
    attributes: dict[str, Any]


class _Offer(msgspec.Struct):
    """An entry of the PriceList that GetProducts returns, each a JSON document in a string."""

    product: _Product
    terms: _Terms


_offer_decoder = msgspec.json.Decoder(_Offer)
# For example USE1-Train:ml.p3.2xlarge: a region, the kind of usage, and the instance type.
_USAGE = re.compile(r"(?:[A-Z0-9]+-)?(?P<kind>.+):(?P<instance_type>ml\.[a-z0-9.-]+)")


@dataclass(frozen=True)
class AwsPriceList:
    """Fetches SageMaker's training prices of a region from the AWS Price List.

    AWS documents GetProducts, its filters and the outer structure of an offer (``product.attributes``,
    ``terms.OnDemand.*.priceDimensions.*.pricePerUnit``), but not the contents of SageMaker's offers. What is used here
    is inferred from published offers:

    - An instance of a training job has the usage type ``<region>-Train:<instance type>`` and the unit ``Hrs``.
    - Other offers with ``Train`` in their usage type are not hours of a training job: the upfront fee of a training
      plan, serverless training, and warm pools.
    - Offers for spot training have been observed with ``SpotTraining`` as their ``platoinstancetype``, but their usage
      type and the meaning of their price are unknown. An offer counts as spot if either contains the words spot and
      train, and only if its price is below the on-demand price.
    """

    client: PricingClient
    region: str

    def fetch(self, now: datetime) -> PriceList:
        """Return the prices of the region; raise UnusablePricesError if there are none."""
        on_demand: dict[str, float] = {}
        spot: dict[str, float] = {}
        for instance_type, market, usd in self._fetch_hourly_prices():
            listed = spot if market is Market.SPOT else on_demand
            # If there are ever two prices, the higher one protects money budgets.
            listed[instance_type] = max(usd, listed.get(instance_type, 0.0))
        if not on_demand:
            message = (
                f"The AWS Price List has no training prices in USD for the region {self.region}. Put your prices into "
                "a file in S3, and set the stack's parameter PriceFile to it."
            )
            raise UnusablePricesError(message)
        prices = {name: Price(usd, _drop_if_not_below(usd, spot.get(name))) for name, usd in sorted(on_demand.items())}
        return PriceList(f"AWS Price List, {self.region}", now, prices)

    def _fetch_hourly_prices(self) -> Iterator[tuple[str, Market, float]]:
        """Yield the instance type, market and price of each offer for an hour of a training job."""
        pages = self.client.get_paginator("get_products").paginate(
            ServiceCode="AmazonSageMaker",
            FormatVersion="aws_v1",
            Filters=[
                {"Type": "EQUALS", "Field": "regionCode", "Value": self.region},
                {"Type": "CONTAINS", "Field": "usagetype", "Value": "Train"},
            ],
        )
        for page in pages:
            for text in page["PriceList"]:
                offer = _offer_decoder.decode(text)
                attributes = offer.product.attributes
                usage = _USAGE.fullmatch(str(attributes.get("usagetype")))
                market = usage and _recognise_market(usage["kind"], str(attributes.get("platoinstancetype")))
                if usage and market:
                    for usd in _iterate_hourly(offer.terms.on_demand.values()):
                        yield usage["instance_type"], market, usd


def _recognise_market(kind: str, plato_type: str) -> Market | None:
    """Return the market of an offer, or None if it is not for the instances of a training job."""
    if kind == "Train":
        return Market.ON_DEMAND
    for words in (kind.casefold(), plato_type.casefold()):
        if "spot" in words and "train" in words:
            return Market.SPOT
    return None


def _iterate_hourly(terms: Iterable[_Term]) -> Iterator[float]:
    for term in terms:
        for dimension in term.price_dimensions.values():
            usd = float(dimension.price_per_unit.get("USD", 0))
            if dimension.unit == "Hrs" and usd > 0:
                yield usd


def _drop_if_not_below(on_demand: float, spot: float | None) -> float | None:
    return spot if spot is not None and spot < on_demand else None
