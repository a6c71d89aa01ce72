"""The answers of the API as pydantic models, from which their JSON schemas are generated. No function imports them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from openapi.requests import NAME_PATTERN
from spot_relay.domain.lint.rule import Severity
from spot_relay.domain.rules.progress import KEPT_POINTS
from spot_relay.domain.run.attempt import AttemptStatus, CanaryStatus
from spot_relay.domain.run.hosting import HostingStatus
from spot_relay.domain.run.policy import ReturnToSpot
from spot_relay.domain.run.run import MAX_ATTEMPTS, RunStatus
from spot_relay.domain.run.start import OnFailure
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.sagemaker.job import Market
from spot_relay.domain.sagemaker.phase import KEPT_PHASES, Stage
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.domain.shown.forecast import NextAction
from spot_relay.spec.run_name import MAX_NAME

RunName = Annotated[str, Field(pattern=NAME_PATTERN, max_length=MAX_NAME)]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[int, Field(ge=0)]


class Answer(BaseModel):
    """A JSON object that always has all of its keys. The docstring under a field becomes its description."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Checkpoint(Answer):
    """A checkpoint in S3."""

    key: str
    last_modified: datetime
    size_bytes: Count | None
    """The size of that object. Null if it was stored by an earlier release."""


class Placement(Answer):
    """Where an attempt runs."""

    instance_type: str
    instance_count: Count
    market: Market
    volume_size_gb: Count | None
    """Null for the volume size that the training job names."""


class Transition(Answer):
    """One entry of the training job's SecondaryStatusTransitions."""

    status: str
    started_at: datetime
    ended_at: datetime | None
    message: str | None
    """SageMaker's message, without values of the spec that may be secret."""


class Phase(Answer):
    """A phase of the training job's life, in fewer words than SageMaker's."""

    stage: Stage
    """`waiting` is the wait for the first capacity. `earlier` stands for phases that lie too far back to be kept."""
    started_at: datetime
    ended_at: datetime | None


class Attempt(Answer):
    """One training job of the run."""

    number: Count
    job_name: str
    job_arn: str | None
    """The ARN of the training job. Null until it is known to have been created."""
    log_stream_prefix: str
    """The beginning of the names of its log streams: one for each instance."""
    status: AttemptStatus
    cause: str
    """Why it was planned: Submitted, Resumed, how the previous attempt ended, what the deadline required, or Moved."""
    phase: str | None
    """The latest SecondaryStatus of the training job."""
    outcome: Outcome | None
    failure_reason: str | None
    status_message: str | None
    """SageMaker's message, without values of the spec that may be secret."""
    resumes_from: Checkpoint | None
    """The newest checkpoint when it was planned."""
    checkpoint: Checkpoint | None
    """The newest complete checkpoint when it was last looked up: after a bad end, and while a deadline needs it."""
    ignored_objects: Count | None
    """How many other objects were under the prefix: logs, markers, data, code and incomplete checkpoints."""
    placement: Placement
    planned_at: datetime
    created_at: datetime | None
    training_started_at: datetime | None
    ended_at: datetime | None
    training_seconds: Seconds | None
    billable_seconds: Seconds | None
    waited_seconds: Seconds | None
    interruptions: Count
    wasted_seconds: Seconds
    cost_usd: float | None
    """Null if a price is unknown, as is on_demand_cost_usd."""
    on_demand_cost_usd: float | None
    """What the training that was kept would have cost on-demand."""
    phases: Annotated[list[Phase], Field(max_length=KEPT_PHASES)]
    """The latest ones; earlier ones are merged into one. They stay when the transitions are dropped."""
    transitions: list[Transition]
    """The latest 40, as of the latest description of the job. A run with a very long history drops the oldest ones."""


class Canary(Answer):
    """A spot job that only sleeps. It runs beside an on-demand attempt and shows when spot capacity is available."""

    job_name: str
    status: CanaryStatus
    phase: str | None
    refusal: Refusal | None
    """Why it was not created, if its newest launch was refused; null while a launch is under way or not answered."""
    placement: Placement
    planned_at: datetime
    billable_seconds: Seconds | None
    cost_usd: float | None


class Decision(Answer):
    """Why the run was changed."""

    at: datetime
    observation: str
    """What was decided on."""
    reason: str
    times: Count
    """How often the same decision was made, on its own or alternating with one other."""
    until: datetime | None


class PriceSource(Answer):
    """Where the prices come from."""

    source: str
    as_of: datetime


class Checkpoints(Answer):
    """How often checkpoints arrive, and whether one is missing."""

    usual_interval_seconds: Seconds | None
    """How much training usually lies between two. Null until there have been enough to tell."""
    overdue_since: datetime | None
    """Since when the newest attempt has trained without a new one, once that is too long; null otherwise."""


class Deadline(Answer):
    """When the run has to be finished."""

    at: datetime
    expected_runtime_seconds: Seconds
    progress_seconds: Seconds
    """The training that the run's checkpoints contain."""
    return_to_spot: ReturnToSpot
    pace: float | None
    """A run that waits is behind once the training that is left takes more than this share of the time that is left."""
    reserve_seconds: Seconds | None
    """The safety net: what has to be left beside the training, so that a move to on-demand is in time."""
    on_demand_from: datetime | None
    """When a run on spot goes on-demand if it has no capacity from now on. Null if it does not, or has ended."""


class Next(Answer):
    """What is decided next as far as is known."""

    action: NextAction
    at: datetime | None
    """Null if it depends on something other than time."""
    reason: str
    """In a sentence, with the condition."""


class Finish(Answer):
    """When the run completes. It is known for runs with a deadline, which say how long they train."""

    earliest: datetime
    """If nothing delays it from now on."""
    likely: datetime | None
    """If as much of its time is lost as until now, and capacity takes as long to come. Null before it has trained."""
    latest: datetime | None
    """By its deadline, as long as on-demand capacity is available when it is needed. Null if nothing promises it."""


class Queue(Answer):
    """The queue for room in a pool, in which the oldest run is first."""

    pool: str
    """The instance type and market, or `any instance type` if a quota is full that spans them."""
    since: datetime
    ahead: Count | None
    """How many runs are ahead of this one, up to 100. Null in the status document in S3."""


class ProgressPoint(Answer):
    """What the checkpoints were known to hold once one was written."""

    at: datetime
    """When that checkpoint was written."""
    seconds: Seconds
    """The training that the run's checkpoints contained then."""


class Spent(Answer):
    """How much of each budget has been used, in relaunches or, for `refusals`, in launches."""

    expired_waits: Count
    capacity_failures: Count
    service_errors: Count
    user_errors: Count
    attempts_without_progress: Count
    refusals: Count


class Budgets(Spent):
    """How many relaunches are allowed for each way an attempt can end, and how many refused launches in a row."""

    money_usd: float | None
    """What all attempts together may cost, in USD."""


class Tag(Answer):
    """A tag, in SageMaker's spelling."""

    Key: str
    Value: str


class Predecessor(Answer):
    """A run that this one comes after."""

    run_id: RunName
    has_completed: bool


class Start(Answer):
    """What the run waits for before its first launch, and what it was made from."""

    waits: bool
    """Whether it is still waiting."""
    template: str | None
    """The key of the template that the run was made from."""
    at_most: int | None
    """How many runs of the template may be under way at once."""
    at: datetime | None
    """It starts at this time, or later."""
    after: list[Predecessor]
    on_failure: OnFailure
    continue_from: RunName | None
    """The run whose model the training starts from, or whose checkpoints."""
    channel: str | None
    """The input channel that has this model."""
    checkpoint: bool
    """Whether it starts from a copy of that run's checkpoints."""
    copied_objects: Count | None
    """How many objects of them are copied so far, while they are being copied; null otherwise."""


class HostingTask(Answer):
    """Something that is done with the model once the run has completed."""

    status: HostingStatus | Literal["Waiting"]
    """Waiting until the run has completed. A failure changes nothing about the run's own status."""
    reason: str
    """Why it has this status."""
    arn: str | None
    """The ARN of the model package, or of the endpoint."""
    began_at: datetime | None
    check_at: datetime | None
    """When it is checked again, even if no event arrives before."""
    settled_at: datetime | None
    """When it succeeded or failed."""


class Registering(HostingTask):
    """The registration of the model."""

    group: str
    """The model package group."""


class Deploying(HostingTask):
    """The deployment of the model."""

    endpoint: str
    model_name: str | None
    """The name of the model and of its configuration, which is that of the training job that made the model."""


class Hosting(Answer):
    """What is done with the run's model: it is registered, deployed, or both."""

    register_model: Registering | None
    deploy: Deploying | None


class Run(Answer):
    """A run, as in its status document in S3. Times are UTC, durations are whole seconds, money is in USD."""

    run_id: RunName
    training_job_arn: str
    """The ARN that a training job with the run's name would have. No such job exists."""
    status: RunStatus
    reason: str
    """Why the run has this status."""
    created_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    check_at: datetime | None
    """When an open run is checked again, even if no event arrives before."""
    stop_requested: bool
    next: Next | None
    """Null once it has ended."""
    finish: Finish | None
    """Null if nothing is known."""
    queue: Queue | None
    """Null unless it waits for room."""
    moved_to: Market | None
    """Where its user has moved it: on-demand until it is moved back, or to spot until its next attempt is planned."""
    attempts: Annotated[list[Attempt], Field(min_length=1, max_length=MAX_ATTEMPTS)]
    start: Start | None
    """Null if it never waited."""
    log_group: str
    """The CloudWatch log group that has the log streams of all attempts."""
    model_artifacts: str | None
    """The S3 URI of the model that the completed attempt has uploaded."""
    hosting: Hosting | None
    """Null if the spec has no on_success."""
    training_seconds: Seconds
    billable_seconds: Seconds
    waited_seconds: Seconds
    """How long its attempts waited for capacity."""
    interruptions: Count
    """How often it lost its spot capacity."""
    savings_percent: float | None
    """(1 - billable / training) * 100. Null until something has trained."""
    wasted_seconds: Seconds
    """Training that was lost because no checkpoint was written after it."""
    cost_usd: float | None
    """Null if a price is unknown, as are on_demand_cost_usd and wasted_usd."""
    on_demand_cost_usd: float | None
    """What the training that was kept would have cost on-demand."""
    wasted_usd: float | None
    most_usd: float | None
    """What it costs at most until its newest attempt, which may use all of MaxRuntimeInSeconds, has ended."""
    prices: PriceSource | None
    deadline: Deadline | None
    spent: Spent
    budgets: Budgets
    progress: Annotated[list[ProgressPoint], Field(max_length=KEPT_POINTS)]
    """How the training that the checkpoints contain has grown; those of a long run are thinned evenly."""
    checkpoints: Checkpoints
    canaries: list[Canary]
    decisions: list[Decision]
    """The latest 40."""
    tags: list[Tag]
    """The tags of the submitted training job. Each attempt also has Spot Relay's own tags."""
    training_job: dict[str, Any]
    """The submitted CreateTrainingJob request, without TrainingJobName. Its HyperParameters, Environment, container
    arguments and rule parameters have "[hidden]" in place of each value that looks like a secret."""


class SubmittedRun(Run):
    """The run of the submitted spec."""

    created: bool
    """Whether this request has created the run. If not, the same spec had been submitted before."""
    notice: str = ""
    """Only if the spec had been submitted before and its run has ended: says so, and what to do to train again."""


class RunSummary(Answer):
    """A run in a list of runs."""

    run_id: RunName
    status: RunStatus
    reason: str
    attempts: Count
    """How many attempts the run has."""
    created_at: datetime
    updated_at: datetime


class Page(Answer):
    """A page of runs, newest first."""

    runs: list[RunSummary]
    next_token: str | None
    """The token for the next page. Null on the last page."""


class PlannedLimit(Answer):
    """The stack's own limit on attempts of an instance type, in both markets together."""

    limit: Count
    used: Count | None
    source: str


class WaitingRun(Answer):
    """The run that waits longest for room in a pool, and why."""

    run_id: RunName
    message: str | None
    """SageMaker's refusal, with the quota's limit and use where the refusal has them."""
    at: datetime | None


class PlannedQueue(Answer):
    """The queue of runs that wait for room in a pool."""

    place: Annotated[int, Field(ge=1)]
    """The run's place if it had to wait now."""
    waiting: Count
    """How many runs wait, up to 100."""
    oldest: WaitingRun | None


class PlannedPlacement(Answer):
    """A placement that the run may use."""

    order: Annotated[int, Field(ge=1)]
    rung: Count
    """The index of its rung in the ladder."""
    attempts: Count | None
    """How many attempts may fail to get capacity there. Null if only the deadline leads there."""
    instance_type: str
    instance_count: Count
    market: Market
    on_demand_usd_per_hour: float | None
    spot_usd_per_hour: float | None
    limit: PlannedLimit | None
    """Null if the stack has none. Quotas of SageMaker are not asked for."""
    queue: PlannedQueue


class PlannedDeadline(Answer):
    """What the deadline leads to."""

    at: datetime
    earliest_finish: datetime | None
    """If spot capacity comes at once. Null if the run fails even so."""
    latest_finish: datetime | None
    """With the worst luck. Null if the run may then fail."""
    on_demand_from: datetime | None
    """When on-demand begins if spot capacity never comes."""


class PlannedCost(Answer):
    """Cost in USD. Null if a price is missing."""

    best_usd: float | None
    """If spot capacity comes at once. Null also if a spot price is missing."""
    worst_usd: float | None
    """The highest of the outlooks."""
    on_demand_usd: float | None
    """The same training on-demand."""


class Outlook(Answer):
    """How the run ends with some luck."""

    status: RunStatus
    reason: str
    ended_at: datetime | None
    attempts: Count
    on_demand_from: datetime | None
    cost_usd: float | None


class Outlooks(Answer):
    """How the run ends with the best and the worst luck."""

    spot_at_once: Outlook
    """Spot capacity comes at once, and is never taken away."""
    spot_never: Outlook
    """Spot capacity never comes."""
    spot_lost: Outlook
    """Spot capacity comes at once, but all that is trained on it is lost."""


class Plan(Answer):
    """What would happen to the spec. It assumes that no launch is refused."""

    run_id: RunName
    as_of: datetime
    start: Start | None
    """What it waits for. The outlooks assume that the runs that it comes after have completed."""
    placements: list[PlannedPlacement]
    """In the order of the ladder, then what the deadline may lead to."""
    training_seconds: Seconds
    """The training that times and costs assume."""
    training_seconds_from: str
    """The key of the spec that it comes from."""
    startup_seconds: Seconds
    """What each start takes before it trains. It is billed as well."""
    deadline: PlannedDeadline | None
    cost: PlannedCost
    prices: PriceSource | None
    outlooks: Outlooks


class Warning(Answer):  # noqa: A001 - the schema's name
    """A finding of a lint rule. It refuses nothing."""

    rule: str
    severity: Severity
    path: str
    message: str
    why: str
    fix: str
    page: str
    """Where the rule is explained."""


class Problem(Answer):
    """One thing to change in the document that was sent."""

    path: str
    """From the top of the document, such as policy.budgets.expired_waits. Empty for the whole document."""
    message: str
    """What was found and what to do."""


class DryRun(Answer):
    """What would happen if the spec were submitted now. Nothing was stored, claimed or launched."""

    problems: list[Problem]
    """Why it would be refused. Empty if it would become a run."""
    warnings: list[Warning]
    plan: Plan | None
    """Null if the spec is invalid."""


class Error(Answer):
    """Why a request was refused."""

    code: str
    message: str
    details: Annotated[list[Problem], Field(max_length=101)]
