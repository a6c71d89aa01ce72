"""The stack's price list: an item of the table, and the AWS Price List that it is read from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from spot_relay.domain.run.prices import Price, PriceList, UnusablePricesError
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.shown.report import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_pricing import PricingClient

# Raised whenever a stored list of an earlier version needs to be read in another way.
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class DynamoDBPrices:
    """The price list of a region, as one item among the runs; no run's name holds a #."""

    client: DynamoDBClient
    table: str
    region: str

    def read(self) -> PriceList | None:
        """Give the stack's price list, or None if it has none yet."""
        key = {"id": {"S": self._id}}
        answer = self.client.get_item(TableName=self.table, Key=key, ProjectionExpression="document")
        item = answer.get("Item")
        return msgspec.json.decode(item["document"]["S"], type=PriceList) if item else None

    def write(self, prices: PriceList) -> None:
        """Put a price list in the place of the one before."""
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
    """An entry of the PriceList that GetProducts gives: a JSON document in a string."""

    product: _Product
    terms: _Terms


_offers = msgspec.json.Decoder(_Offer)
# Such as USE1-Train:ml.p3.2xlarge: a region, what is used, and the instance type.
_USAGE = re.compile(r"(?:[A-Z0-9]+-)?(?P<kind>.+):(?P<instance_type>ml\.[a-z0-9.-]+)")


@dataclass(frozen=True)
class AwsPriceList:
    """SageMaker's training prices of a region, in the AWS Price List.

    Documented are GetProducts, its filters and the frame of an offer (``product.attributes``,
    ``terms.OnDemand.*.priceDimensions.*.pricePerUnit``). What SageMaker's offers hold is not documented; it is
    inferred from published offers. An instance of a training job has the usage type ``<region>-Train:<instance type>``
    and the unit ``Hrs``. Beside it there are offers with ``Train`` in their usage type that are no hour of a training
    job (the upfront fee of a training plan, serverless training, warm pools). Offers for spot training have been seen,
    with ``SpotTraining`` for their ``platoinstancetype``; their usage type and what their price means are not known. So
    one is known by the words spot and train in either, and its price counts only where it is below on-demand's.
    """

    client: PricingClient
    region: str

    def fetch(self, now: datetime) -> PriceList:
        """Read the region's prices; UnusablePricesError if there are none."""
        on_demand: dict[str, float] = {}
        spot: dict[str, float] = {}
        for instance_type, market, usd in self._hours():
            listed = spot if market is Market.SPOT else on_demand
            # Should there ever be two, the higher one keeps a budget safe.
            listed[instance_type] = max(usd, listed.get(instance_type, 0.0))
        if not on_demand:
            message = (
                f"the AWS Price List has no training price in USD for the region {self.region}; put your prices into "
                "a file in S3, and name it in the stack's parameter PriceFile"
            )
            raise UnusablePricesError(message)
        prices = {name: Price(usd, _below(usd, spot.get(name))) for name, usd in sorted(on_demand.items())}
        return PriceList(f"AWS Price List, {self.region}", now, prices)

    def _hours(self) -> Iterator[tuple[str, Market, float]]:
        """Give instance type, market and price of each offer that is an hour of a training job."""
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
                offer = _offers.decode(text)
                attributes = offer.product.attributes
                usage = _USAGE.fullmatch(str(attributes.get("usagetype")))
                market = usage and _market(usage["kind"], str(attributes.get("platoinstancetype")))
                if usage and market:
                    for usd in _hourly(offer.terms.on_demand.values()):
                        yield usage["instance_type"], market, usd


def _market(kind: str, plato_type: str) -> Market | None:
    """Tell the market that an offer is for, or None if it is not for the instances of a training job."""
    if kind == "Train":
        return Market.ON_DEMAND
    for words in (kind.casefold(), plato_type.casefold()):
        if "spot" in words and "train" in words:
            return Market.SPOT
    return None


def _hourly(terms: Iterable[_Term]) -> Iterator[float]:
    for term in terms:
        for dimension in term.price_dimensions.values():
            usd = float(dimension.price_per_unit.get("USD", 0))
            if dimension.unit == "Hrs" and usd > 0:
                yield usd


def _below(on_demand: float, spot: float | None) -> float | None:
    return spot if spot is not None and spot < on_demand else None
