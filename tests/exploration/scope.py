"""The scope of an exploration: where it begins, how jobs fare, which events arrive, and how much may go wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from spot_relay.domain.rules.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.life.job import Script, Secondary
    from spot_relay.domain.sagemaker.job import Pool
    from tests.exploration.world import World


class Allowance(NamedTuple):
    """What may still go wrong, and how far time may still move before the quiet end."""

    crashes: int = 1
    """Functions that die, after any effect of theirs or before their first call."""
    duplicates: int = 1
    """Messages that are delivered once more, at any time."""
    lost: int = 1
    """Calls that are carried out, and whose answer is lost."""
    leaps: int = 0
    """Times that nothing runs and time passes until the next thing is due."""
    pauses: int = 0
    """Times that almost a minute passes while functions are between two calls."""
    drops: int = 0
    """Messages about the ends of other runs that never arrive. SQS loses none: this is what a bug could do."""

    def without_faults(self) -> Allowance:
        """Return the same with nothing that goes wrong."""
        return self._replace(crashes=0, duplicates=0, lost=0, drops=0)

    def spend(self, name: str) -> Allowance:
        """Return what is left when one of ``name`` has been used up."""
        return self._replace(**{name: getattr(self, name) - 1})


@dataclass(frozen=True)
class Scenario:
    """One exploration. Nothing else in it is left to chance, so all schedules that there are can be tried."""

    name: str
    title: str
    begin: Callable[[World], None]
    """Brings a new world to where the exploration begins."""
    script: Callable[[str, int, bool], Script]
    """How the job of a run's attempt fares, or of its canary."""
    hears: frozenset[Secondary] = frozenset()
    """The state changes of attempts' jobs whose events arrive; the others are lost from where it begins."""
    hears_canaries: frozenset[Secondary] = frozenset()
    """The same for canaries."""
    allowance: Allowance = field(default_factory=Allowance)
    limits: Limits = field(default_factory=Limits)
    quotas: dict[Pool, int] = field(default_factory=dict)
    check_every: float = 3600.0
