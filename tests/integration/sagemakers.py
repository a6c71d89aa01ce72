"""SageMakers for the contract tests: the one in memory, and the simulator through boto3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import boto3
from botocore.config import Config

from bench.descriptions import BEGINNING
from embedded.patience import give_time
from simulator.life.job import Script
from spot_relay.adapters.training_jobs import SageMakerTrainingJobs
from spot_relay.domain.sagemaker.refusal import NotCreated, Refusal
from tests.fakes import NOON, Clock, MemoryTrainingJobs
from tests.integration.runs import a_run
from tests.simulation.sagemaker import SageMaker
from tests.simulation.timeline import Timeline

if TYPE_CHECKING:
    from spot_relay.ports import TrainingJobs
    from tests.integration.fake_aws import FakeAWS

NAME = "churn-relay-01"
RUN = a_run("churn", NOON)
FULL = (
    "The account-level service limit 'ml.m5.xlarge for spot training job usage' is {limit} Instances, with current "
    "utilization of {used} Instances and a request delta of {delta} Instances."
)
LONGEST = (
    "The account-level service limit 'Longest run time for a training job' is 432000 Seconds, with current utilization "
    "of 0 Seconds and a request delta of 864000 Seconds."
)
ACROSS = (
    "The account-level service limit 'Number of instances across all training jobs' is 2 Instances, with current "
    "utilization of 2 Instances and a request delta of 1 Instances."
)
# One try a call: how often botocore tries again is its own affair, and takes its time.
ONCE = Config(
    connect_timeout=give_time(10), read_timeout=give_time(30), retries={"mode": "standard", "total_max_attempts": 1}
)


@dataclass(frozen=True)
class Answer:
    """An answer of CreateTrainingJob that creates nothing, and the kind of refusal that it is."""

    refusal: Refusal
    code: str
    message: str
    http_status: int = 400


ANSWERS = [
    Answer(Refusal.THROTTLED, "ThrottlingException", "Rate exceeded"),
    Answer(Refusal.QUOTA_FULL, "ResourceLimitExceeded", FULL.format(limit=1, used=1, delta=1)),
    Answer(Refusal.OTHER_QUOTA_FULL, "ResourceLimitExceeded", "a text of tomorrow"),
    Answer(Refusal.SHARED_QUOTA_FULL, "ResourceLimitExceeded", ACROSS),
    Answer(Refusal.QUOTA_TOO_SMALL, "ResourceLimitExceeded", LONGEST),
    Answer(Refusal.PLACEMENT_REJECTED, "ResourceLimitExceeded", "training-job/ml.m5.xlarge is not available here"),
    Answer(Refusal.PLACEMENT_REJECTED, "ValidationException", "Instance type ml.m5.xlarge is not supported"),
    Answer(Refusal.UNAVAILABLE, "ExpiredTokenException", "The security token included in the request is expired"),
    Answer(Refusal.QUOTA_TOO_SMALL, "ResourceLimitExceeded", FULL.format(limit=0, used=0, delta=1)),
    Answer(Refusal.UNAVAILABLE, "InternalFailure", "The request processing has failed", 500),
    Answer(Refusal.UNAVAILABLE, "ServiceUnavailable", "Try again", 503),
    Answer(Refusal.INVALID, "ValidationException", "Could not assume role"),
    Answer(Refusal.INVALID, "AccessDeniedException", "User is not authorized to perform: iam:PassRole"),
    Answer(Refusal.INVALID, "ResourceNotFound", "there is no such experiment"),
]
# Some say that there is no job, which one of an earlier launch proves wrong; the others leave that open.
DENIALS = [answer for answer in ANSWERS if not answer.refusal.leaves_open]
OPEN = [answer for answer in ANSWERS if answer.refusal.leaves_open]


class World(Protocol):
    """A SageMaker, and what a test does in it."""

    clock: Clock

    @property
    def port(self) -> TrainingJobs:
        """The port into it."""

    def refuse(self, answer: Answer) -> None:
        """Refuse the next CreateTrainingJob."""

    def complete(self) -> None:
        """Let the job complete."""

    def tags(self, name: str) -> dict[str, str]:
        """Return the tags of a job."""

    def created(self) -> list[str]:
        """Name the jobs that were created, in order."""


class Memory:
    def __init__(self) -> None:
        self.clock = Clock()
        self.port = MemoryTrainingJobs(self.clock)

    def refuse(self, answer: Answer) -> None:
        self.port.refusals.append((answer.refusal, answer.message))

    def complete(self) -> None:
        self.clock.passes(60)
        self.port.becomes(NAME, "Completed", "Completed")

    def tags(self, name: str) -> dict[str, str]:
        return self.port.tags[name]

    def created(self) -> list[str]:
        return [request["TrainingJobName"] for request in self.port.requests]


class TimelineClock(Clock):
    """The clock of a timeline: while it passes, what is planned happens."""

    def __init__(self, timeline: Timeline) -> None:
        super().__init__(NOON)
        self.timeline = timeline
        self.timeline.now = (NOON - BEGINNING).total_seconds()

    def passes(self, seconds: float) -> None:
        super().passes(seconds)
        self.timeline.until((self.now - BEGINNING).total_seconds())


class Virtual:
    """The SageMaker of the simulation tests, on virtual time."""

    def __init__(self) -> None:
        timeline = Timeline()
        self.clock: Clock = TimelineClock(timeline)
        self.answers: list[NotCreated] = []
        self.port = SageMaker(
            timeline,
            script=lambda *_: Script(),
            watch=lambda *_: None,
            refuse=lambda _: self.answers.pop(0) if self.answers else None,
        )

    def refuse(self, answer: Answer) -> None:
        self.answers.append(NotCreated(answer.message, answer.refusal))

    def complete(self) -> None:
        self.clock.passes(60)

    def tags(self, name: str) -> dict[str, str]:
        return self.port.jobs[name].tags

    def created(self) -> list[str]:
        return list(self.port.jobs)


class Simulated:
    def __init__(self, aws: FakeAWS) -> None:
        self.clock = Clock()
        self.client: Any = boto3.client("sagemaker", config=ONCE)
        self.port = SageMakerTrainingJobs(self.client)
        self.simulator = aws.simulator
        self.simulator.begin(self.clock)

    def refuse(self, answer: Answer) -> None:
        error = {"code": answer.code, "message": answer.message, "http_status": answer.http_status}
        self.errs(operation="CreateTrainingJob", **error)

    def errs(self, **error: Any) -> None:
        self.simulator.play(default={"errors": [error]})

    def complete(self) -> None:
        self.clock.passes(60)

    def tags(self, name: str) -> dict[str, str]:
        arn = self.client.describe_training_job(TrainingJobName=name)["TrainingJobArn"]
        return {tag["Key"]: tag["Value"] for tag in self.client.list_tags(ResourceArn=arn)["Tags"]}

    def created(self) -> list[str]:
        return self.simulator.created()
