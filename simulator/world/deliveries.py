"""How the events of a job or an endpoint travel: on time, or late, more than once, out of order, or not at all."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.world.scenario import EndpointEventsRule, EventsRule


class Deliveries:
    """Draws the delays of events; a rule's seed and a name determine all that is drawn for a job or an endpoint."""

    def __init__(self) -> None:
        self._randoms: dict[str, Random] = {}

    def delays(self, name: str, status: str, rule: EventsRule | EndpointEventsRule) -> tuple[float, ...]:
        """Return the delay of each copy of an event, in seconds; the event is lost if there are no copies."""
        random = self._randoms.setdefault(name, Random(f"{rule.seed}:{name}"))  # noqa: S311 (no secret)
        if random.random() < rule.drop.fraction or status in rule.drop.statuses:
            return ()
        copies = range(1 + rule.duplicates)
        return tuple(rule.delay_seconds + random.uniform(0.0, rule.shuffle_within_seconds) for _ in copies)
