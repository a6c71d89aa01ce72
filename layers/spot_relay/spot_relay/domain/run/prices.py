"""What instances cost, and how to read a price file."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from spot_relay.domain.expressions import compile_later
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# More than any instance costs per hour; a greater number must be in another unit.
MAX_USD_PER_HOUR = 10_000
_FIELDS = ("on_demand_usd", "spot_usd")
_INSTANCE_TYPE = compile_later(r"ml\.[a-z0-9-]+\.[a-z0-9-]+", re.ASCII)
_MAX_QUOTE = 60


class UnusablePricesError(ValueError):
    """A source has no usable prices; the message names the source or the field, and says what to do."""


@dataclass(frozen=True)
class Price:
    """What one instance costs per hour of training, in USD; ``spot_usd`` is None if it is not known."""

    on_demand_usd: float
    spot_usd: float | None = None

    def usd_per_hour(self, market: Market) -> float:
        """Return the price in a market; an unknown spot price counts as its maximum, the on-demand price."""
        spot = self.spot_usd if market is Market.SPOT else None
        return self.on_demand_usd if spot is None else spot


@dataclass(frozen=True)
class PriceList:
    """The prices of a region by instance type, where they come from, and when they were read."""

    source: str
    as_of: datetime
    by_instance_type: dict[str, Price]

    def only(self, instance_types: Iterable[str]) -> PriceList:
        """Return the list with only the given types; types without a price are left out."""
        wanted = set(instance_types)
        prices = {name: price for name, price in self.by_instance_type.items() if name in wanted}
        return PriceList(self.source, self.as_of, prices)


def read_prices(text: str) -> dict[str, Price]:
    """Read a price file: ``{"prices": {"ml.p3.2xlarge": {"on_demand_usd": 3.825, "spot_usd": 1.15}}}``.

    Prices are in USD per instance and hour; ``spot_usd`` is optional.

    Raises
    ------
    UnusablePricesError
        With every field that is wrong.
    """
    entries = _read_entries(text)
    problems = [problem for name, entry in entries.items() for problem in _check_entry(name, entry)]
    if problems:
        raise UnusablePricesError(" ".join(problems))
    return {name: Price(**{key: float(usd) for key, usd in entry.items()}) for name, entry in entries.items()}


def _read_entries(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text, object_pairs_hook=_build_object)
    except UnusablePricesError:
        raise
    except (ValueError, RecursionError) as error:
        # Besides invalid JSON, these also cover numbers too long and lists nested too deeply to be read.
        message = f"The text is not JSON: {error}"
        raise UnusablePricesError(message) from None
    if not isinstance(document, dict) or set(document) != {"prices"}:
        found = ", ".join(sorted(document)) if isinstance(document, dict) else type(document).__name__
        message = f'Expected an object with only the key "prices", but found {found[:_MAX_QUOTE] or "an empty object"}.'
        raise UnusablePricesError(message)
    entries = document["prices"]
    if not isinstance(entries, dict) or not entries:
        message = f"prices: Found {_quote(entries)}. Write an object with an entry for each instance type."
        raise UnusablePricesError(message)
    return entries


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        message = f"{repeated[:_MAX_QUOTE]} appears twice. Remove one."
        raise UnusablePricesError(message)
    return built


def _check_entry(name: str, entry: Any) -> Iterator[str]:
    path = f"prices.{name[:_MAX_QUOTE]}"
    if not _INSTANCE_TYPE.fullmatch(name):
        yield f"{path}: The name is not a SageMaker instance type. Use a name such as ml.p3.2xlarge."
    if not isinstance(entry, dict):
        yield f'{path}: Found {_quote(entry)}. Write an object such as {{"on_demand_usd": 3.825}}.'
        return
    for key in sorted(set(entry) - set(_FIELDS)):
        yield f"{path}.{key[:_MAX_QUOTE]}: Unknown key. Known keys are {' and '.join(_FIELDS)}."
    if "on_demand_usd" not in entry:
        yield f"{path}.on_demand_usd: This key is required. Add the price per instance and hour in USD."
    invalid = [key for key in _FIELDS if key in entry and not _is_price(entry[key])]
    for key in invalid:
        yield f"{path}.{key}: Found {_quote(entry[key])}. Use a number above 0, up to {MAX_USD_PER_HOUR} USD per hour."
    if not invalid and set(_FIELDS) <= set(entry) and entry["spot_usd"] > entry["on_demand_usd"]:
        spot, on_demand = entry["spot_usd"], entry["on_demand_usd"]
        yield f"{path}.spot_usd: Found {spot}, which is more than on_demand_usd ({on_demand}). Correct one of them."


def _is_price(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MAX_USD_PER_HOUR


def _quote(value: Any) -> str:
    return json.dumps(value)[:_MAX_QUOTE]
