"""What instances cost, and how a price file tells it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from spot_relay.domain.sagemaker.job import Market

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Above any instance's price for an hour: what is greater was written in another unit.
MAX_USD_PER_HOUR = 10_000
_FIELDS = ("on_demand_usd", "spot_usd")
_INSTANCE_TYPE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9-]+", re.ASCII)
_SHOWN = 60


class UnusablePricesError(ValueError):
    """A source has no prices that can be used; the message names the source or the field, and says what to do."""


@dataclass(frozen=True)
class Price:
    """What one instance costs for an hour of training, in USD; ``spot_usd`` is None where no list tells it."""

    on_demand_usd: float
    spot_usd: float | None = None

    def usd_per_hour(self, market: Market) -> float:
        """Give the price in a market; for spot, where it is not known, the most it can be: that of on-demand."""
        spot = self.spot_usd if market is Market.SPOT else None
        return self.on_demand_usd if spot is None else spot


@dataclass(frozen=True)
class PriceList:
    """The prices of one region by instance type, where they come from, and when they were read there."""

    source: str
    as_of: datetime
    by_instance_type: dict[str, Price]

    def only(self, instance_types: Iterable[str]) -> PriceList:
        """Give the list of the named types alone; a type without a price is left out."""
        wanted = set(instance_types)
        kept = {name: price for name, price in self.by_instance_type.items() if name in wanted}
        return PriceList(self.source, self.as_of, kept)


def read_prices(text: str) -> dict[str, Price]:
    """Read a price file: ``{"prices": {"ml.p3.2xlarge": {"on_demand_usd": 3.825, "spot_usd": 1.15}}}``.

    Prices are in USD for an instance and an hour, ``spot_usd`` may be missing. UnusablePricesError names every field
    that is wrong.
    """
    listed = _listed(text)
    problems = [problem for name, entry in listed.items() for problem in _problems(name, entry)]
    if problems:
        raise UnusablePricesError("; ".join(problems))
    return {name: Price(**{key: float(usd) for key, usd in entry.items()}) for name, entry in listed.items()}


def _listed(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text, object_pairs_hook=_without_repetition)
    except UnusablePricesError:
        raise
    except (ValueError, RecursionError) as error:
        # Not only what is no JSON: a number too long, or lists too deep, to be read.
        message = f"the text is no JSON: {error}"
        raise UnusablePricesError(message) from None
    if not isinstance(document, dict) or set(document) != {"prices"}:
        found = ", ".join(sorted(document)) if isinstance(document, dict) else type(document).__name__
        message = f'write one object with the key "prices" alone; found: {found[:_SHOWN] or "nothing"}'
        raise UnusablePricesError(message)
    listed = document["prices"]
    if not isinstance(listed, dict) or not listed:
        message = f"prices is {_shown(listed)}; write an object with an entry for each instance type"
        raise UnusablePricesError(message)
    return listed


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        message = f"{twice[:_SHOWN]} is there twice; keep one of them"
        raise UnusablePricesError(message)
    return found


def _problems(name: str, entry: Any) -> Iterator[str]:
    path = f"prices.{name[:_SHOWN]}"
    if not _INSTANCE_TYPE.fullmatch(name):
        yield f"{path} is no instance type of SageMaker; write one such as ml.p3.2xlarge"
    if not isinstance(entry, dict):
        yield f'{path} is {_shown(entry)}; write an object such as {{"on_demand_usd": 3.825}}'
        return
    for key in sorted(set(entry) - set(_FIELDS)):
        yield f"{path}.{key[:_SHOWN]} is not known; there are {' and '.join(_FIELDS)}"
    if "on_demand_usd" not in entry:
        yield f"{path}.on_demand_usd is missing; write the price of an instance and an hour in USD"
    wrong = [key for key in _FIELDS if key in entry and not _is_price(entry[key])]
    for key in wrong:
        yield f"{path}.{key} is {_shown(entry[key])}; write a number above 0, to {MAX_USD_PER_HOUR}: USD for an hour"
    if not wrong and set(_FIELDS) <= set(entry) and entry["spot_usd"] > entry["on_demand_usd"]:
        yield f"{path}.spot_usd is {entry['spot_usd']}, above on_demand_usd ({entry['on_demand_usd']}); check both"


def _is_price(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MAX_USD_PER_HOUR


def _shown(value: Any) -> str:
    return json.dumps(value)[:_SHOWN]
