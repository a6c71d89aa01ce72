"""A run whose model is registered and deployed, in one world."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from spot_relay.domain.run.hosting import Deployment, HostingKind, HostingTask, OnSuccess, Registration
from spot_relay.domain.run.observation import Due, EndpointChanged
from tests.unit.worlds import TRAINING_JOB, World, submission

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run

IMAGE = TRAINING_JOB["AlgorithmSpecification"]["TrainingImage"]
ROLE = TRAINING_JOB["RoleArn"]
REGISTRATION = Registration("churn-models", IMAGE)
DEPLOYMENT = Deployment("churn-live", IMAGE, ROLE, instance_type="ml.m5.large")
BOTH = OnSuccess(REGISTRATION, DEPLOYMENT)


def model_of(name: str) -> str:
    """Where the model of a run's first attempt is."""
    return f"s3://models/{name}/output/{name}-relay-01/output/model.tar.gz"


@dataclass
class Hosted:
    """A world with a model package group; the run `churn` is submitted, and completes when it is told to."""

    wanted: OnSuccess = BOTH
    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        self.world.hosting.groups.add("churn-models")

    def submit(self, name: str = "churn", **changes: Any) -> Run:
        """Submit a run with a checkpoint prefix of its own."""
        wanted = submission(name=name, CheckpointConfig={"S3Uri": f"s3://models/{name}/"}, **changes)
        return self.world.service.submit(replace(wanted, on_success=self.wanted))

    def completes(self, name: str = "churn", model: str | None = "") -> Run:
        """Submit a run and let it complete; without ``model`` it leaves none."""
        self.submit(name)
        artifacts = model_of(name) if model == "" else model
        return self.ends(name, "Completed", model_artifacts=artifacts)

    def ends(self, name: str, status: str, **changes: Any) -> Run:
        """Let the first attempt of a run end."""
        self.world.jobs.becomes(f"{name}-relay-01", status, status, **changes)
        self.world.service.advance(name, self.world.event(1, status, status))
        return self.run(name)

    def run(self, name: str = "churn") -> Run:
        """A run as it is stored."""
        return self.world.store.runs[name]

    def task(self, kind: HostingKind = HostingKind.DEPLOY, name: str = "churn") -> HostingTask:
        """A task of a run."""
        return next(task for task in self.run(name).hosting if task.kind is kind)

    def told(self, name: str = "churn") -> HostingTask:
        """Deliver the event that an endpoint has changed."""
        self.world.service.advance(name, EndpointChanged())
        return self.task(name=name)

    def looks(self, name: str = "churn") -> HostingTask:
        """Let the tick look at a run once it is due."""
        look = self.task(name=name).check_at
        assert look is not None
        self.world.clock.now = max(self.world.clock.now, look)
        self.world.service.advance(name, Due())
        return self.task(name=name)
