"""Scenario documents: what happens to which training jobs and endpoints, validated field by field."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from simulator.life.endpoint import DeploymentFailure, EndpointScript, EndpointStatus
from simulator.life.job import Failure, Script, Secondary
from simulator.world.capacity import Interruption, ScriptedCapacity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PositiveSeconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Market = Literal["spot", "on-demand"]
QuotaMarket = Literal["spot", "on-demand", "endpoint"]
Operation = Literal["CreateTrainingJob", "DescribeTrainingJob", "StopTrainingJob"]
HostingOperation = Literal[
    "CreateModel",
    "DescribeModel",
    "DeleteModel",
    "CreateEndpointConfig",
    "DescribeEndpointConfig",
    "DeleteEndpointConfig",
    "CreateEndpoint",
    "UpdateEndpoint",
    "DescribeEndpoint",
    "DeleteEndpoint",
    "ListEndpoints",
    "CreateModelPackageGroup",
    "DescribeModelPackageGroup",
    "CreateModelPackage",
    "DescribeModelPackage",
    "ListModelPackages",
]
InvokedOperation = Literal["InvokeEndpoint"]
RatedOperation = (
    Literal["CreateTrainingJob", "DescribeTrainingJob", "ListTrainingJobs", "StopTrainingJob", "AddTags", "ListTags"]
    | HostingOperation
)


class ScenarioError(ValueError):
    """A scenario document is invalid; the message names each invalid field."""


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InterruptionRule(_Document):
    """A loss of capacity, and after how many seconds the capacity returns (``null``: never).

    With ``wait_expires_after`` the job's MaxWait expires so many seconds later, as if the rest of it had passed.
    """

    after_training_seconds: Seconds | None = None
    after_checkpoints: Annotated[int, Field(ge=1)] | None = None
    capacity_returns_after: Seconds | None = None
    wait_expires_after: Seconds | None = None

    @model_validator(mode="after")
    def _require_moment(self) -> InterruptionRule:
        if self.after_training_seconds is None and self.after_checkpoints is None:
            raise ValueError("give after_training_seconds or after_checkpoints")
        if self.capacity_returns_after is not None and self.wait_expires_after is not None:
            raise ValueError("give capacity_returns_after or wait_expires_after, not both")
        return self


class CapacityRule(_Document):
    """Spot capacity: the first wait (``null``: it never arrives), then the interruptions in order."""

    after: Seconds | None = 0.0
    interruptions: tuple[InterruptionRule, ...] = ()


class PhasesRule(_Document):
    """How long the phases last that do not end with a real process, in seconds."""

    starting: Seconds = 0.2
    downloading: Seconds = 0.2
    uploading: Seconds = 0.2
    stopping: Seconds = 0.2


class CheckpointsRule(_Document):
    """Simulated checkpoints: one every ``every_seconds`` of training, named by a pattern with ``{number}``."""

    every_seconds: PositiveSeconds
    name: str = "xgboost-checkpoint.{number}"

    @model_validator(mode="after")
    def _require_number(self) -> CheckpointsRule:
        if self.name.count("{number}") != 1:
            raise ValueError("name must contain {number} exactly once")
        return self


class FailureRule(_Document):
    """A failure with its FailureReason, ``after_seconds`` into the first phase of that name."""

    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    phase: Literal["Starting", "Pending", "Downloading", "Training"] = "Training"
    after_seconds: Seconds = 0.0


class Fault(_Document):
    """An error that a call returns instead of its answer, ``times`` times (``null``: always).

    With ``takes_effect`` the call does its work, and only its answer is lost.
    """

    operation: str
    code: Annotated[str, Field(min_length=1)]
    message: str = ""
    times: Annotated[int, Field(ge=1)] | None = 1
    http_status: Annotated[int, Field(ge=400, le=599)] = 400
    takes_effect: bool = False


class ErrorRule(Fault):
    """An error of an operation on training jobs."""

    operation: Operation


class HostingErrorRule(Fault):
    """An error of an operation on endpoints, or on what they are made of."""

    operation: HostingOperation | InvokedOperation


class DropRule(_Document):
    """Which state-change events are lost: those of some secondary statuses, and a random fraction of all."""

    statuses: tuple[Secondary, ...] = ()
    fraction: Annotated[float, Field(ge=0, le=1)] = 0.0


class EndpointDropRule(_Document):
    """Which events of endpoints are lost: those of some statuses, and a random fraction of all."""

    statuses: tuple[EndpointStatus, ...] = ()
    fraction: Annotated[float, Field(ge=0, le=1)] = 0.0


class _Travel(_Document):
    duplicates: Annotated[int, Field(ge=0, le=20)] = 0
    delay_seconds: Seconds = 0.0
    shuffle_within_seconds: Seconds = 0.0
    seed: int = 0


class EventsRule(_Travel):
    """How state-change events arrive: late, more than once, out of order, or not at all."""

    drop: DropRule = DropRule()


class EndpointEventsRule(_Travel):
    """The same for the events of endpoints and model packages."""

    drop: EndpointDropRule = EndpointDropRule()


class Rule(_Document):
    """What happens to the jobs that it matches; the first rule that matches a job applies."""

    name: Annotated[str, Field(min_length=1)] = "*"
    market: Market | None = None
    instance_type: str | None = None
    capacity: CapacityRule = CapacityRule()
    train_seconds: Seconds = 2.0
    phases: PhasesRule = PhasesRule()
    checkpoints: CheckpointsRule | None = None
    fail: FailureRule | None = None
    billable_share: Annotated[float, Field(gt=0, le=1)] = 0.3
    errors: tuple[ErrorRule, ...] = ()
    events: EventsRule = EventsRule()

    def matches(self, name: str, market: str | None = None, instance_type: str | None = None) -> bool:
        """Whether the rule applies to a job; a market or an instance type that is not known matches every rule."""
        return (
            fnmatchcase(name, self.name)
            and (self.market is None or market is None or self.market == market)
            and (self.instance_type is None or instance_type is None or fnmatchcase(instance_type, self.instance_type))
        )

    def script(self, held: frozenset[Secondary] = frozenset()) -> Script:
        """Return the script of a job's life under this rule; ``held`` are the phases that end on an input."""
        interruptions = tuple(
            Interruption(
                after_training_seconds=planned.after_training_seconds,
                capacity_returns_after=planned.capacity_returns_after,
                after_checkpoints=planned.after_checkpoints,
            )
            for planned in self.capacity.interruptions
        )
        failure = None
        if self.fail is not None:
            failure = Failure(self.fail.reason, Secondary(self.fail.phase), self.fail.after_seconds)
        return Script(
            starting=self.phases.starting,
            downloading=self.phases.downloading,
            uploading=self.phases.uploading,
            stopping=self.phases.stopping,
            train_seconds=self.train_seconds,
            checkpoint_every=self.checkpoints.every_seconds if self.checkpoints else None,
            failure=failure,
            billable_share=self.billable_share,
            capacity=ScriptedCapacity(self.capacity.after, interruptions),
            held=held,
            on_demand_waits=self.market == "on-demand",
            wait_expires_after=tuple(planned.wait_expires_after for planned in self.capacity.interruptions),
        )


class EndpointPhasesRule(_Document):
    """How long an endpoint stays in each status, in seconds; with a real process, at least so long."""

    creating: Seconds = 0.2
    updating: Seconds = 0.2
    rolling_back: Seconds = 0.2
    deleting: Seconds = 0.2


class EndpointFailureRule(_Document):
    """A failure with its FailureReason, ``after_seconds`` into Creating, or into Updating at each update."""

    reason: Annotated[str, Field(min_length=1, max_length=1024)]
    status: Literal["Creating", "Updating"] = "Creating"
    after_seconds: Seconds = 0.0


class EndpointRule(_Document):
    """What happens to the endpoints that it matches; the first rule that matches one applies.

    Its errors and events are also those of the models, configurations and model package groups whose names match.
    ``health_check_seconds`` is how long real containers have to answer pings.
    """

    name: Annotated[str, Field(min_length=1)] = "*"
    phases: EndpointPhasesRule = EndpointPhasesRule()
    fail: EndpointFailureRule | None = None
    health_check_seconds: PositiveSeconds = 480.0
    errors: tuple[HostingErrorRule, ...] = ()
    events: EndpointEventsRule = EndpointEventsRule()

    def script(self, held: frozenset[EndpointStatus] = frozenset()) -> EndpointScript:
        """Return the script of an endpoint under this rule; ``held`` are the statuses that end on an input."""
        failure = None
        if self.fail is not None:
            failure = DeploymentFailure(self.fail.reason, EndpointStatus(self.fail.status), self.fail.after_seconds)
        return EndpointScript(**self.phases.model_dump(), failure=failure, held=held)


class Quota(_Document):
    """How many instances of a type the account may use at once in a market, or for endpoints."""

    instance_type: Annotated[str, Field(min_length=1)]
    market: QuotaMarket
    limit: Annotated[int, Field(ge=0)]

    @property
    def title(self) -> str:
        """The name of the quota, as the service writes it."""
        usages = {"spot": "spot training job", "on-demand": "training job", "endpoint": "endpoint"}
        return f"{self.instance_type} for {usages[self.market]} usage"


class RateRule(_Document):
    """How often an operation may be called: a token bucket; ``burst`` is one second's calls if it is not given."""

    per_second: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    burst: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = None

    @property
    def most_at_once(self) -> float:
        """How many calls are answered at the same moment after a pause."""
        return self.burst if self.burst is not None else max(1.0, self.per_second)


# Service Quotas shows these two. The others are assumed: AWS does not publish them. Nor does it publish bursts.
AWS_RATES: Mapping[str, RateRule] = {
    operation: RateRule(per_second=5) for kind in get_args(RatedOperation) for operation in get_args(kind)
} | {"CreateTrainingJob": RateRule(per_second=1), "ListTrainingJobs": RateRule(per_second=2)}


class Scenario(_Document):
    """Rules in order, a default for jobs that no rule matches, rules for endpoints, and the account's quotas and rates.

    Without ``rates`` no call is throttled; ``aws`` are AWS's default rates.
    """

    rules: tuple[Rule, ...] = ()
    default: Rule = Rule()
    endpoints: tuple[EndpointRule, ...] = ()
    quotas: tuple[Quota, ...] = ()
    rates: Literal["aws"] | dict[RatedOperation, RateRule] | None = None

    @property
    def rate_rules(self) -> Mapping[str, RateRule]:
        """The rates in force, by operation."""
        if self.rates == "aws":
            return AWS_RATES
        return {operation: rate for operation, rate in (self.rates or {}).items()}  # noqa: C416 (wider keys)

    def rule_for(self, name: str, market: str | None = None, instance_type: str | None = None) -> Rule:
        """Return the first rule that matches, else the default."""
        matching = (rule for rule in self.rules if rule.matches(name, market, instance_type))
        return next(matching, self.default)

    def endpoint_rule_for(self, name: str) -> EndpointRule:
        """Return the first rule that matches an endpoint, or another resource of this name, else the defaults."""
        return next((rule for rule in self.endpoints if fnmatchcase(name, rule.name)), EndpointRule())

    def with_first(self, more: Scenario) -> Scenario:
        """Return a scenario with the rules of ``more`` before these; its quotas replace those for the same pool.

        Its rates, if it has any, replace all of these.
        """
        given = {(quota.instance_type, quota.market) for quota in more.quotas}
        kept = (quota for quota in self.quotas if (quota.instance_type, quota.market) not in given)
        return Scenario(
            rules=more.rules + self.rules,
            default=self.default,
            endpoints=more.endpoints + self.endpoints,
            quotas=(*more.quotas, *kept),
            rates=self.rates if more.rates is None else more.rates,
        )


def parse_scenario(document: Any) -> Scenario:
    """Validate a document that was read from YAML or JSON.

    Raises
    ------
    ScenarioError
        With one line per error: the path of the field, then what is wrong with it.
    """
    try:
        return Scenario.model_validate({} if document is None else document)
    except ValidationError as error:
        faults = (f"{_path(fault['loc'])}: {fault['msg']}" for fault in error.errors())
        raise ScenarioError("\n".join(faults)) from error


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file in YAML or JSON."""
    try:
        return parse_scenario(parse_text(path.read_text(encoding="utf-8")))
    except ScenarioError as error:
        raise ScenarioError(f"{path}:\n{error}") from error


def parse_text(text: str) -> Any:
    """Read YAML or JSON text into plain values."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScenarioError(f"not YAML or JSON: {error}") from error


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path or "document"
