"""A world whose runs are started by what arrives, over the real templates and in-memory ports."""

from __future__ import annotations

import copy
import json
import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from spot_relay.domain.run.observation import Due, PredecessorEnded
from spot_relay.domain.run.template import Arrival
from spot_relay.spec import Allowlist
from spot_relay.spec.template import fill_template, read_template
from spot_relay.triggers import Triggers
from tests.fakes import MemoryBursts, MemorySchedules, MemoryTemplateFiles
from tests.unit.worlds import TRAINING_JOB, World

if TYPE_CHECKING:
    from datetime import datetime

    from spot_relay.domain.run.run import Run

BUCKET, KEY = "data", "templates/churn.json"
ALLOWLIST = Allowlist((TRAINING_JOB["RoleArn"],), ("*",), ("models",), trigger_buckets=(BUCKET, "more-data"))


def template(**changes: Any) -> dict[str, Any]:
    """A template that trains on the folder of each marker; a change to None removes the key."""
    job = copy.deepcopy(TRAINING_JOB) | {
        "CheckpointConfig": {"S3Uri": "s3://models/{name}/checkpoints/"},
        "OutputDataConfig": {"S3OutputPath": "s3://models/output"},
        "HyperParameters": {"data": "s3://{bucket}/{prefix}", "day": "{date}"},
    }
    document: dict[str, Any] = {
        "name": "churn",
        "trigger": {"bucket": BUCKET, "prefix": "incoming/", "suffix": "_SUCCESS"},
        "training_job": job,
    } | changes
    return {key: value for key, value in document.items() if value is not None}


@dataclass
class Arriving:
    """Templates, and the objects that arrive."""

    world: World = field(default_factory=World)
    files: MemoryTemplateFiles = field(default_factory=MemoryTemplateFiles)
    bursts: MemoryBursts = field(default_factory=MemoryBursts)
    schedules: MemorySchedules = field(default_factory=MemorySchedules)
    triggers: Triggers = field(init=False)

    def __post_init__(self) -> None:
        self.world.slots.find = self.world.store.load
        self.triggers = Triggers(
            service=self.world.service,
            files=self.files,
            bursts=self.bursts,
            schedules=self.schedules,
            read=lambda data, key: read_template(data, key, ALLOWLIST),
            fill=lambda found, values: fill_template(found, values, ALLOWLIST),
            retention=timedelta(days=90),
        )

    def upload(self, key: str = KEY, **changes: Any) -> None:
        """Upload a template, and let it be checked."""
        self.files.files[key] = json.dumps(template(**changes)).encode()
        self.triggers.check(key)

    def arrival(self, key: str = "incoming/monday/_SUCCESS", version: str = "1", at: datetime | None = None) -> Arrival:
        """What S3 says of an object that is put now, or was put then."""
        return Arrival(BUCKET, key, version, at or self.world.clock())

    def arrives(self, key: str = "incoming/monday/_SUCCESS", version: str = "1") -> list[Run]:
        """Put an object, and deliver the event."""
        return list(self.triggers.start_runs(self.arrival(key, version)))

    def ends(self, run: Run, status: str = "Completed") -> None:
        """End a run by its job, and deliver what it tells others."""
        self.world.jobs.becomes(f"{run.id}-relay-01", status, status)
        self.world.service.advance(run.id, self.world.event(1, status, status))
        self.deliver()

    def deliver(self) -> None:
        """Deliver the news that runs have ended."""
        told, self.world.wakeups.told = self.world.wakeups.told, []
        for run_id in told:
            self.world.service.advance(run_id, PredecessorEnded())

    def ticks(self) -> None:
        """Look at every run that is due."""
        for due in self.world.store.list_due(self.world.clock()):
            self.world.service.advance(due.run_id, Due())

    def passes(self, seconds: float) -> None:
        """Let time pass, with a tick at its end."""
        self.world.clock.passes(seconds)
        self.ticks()

    @property
    def runs(self) -> list[Run]:
        """All runs, the oldest first."""
        return sorted(self.world.store.runs.values(), key=lambda run: (run.created_at, run.id))

    @property
    def launched(self) -> list[str]:
        """The names of the jobs that were created, in order."""
        return list(self.world.jobs.jobs)

    @property
    def under_way(self) -> list[Run]:
        """The runs that have begun and have not ended."""
        return [run for run in self.runs if not run.waits_to_begin and not run.has_ended]


def shuffle_twice(arrivals: list[Arrival], seed: int) -> list[Arrival]:
    """Return each event twice, in any order."""
    events = [*arrivals, *arrivals]
    random.Random(seed).shuffle(events)  # noqa: S311
    return events
