"""Runs that come after others, in one world."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from spot_relay.domain.run.observation import Due, PredecessorEnded
from spot_relay.domain.run.start import Start
from tests.unit.worlds import World, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

MODEL = "s3://models/prep-relay-01/output/model.tar.gz"


@dataclass
class Chain:
    """A world whose runs may come after each other; nothing is told before `deliver`."""

    world: World = field(default_factory=World)

    def submit(self, name: str, start: Start | None = None) -> Run:
        """Submit a run with a checkpoint prefix of its own."""
        wanted = submission(name=name, CheckpointConfig={"S3Uri": f"s3://models/{name}/"})
        return self.world.service.submit(replace(wanted, start=start or Start()))

    def after(self, *names: str, **start: object) -> Run:
        """Submit the run `train`, which comes after others."""
        return self.submit("train", Start(after=names, **start))  # type: ignore[arg-type]

    def ends(self, name: str, status: str = "Completed", **changes: object) -> Run:
        """End a run by its job, and deliver what it tells others."""
        number = len(self.run(name).attempts)
        self.world.jobs.becomes(f"{name}-relay-{number:02d}", status, status, **changes)
        self.world.service.advance(name, self.world.event(number, status, status))
        self.deliver()
        return self.run(name)

    def deliver(self) -> None:
        """Deliver the news that runs have ended."""
        told, self.world.wakeups.told = self.world.wakeups.told, []
        for run_id in told:
            self.world.service.advance(run_id, PredecessorEnded())

    def looks(self, name: str = "train") -> Run:
        """Let the tick look at a run once it is due."""
        run = self.run(name)
        assert run.check_at is not None
        self.world.clock.now = max(self.world.clock.now, run.check_at)
        self.world.service.advance(name, Due())
        return self.run(name)

    def run(self, name: str = "train") -> Run:
        """A run as it is stored."""
        return self.world.store.runs[name]

    @property
    def launched(self) -> list[str]:
        """The names of the jobs that were created, in order."""
        return list(self.world.jobs.jobs)
