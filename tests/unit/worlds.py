"""A service over in-memory ports, with the moves a test makes in it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

import msgspec

from spot_relay.domain.run.observation import CanaryChanged, Due, JobChanged, Observation
from spot_relay.domain.run.policy import Deadline, Policy
from spot_relay.domain.run.run import Run
from spot_relay.domain.run.submission import Submission
from spot_relay.domain.sagemaker.job import Checkpoint
from spot_relay.pacing import Pacing
from spot_relay.service import Service
from tests.fakes import (
    REGION,
    Clock,
    MemoryAnnouncements,
    MemoryCheckpointCopies,
    MemoryCheckpoints,
    MemoryDocuments,
    MemoryInputFiles,
    MemoryPrices,
    MemoryRunStore,
    MemorySlots,
    MemoryTasks,
    MemoryTelemetry,
    MemoryTrainingJobs,
    MemoryTurns,
    MemoryWakeups,
)
from tests.hosting import MemoryHosting

PREFIX = "s3://models/churn/checkpoints/"

TRAINING_JOB: dict[str, Any] = {
    "AlgorithmSpecification": {
        "TrainingImage": "111122223333.dkr.ecr.us-east-1.amazonaws.com/churn:1",
        "TrainingInputMode": "File",
    },
    "RoleArn": "arn:aws:iam::111122223333:role/training",
    "OutputDataConfig": {"S3OutputPath": "s3://models/churn/output"},
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
    "EnableManagedSpotTraining": True,
    "CheckpointConfig": {"S3Uri": PREFIX},
    "HyperParameters": {"api_key": "very-secret"},
}


def submission(policy: Policy | None = None, name: str = "churn", **changes: Any) -> Submission:
    """A spec as it comes out of validation; a change to None removes the key."""
    job = {key: value for key, value in (copy.deepcopy(TRAINING_JOB) | changes).items() if value is not None}
    return Submission(name, job, policy or Policy(), fingerprint=f"{name}-{sorted(job)}")


def deadline(seconds: int, **policy: Any) -> Policy:
    """A policy with a deadline so many seconds from the submission; the run needs two hours of training."""
    known = {name: policy.pop(name) for name in list(policy) if name in Deadline.__dataclass_fields__}
    return Policy(deadline=Deadline(**{"expected_runtime_seconds": 7200, "within_seconds": seconds, **known}), **policy)


def roomy(policy: Policy) -> Submission:
    """A spec whose MaxRuntime holds the start-up as well as its two hours of training."""
    return submission(policy, StoppingCondition={"MaxRuntimeInSeconds": 10_800, "MaxWaitTimeInSeconds": 10_800})


_decoder = msgspec.json.Decoder(Run)


@dataclass
class StrictRunStore(MemoryRunStore):
    """Runs as they come out of the table: one that could not be read there as it was written is refused."""

    def create(self, run: Run) -> Run:
        return super().create(stored(run))

    def save(self, run: Run) -> Run:
        return super().save(stored(run))


def stored(run: Run) -> Run:
    """A run, written and read as the table's items are."""
    read = _decoder.decode(msgspec.json.encode(run))
    assert read == run
    return read


@dataclass
class World:
    """Everything around one service."""

    clock: Clock = field(default_factory=Clock)
    store: MemoryRunStore = field(default_factory=StrictRunStore)
    checkpoints: MemoryCheckpoints = field(default_factory=MemoryCheckpoints)
    documents: MemoryDocuments = field(default_factory=MemoryDocuments)
    announcements: MemoryAnnouncements = field(default_factory=MemoryAnnouncements)
    tasks: MemoryTasks = field(default_factory=MemoryTasks)
    telemetry: MemoryTelemetry = field(default_factory=MemoryTelemetry)
    prices: MemoryPrices = field(default_factory=MemoryPrices)
    input_files: MemoryInputFiles = field(default_factory=MemoryInputFiles)
    slots: MemorySlots = field(default_factory=MemorySlots)
    wakeups: MemoryWakeups = field(default_factory=MemoryWakeups)
    turns: MemoryTurns = field(default_factory=MemoryTurns)
    pauses: list[float] = field(default_factory=list)
    draw: float = 0.5
    jobs: MemoryTrainingJobs = field(init=False)
    hosting: MemoryHosting = field(init=False)
    copies: MemoryCheckpointCopies = field(init=False)
    service: Service = field(init=False)

    def __post_init__(self) -> None:
        self.jobs = MemoryTrainingJobs(self.clock)
        self.hosting = MemoryHosting(self.clock)
        self.copies = MemoryCheckpointCopies(self.checkpoints, self.clock)
        ids = count(1)
        self.service = Service(
            store=self.store,
            jobs=self.jobs,
            checkpoints=self.checkpoints,
            documents=self.documents,
            announcements=self.announcements,
            waiting_tasks=self.tasks,
            telemetry=self.telemetry,
            prices=self.prices,
            input_files=self.input_files,
            slots=self.slots,
            wakeups=self.wakeups,
            pacing=Pacing(self.turns, self.wakeups, self.clock, self.pauses.append),
            clock=self.clock,
            draw=lambda: self.draw,
            new_id=lambda: f"submission-{next(ids)}",
            region=REGION,
            check_every=timedelta(minutes=5),
            hosting=self.hosting,
            copies=self.copies,
        )

    def run(self, run_id: str = "churn") -> Run:
        """The run as it is stored."""
        return self.store.runs[run_id]

    def checkpoint(self, key: str) -> Checkpoint:
        """Write a checkpoint now."""
        found = Checkpoint(f"churn/checkpoints/{key}", self.clock())
        self.checkpoints.found.setdefault(PREFIX, []).append(found)
        return found

    def event(self, attempt: int, status: str, secondary_status: str) -> JobChanged:
        """The event that SageMaker would send now."""
        return JobChanged(attempt, status, secondary_status, self.clock())

    def tell(self, attempt: int, status: str, secondary_status: str, **changes: Any) -> Run:
        """Let a job move on and deliver the event of it."""
        self.jobs.becomes(f"churn-relay-{attempt:02d}", status, secondary_status, **changes)
        return self.advance(self.event(attempt, status, secondary_status))

    def trains(self, attempt: int, seconds: float = 600) -> Run:
        """Let a job get capacity and train for a while."""
        self.clock.passes(60)
        run = self.tell(attempt, "InProgress", "Training", training_started_at=self.clock())
        self.clock.passes(seconds)
        return run

    def advance(self, observation: Observation) -> Run:
        """Deliver an observation."""
        run = self.service.advance("churn", observation)
        assert run is not None
        return run

    def tick(self) -> None:
        """Deliver what the tick would."""
        for due in list(self.store.list_due(self.clock())):
            self.service.advance(due.run_id, Due())

    def passes(self, seconds: float) -> Run:
        """Let time pass as it does in a stack, with a tick each minute."""
        for _ in range(round(seconds / 60)):
            self.clock.passes(60)
            self.tick()
        return self.run()

    def canary_tells(self, number: int, status: str, secondary_status: str, **changes: Any) -> Run:
        """Let a canary move on and deliver the event of it."""
        self.jobs.becomes(f"churn-canary-{number:02d}", status, secondary_status, **changes)
        return self.advance(CanaryChanged(number, secondary_status))

    def live_jobs(self) -> list[str]:
        """The names of the jobs that have not ended."""
        return [name for name, job in self.jobs.jobs.items() if not job.has_ended]
