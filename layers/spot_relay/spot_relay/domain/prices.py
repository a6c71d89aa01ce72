"""What instances cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Price:
    """What one instance costs for an hour of training, in USD; ``spot_usd`` is None where no list tells it."""

    on_demand_usd: float
    spot_usd: float | None = None


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
