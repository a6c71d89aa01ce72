"""What the API answers, as values.

Each value is made from the JSON of an answer. Fields that this version of the client does not know are ignored, and
those that an older stack leaves out have defaults; ``document`` always holds the JSON as it came. Times are aware,
durations are whole seconds, and money is in USD.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from spot_relay.domain.shown.report import LOG_GROUP
from spot_relay.pages.view import ENDED

Document: TypeAlias = Mapping[str, Any]


def read_time(text: str | None) -> datetime | None:
    """Return a moment that the API wrote, or None for None."""
    return datetime.fromisoformat(text) if text else None


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in S3."""

    key: str
    last_modified: datetime | None


@dataclass(frozen=True)
class Placement:
    """Where an attempt runs."""

    instance_type: str
    instance_count: int
    market: str
    """``spot`` or ``on-demand``."""

    def __str__(self) -> str:
        """Return the placement as people read it."""
        return f"{self.instance_count} x {self.instance_type} {self.market}"


@dataclass(frozen=True)
class Transition:
    """One step of a training job: an entry of SecondaryStatusTransitions."""

    status: str
    started_at: datetime
    ended_at: datetime | None
    message: str | None


@dataclass(frozen=True)
class Attempt:
    """One training job of a run."""

    number: int
    job_name: str
    job_arn: str | None
    status: str
    """``Planned``, ``InProgress`` or ``Ended``."""
    cause: str
    phase: str | None
    """The latest SecondaryStatus of the training job."""
    outcome: str | None
    failure_reason: str | None
    status_message: str | None
    placement: Placement
    resumes_from: Checkpoint | None
    checkpoint: Checkpoint | None
    created_at: datetime | None
    training_started_at: datetime | None
    ended_at: datetime | None
    training_seconds: int | None
    billable_seconds: int | None
    waited_seconds: int | None
    wasted_seconds: int
    interruptions: int
    cost_usd: float | None
    """What it has cost, if its price is known, as is on_demand_cost_usd."""
    on_demand_cost_usd: float | None
    """What the training of it that was kept would have cost on-demand."""
    transitions: tuple[Transition, ...]
    log_stream_prefix: str
    document: Document = field(repr=False, compare=False)

    @property
    def ended(self) -> bool:
        """Whether its training job is known to have ended."""
        return self.status == "Ended"


@dataclass(frozen=True)
class Canary:
    """A spot job that only sleeps, to show when there is spot capacity again."""

    job_name: str
    placement: Placement
    billable_seconds: int
    cost_usd: float | None


@dataclass(frozen=True)
class Decision:
    """Why the run was changed."""

    at: datetime
    observation: str
    reason: str
    times: int
    """How often the same decision was made."""
    until: datetime | None
    """When it was made for the last time, if it was made several times."""


@dataclass(frozen=True)
class Deadline:
    """When the run has to be finished."""

    at: datetime
    expected_runtime_seconds: int
    progress_seconds: int
    """The training that the run's checkpoints contain."""


@dataclass(frozen=True)
class Start:
    """What a run waits for before its first launch."""

    waits: bool
    """Whether it is still waiting."""
    at: datetime | None
    after: Mapping[str, bool]
    """The runs that have to complete first, and whether each has."""
    continue_from: str | None
    """The run whose model the training starts from, or whose checkpoints."""
    checkpoint: bool
    """Whether it starts from a copy of that run's checkpoints."""
    template: str | None
    """The key of the template that the run was made from."""
    at_most: int | None
    """How many runs of the template may be under way at once."""


@dataclass(frozen=True)
class HostingTask:
    """Something that is done with a run's model: it is registered, or deployed."""

    target: str
    """The name of the model package group, or of the endpoint."""
    status: str
    """Waiting, InProgress, Succeeded or Failed."""
    reason: str
    arn: str | None
    """The ARN of the model package, or of the endpoint."""
    settled_at: datetime | None


@dataclass(frozen=True)
class Hosting:
    """What is done with a run's model once the run has completed."""

    register_model: HostingTask | None
    deploy: HostingTask | None


@dataclass(frozen=True)
class RunSummary:
    """A run in a list of runs."""

    name: str
    status: str
    reason: str
    attempts: int
    created_at: datetime
    updated_at: datetime
    document: Document = field(repr=False, compare=False)

    @classmethod
    def from_document(cls, document: Document) -> RunSummary:
        """Return the run of an entry of GET /runs."""
        return cls(
            name=document["run_id"],
            status=document["status"],
            reason=document["reason"],
            attempts=document["attempts"],
            created_at=_time(document["created_at"]),
            updated_at=_time(document["updated_at"]),
            document=document,
        )


@dataclass(frozen=True)
class Run:
    """A training job that Spot Relay keeps running until it finishes."""

    name: str
    status: str
    """``Pending``, ``InProgress``, ``Stopping``, ``Completed``, ``Failed`` or ``Stopped``."""
    reason: str
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    check_at: datetime | None
    """When an open run is looked at again, even if nothing happens before."""
    stop_requested: bool
    moved_to: str | None
    """Where its user has moved it: on-demand until it is moved back, or to spot until its next attempt is planned."""
    attempts: tuple[Attempt, ...]
    canaries: tuple[Canary, ...]
    decisions: tuple[Decision, ...]
    """Oldest first."""
    deadline: Deadline | None
    start: Start | None
    """None if it never waited."""
    hosting: Hosting | None
    """None if nothing is done with its model."""
    training_seconds: int
    billable_seconds: int
    waited_seconds: int
    wasted_seconds: int
    interruptions: int
    savings_percent: float | None
    cost_usd: float | None
    on_demand_cost_usd: float | None
    spent: Mapping[str, Any]
    budgets: Mapping[str, Any]
    training_job: Mapping[str, Any]
    """The CreateTrainingJob request as submitted, with secrets hidden."""
    training_job_arn: str | None
    tags: tuple[Mapping[str, str], ...]
    model_artifacts: str | None
    """Where the model is, once the run has completed."""
    log_group: str
    created: bool | None
    """Whether the request that was answered made the run; None if it was not a submission."""
    notice: str | None
    """What to know about a submission whose run had ended before."""
    document: Document = field(repr=False, compare=False)

    @property
    def ended(self) -> bool:
        """Whether it has completed, failed or been stopped."""
        return self.status in ENDED

    @classmethod
    def from_document(cls, document: Document) -> Run:
        """Return the run of an answer or a status document."""
        return cls(
            name=document["run_id"],
            status=document["status"],
            reason=document["reason"],
            created_at=_time(document["created_at"]),
            updated_at=_time(document["updated_at"]),
            ended_at=read_time(document.get("ended_at")),
            check_at=read_time(document.get("check_at")),
            stop_requested=document.get("stop_requested", False),
            moved_to=document.get("moved_to"),
            attempts=tuple(_attempt(each) for each in document["attempts"]),
            canaries=tuple(_canary(each) for each in document.get("canaries", ()) if "placement" in each),
            decisions=tuple(_decision(each) for each in document.get("decisions", ())),
            deadline=_deadline(document.get("deadline")),
            start=read_start(document.get("start")),
            hosting=_hosting(document.get("hosting")),
            training_seconds=document.get("training_seconds", 0),
            billable_seconds=document.get("billable_seconds", 0),
            waited_seconds=document.get("waited_seconds", 0),
            wasted_seconds=document.get("wasted_seconds", 0),
            interruptions=document.get("interruptions", 0),
            savings_percent=document.get("savings_percent"),
            cost_usd=document.get("cost_usd"),
            on_demand_cost_usd=document.get("on_demand_cost_usd"),
            spent=document.get("spent", {}),
            budgets=document.get("budgets", {}),
            training_job=document.get("training_job", {}),
            training_job_arn=document.get("training_job_arn"),
            tags=tuple(document.get("tags", ())),
            model_artifacts=document.get("model_artifacts"),
            log_group=document.get("log_group", LOG_GROUP),
            created=document.get("created"),
            notice=document.get("notice"),
            document=document,
        )


def _attempt(document: Document) -> Attempt:
    return Attempt(
        number=document["number"],
        job_name=document["job_name"],
        job_arn=document.get("job_arn"),
        status=document["status"],
        cause=document["cause"],
        phase=document.get("phase"),
        outcome=document.get("outcome"),
        failure_reason=document.get("failure_reason"),
        status_message=document.get("status_message"),
        placement=_placement(document["placement"]),
        resumes_from=_checkpoint(document.get("resumes_from")),
        checkpoint=_checkpoint(document.get("checkpoint")),
        created_at=read_time(document.get("created_at")),
        training_started_at=read_time(document.get("training_started_at")),
        ended_at=read_time(document.get("ended_at")),
        training_seconds=document.get("training_seconds"),
        billable_seconds=document.get("billable_seconds"),
        waited_seconds=document.get("waited_seconds"),
        wasted_seconds=document.get("wasted_seconds", 0),
        interruptions=document.get("interruptions", 0),
        cost_usd=document.get("cost_usd"),
        on_demand_cost_usd=document.get("on_demand_cost_usd"),
        transitions=tuple(_transition(each) for each in document.get("transitions", ())),
        log_stream_prefix=document.get("log_stream_prefix", f"{document['job_name']}/"),
        document=document,
    )


def _canary(document: Document) -> Canary:
    return Canary(
        job_name=document["job_name"],
        placement=_placement(document["placement"]),
        billable_seconds=document.get("billable_seconds") or 0,
        cost_usd=document.get("cost_usd"),
    )


def _placement(document: Document) -> Placement:
    return Placement(document["instance_type"], document["instance_count"], document["market"])


def _checkpoint(document: Document | None) -> Checkpoint | None:
    return Checkpoint(document["key"], read_time(document.get("last_modified"))) if document else None


def _transition(document: Document) -> Transition:
    return Transition(
        status=document["status"],
        started_at=_time(document["started_at"]),
        ended_at=read_time(document.get("ended_at")),
        message=document.get("message"),
    )


def _decision(document: Document) -> Decision:
    return Decision(
        at=_time(document["at"]),
        observation=document["observation"],
        reason=document["reason"],
        times=document.get("times", 1),
        until=read_time(document.get("until")),
    )


def read_start(document: Document | None) -> Start | None:
    """Return what a run waits for, as its document or its plan says; None if it never waits."""
    if document is None:
        return None
    return Start(
        waits=document["waits"],
        at=read_time(document.get("at")),
        after={each["run_id"]: each["has_completed"] for each in document.get("after", ())},
        continue_from=document.get("continue_from"),
        checkpoint=document.get("checkpoint", False),
        template=document.get("template"),
        at_most=document.get("at_most"),
    )


def _hosting(document: Document | None) -> Hosting | None:
    if document is None:
        return None
    return Hosting(
        register_model=_hosting_task(document.get("register_model"), "group"),
        deploy=_hosting_task(document.get("deploy"), "endpoint"),
    )


def _hosting_task(document: Document | None, target: str) -> HostingTask | None:
    if document is None:
        return None
    return HostingTask(
        target=document[target],
        status=document["status"],
        reason=document["reason"],
        arn=document.get("arn"),
        settled_at=read_time(document.get("settled_at")),
    )


def _deadline(document: Document | None) -> Deadline | None:
    if document is None:
        return None
    return Deadline(
        at=_time(document["at"]),
        expected_runtime_seconds=document.get("expected_runtime_seconds", 0),
        progress_seconds=document.get("progress_seconds", 0),
    )
