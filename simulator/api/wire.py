"""Training jobs as the API and the state-change events show them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from simulator.life import billable_seconds, training_seconds
from simulator.life.job import Secondary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulator.life.job import Job, Transition
    from simulator.world.scenario import Rule

DETAIL_TYPE: Final = "SageMaker Training Job State Change"
SOURCE: Final = "aws.sagemaker"
SIMULATED: Final = "simulated, nothing is trained"
_EVENT_MEMBERS: Final = (
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "ResourceConfig",
    "VpcConfig",
    "StoppingCondition",
)


@dataclass(frozen=True)
class Record:
    """A training job with its request, its rule, its tags and where its model is; ``real`` ones run as processes."""

    arn: str
    request: Mapping[str, Any]
    life: Job
    rule: Rule
    real: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    model: str | None = None

    @property
    def name(self) -> str:
        """The TrainingJobName."""
        return self.life.name

    @property
    def market(self) -> str:
        """The market the job runs in: ``spot`` or ``on-demand``, as in scenarios."""
        return "spot" if self.life.terms.spot else "on-demand"

    def message(self, step: Transition) -> str:
        """Return the StatusMessage of a transition; while a job without a process trains, it says so."""
        simulated = step.status is Secondary.TRAINING and not self.real
        return f"{step.message} ({SIMULATED})" if simulated else step.message


def describe(record: Record, now: float) -> dict[str, Any]:
    """Return the answer of DescribeTrainingJob; times are epoch seconds, as in JSON 1.1."""
    life = record.life
    answer = {key: value for key, value in record.request.items() if key != "Tags"}
    answer |= {
        "OutputDataConfig": {"KmsKeyId": "", **record.request["OutputDataConfig"]},
        "TrainingJobName": life.name,
        "TrainingJobArn": record.arn,
        "TrainingJobStatus": life.status.value,
        "SecondaryStatus": life.secondary.value,
        "CreationTime": life.created_at,
        "LastModifiedTime": life.last_modified_at,
        "SecondaryStatusTransitions": [
            _without_none(
                Status=step.status.value,
                StartTime=step.started_at,
                EndTime=step.ended_at,
                StatusMessage=record.message(step),
            )
            for step in life.transitions
        ],
        "EnableManagedSpotTraining": life.terms.spot,
        "EnableNetworkIsolation": record.request.get("EnableNetworkIsolation", False),
        "EnableInterContainerTrafficEncryption": record.request.get("EnableInterContainerTrafficEncryption", False),
    }
    answer |= _without_none(
        TrainingStartTime=life.training_started_at,
        TrainingEndTime=life.training_ended_at,
        FailureReason=life.failure_reason,
        # As long as there is no model, the service leaves this out, although its own model requires it.
        ModelArtifacts={"S3ModelArtifacts": record.model} if record.model else None,
    )
    if life.ended:
        # The times are known once the instances are given back, not before.
        answer |= _without_none(
            TrainingTimeInSeconds=training_seconds(life, now),
            BillableTimeInSeconds=billable_seconds(life, now),
        )
    return answer


def summarize(record: Record) -> dict[str, Any]:
    """Return the entry of ListTrainingJobs for a job."""
    life = record.life
    return _without_none(
        TrainingJobName=life.name,
        TrainingJobArn=record.arn,
        CreationTime=life.created_at,
        TrainingEndTime=life.training_ended_at,
        LastModifiedTime=life.last_modified_at,
        TrainingJobStatus=life.status.value,
        SecondaryStatus=life.secondary.value,
    )


def state_change(record: Record, at: float) -> dict[str, Any]:
    """Return the state-change event of a job, as EventBridge delivers it to a target."""
    _, _, _, region, account, _ = record.arn.split(":", 5)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": DETAIL_TYPE,
        "source": SOURCE,
        "account": account,
        "time": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [record.arn],
        "detail": _event_detail(record),
    }


def _event_detail(record: Record) -> dict[str, Any]:
    # Times are epoch milliseconds as strings, and tags are an object: unlike in the API.
    life, request = record.life, record.request
    detail: dict[str, Any] = {
        "TrainingJobName": life.name,
        "TrainingJobArn": record.arn,
        "TrainingJobStatus": life.status.value,
        "SecondaryStatus": life.secondary.value,
    }
    if life.failure_reason is not None:
        detail["FailureReason"] = life.failure_reason
    empty: dict[str, Any] = {"HyperParameters": {}, "InputDataConfig": [], "VpcConfig": {}}
    detail |= {name: request.get(name, empty.get(name)) for name in _EVENT_MEMBERS}
    times = {
        "CreationTime": life.created_at,
        "TrainingStartTime": life.training_started_at,
        "TrainingEndTime": life.training_ended_at,
        "LastModifiedTime": life.last_modified_at,
    }
    detail |= {name: _milliseconds(moment) for name, moment in times.items() if moment is not None}
    detail["SecondaryStatusTransitions"] = [
        _without_none(
            Status=step.status.value,
            StartTime=_milliseconds(step.started_at),
            EndTime=None if step.ended_at is None else _milliseconds(step.ended_at),
            StatusMessage=record.message(step),
        )
        for step in life.transitions
    ]
    detail["Tags"] = dict(record.tags)
    return detail


def _milliseconds(moment: float) -> str:
    return str(round(moment * 1000))


def _without_none(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def model_uri(request: Mapping[str, Any]) -> str:
    """Return the place where the service puts the model of a job."""
    output = request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
    return f"{output}/{request['TrainingJobName']}/output/model.tar.gz"
