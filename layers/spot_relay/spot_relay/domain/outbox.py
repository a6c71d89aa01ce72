"""What a decision owes the world, stored with the run until it is done."""

from __future__ import annotations

from dataclasses import dataclass

from spot_relay.domain.job import Market


@dataclass(frozen=True)
class Measure:
    """One metric value with its dimensions; names and units are listed in docs/operations.md."""

    name: str
    value: float
    market: Market
    instance_type: str


@dataclass(frozen=True)
class Outbox:
    """Duties, performed in the order of the fields; all but ``measures`` are idempotent.

    ``launch`` is the number of the attempt to create, ``stop`` the name of the training job to stop, ``status``
    asks for the status document, ``announce`` for the event that tells that the run has ended or goes on again,
    and ``measures`` are metrics, published once the other duties are known to be done.
    """

    launch: int | None = None
    stop: str | None = None
    status: bool = False
    announce: bool = False
    measures: tuple[Measure, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything is owed."""
        return self != Outbox()

    @property
    def acts(self) -> bool:
        """Whether something is owed to a training job."""
        return self.launch is not None or self.stop is not None

    @property
    def publications(self) -> Outbox:
        """What is owed to those who read of the run."""
        return Outbox(status=self.status, announce=self.announce)

    def __or__(self, later: Outbox) -> Outbox:
        """Owe what both owe."""
        return Outbox(
            launch=later.launch if later.launch is not None else self.launch,
            stop=later.stop if later.stop is not None else self.stop,
            status=self.status or later.status,
            announce=self.announce or later.announce,
            measures=self.measures + later.measures,
        )
