"""The training jobs of an account: the operations of the API, and how the jobs change with time."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from threading import Condition
from typing import TYPE_CHECKING, Any, Protocol

from simulator.api import errors
from simulator.api.errors import ServiceError
from simulator.api.listing import list_jobs
from simulator.api.rules import check_rules, check_tags, instances_of, terms_of
from simulator.api.validation import validate
from simulator.api.wire import Record, describe, model_uri
from simulator.life import advance, begin
from simulator.life.job import Happening, Input, PhaseDone, Secondary, Status, StopRequested, Transitioned
from simulator.life.lifecycle import next_due as next_due_of
from simulator.world.faults import FaultBook
from simulator.world.images import Images
from simulator.world.rates import RateLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from simulator.api.audit import AuditLog
    from simulator.world.scenario import Rule, Scenario

_MOST_TAGS = 50
logger = logging.getLogger(__name__)


class Apply(Protocol):
    """How an observer reports back: `TrainingJobs.apply`."""

    def __call__(self, name: str, happens: Input, *, model: str | None = None) -> None:
        """Apply an input to the job ``name``."""


class Observer(Protocol):
    """Acts on what happens to jobs: publishes it, or runs the jobs. It must not block."""

    def held_phases(self, request: Mapping[str, Any], rule: Rule, *, real: bool) -> frozenset[Secondary]:
        """Return the phases of such a job that last until this observer applies an input."""

    def observe(self, record: Record, happening: Happening) -> None:
        """Act on what happened; called once for each happening, in order."""


@dataclass(frozen=True)
class Account:
    """The account and the region that own the training jobs."""

    number: str = "000000000000"
    region: str = "us-east-1"

    def arn(self, name: str) -> str:
        """Return the ARN of a training job. It has the name in lower case, so that names in another case are taken."""
        return f"arn:aws:sagemaker:{self.region}:{self.number}:training-job/{name.lower()}"


class TrainingJobs:
    """All training jobs of an account, behind one lock.

    ``now`` returns epoch seconds. ``settle`` is called after each call of the API, outside the lock. ``images`` say
    which jobs run as real processes.
    """

    def __init__(
        self,
        account: Account,
        scenario: Scenario,
        audit: AuditLog,
        now: Callable[[], float] = time.time,
        settle: Callable[[], None] = lambda: None,
        images: Images | None = None,
    ) -> None:
        self.account = account
        self.audit = audit
        self.now = now
        self._settle = settle
        self._images = images or Images.read(None)
        self._scenario = scenario
        self._faults = FaultBook()
        self._limits = RateLimits(scenario.rate_rules, now())
        self._records: dict[str, Record] = {}
        self._names: dict[str, str] = {}  # by ARN
        self._observers: Sequence[Observer] = ()
        self.changed = Condition()  # its lock, a reentrant one, guards everything above
        self.operations: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "CreateTrainingJob": self._create,
            "DescribeTrainingJob": self._describe,
            "ListTrainingJobs": self._list,
            "StopTrainingJob": self._stop,
            "AddTags": self._add_tags,
            "ListTags": self._list_tags,
        }

    def add_observers(self, *observers: Observer) -> None:
        """Report what happens to the jobs created from now on to ``observers``."""
        self._observers = (*self._observers, *observers)

    @property
    def scenario(self) -> Scenario:
        """The scenario in force."""
        return self._scenario

    def play(self, scenario: Scenario) -> None:
        """Replace the scenario, for jobs created and calls made from now on."""
        with self.changed:
            self._scenario = scenario
            self._faults = FaultBook()
            self._limits = RateLimits(scenario.rate_rules, self.now())

    def play_before(self, more: Scenario) -> None:
        """Put the rules of ``more`` before those in force, and set its quotas."""
        with self.changed:
            self._scenario = self._scenario.with_first(more)
            if more.rates is not None:
                self._limits = RateLimits(self._scenario.rate_rules, self.now())

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Perform an operation of the API, and log it.

        Raises
        ------
        ServiceError
            If the operation is refused.
        """
        if operation not in self.operations:
            raise errors.unknown_operation(operation, self.operations)
        name = _job_name(request, self._names)
        try:
            with self.changed:
                return self._perform_logged(operation, request, name)
        finally:
            self._settle()

    def apply(self, name: str, happens: Input, *, model: str | None = None) -> None:
        """Apply an input to a job; ``model`` is where its model was uploaded to."""
        with self.changed:
            record = self._records[name]
            if model is not None:
                record = replace(record, model=model)
            self._advance(record, happens)

    def record(self, name: str) -> Record | None:
        """Return a job, or ``None`` if there is none of this name."""
        with self.changed:
            return self._records.get(name)

    def next_due(self) -> float | None:
        """Return when the next thing happens to any job."""
        with self.changed:
            moments = (next_due_of(record.life) for record in self._records.values())
            return min((moment for moment in moments if moment is not None), default=None)

    def catch_up(self) -> None:
        """Let everything happen that is due by now."""
        with self.changed:
            now = self.now()
            for record in list(self._records.values()):
                due = next_due_of(record.life)
                if due is not None and due <= now:
                    self._advance(record)

    def _perform_logged(self, operation: str, request: Mapping[str, Any], name: str | None) -> dict[str, Any]:
        try:
            answer = self._perform(operation, request, name)
        except ServiceError as error:
            self._log_call(operation, name, error.code, message=error.message)
            raise
        self._log_call(operation, name, "ok")
        return answer

    def _perform(self, operation: str, request: Mapping[str, Any], name: str | None) -> dict[str, Any]:
        if not self._limits.allow(operation, self.now()):
            raise errors.throttled()
        market, instance_type = _placement(request) if operation == "CreateTrainingJob" else (None, None)
        if name in self._records:
            existing = self._records[name]
            market, instance_type = existing.market, existing.request["ResourceConfig"].get("InstanceType")
        rule = self._scenario.rule_for(name or "", market, instance_type)
        fault = self._faults.take(rule, operation)
        lost = ServiceError(fault.code, fault.message, fault.http_status) if fault else None
        if lost and fault and not fault.takes_effect:
            raise lost
        validate(operation, request)
        self.catch_up()
        answer = self.operations[operation](request)
        if lost:
            raise lost
        return answer

    def _create(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = request["TrainingJobName"]
        arn = self.account.arn(name)
        real = self._images.runs(request)
        check_rules(request, real=real)
        if arn in self._names:
            raise errors.name_taken(arn)
        market, instance_type = _placement(request)
        self._check_quotas(request, market)
        rule = self._scenario.rule_for(name, market, instance_type)
        held = frozenset().union(*(observer.held_phases(request, rule, real=real) for observer in self._observers))
        life, started = begin(name, terms_of(request), rule.script(held), self.now())
        tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags", [])}
        record = Record(arn=arn, request=request, life=life, rule=rule, real=real, tags=tags)
        self._records[name], self._names[arn] = record, name
        self._announce(record, started)
        self.changed.notify_all()
        return {"TrainingJobArn": arn}

    def _describe(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return describe(self._existing(request["TrainingJobName"]), self.now())

    def _list(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return list_jobs(self._records.values(), request)

    def _stop(self, request: Mapping[str, Any]) -> dict[str, Any]:
        record = self._existing(request["TrainingJobName"])
        if record.life.ended:
            raise errors.already_ended(record.life.status.value)
        self._advance(record, StopRequested())
        return {}

    def _add_tags(self, request: Mapping[str, Any]) -> dict[str, Any]:
        record = self._existing(self._names.get(request["ResourceArn"], ""))
        check_tags(request["Tags"])
        tags = {**record.tags, **{tag["Key"]: tag["Value"] for tag in request["Tags"]}}
        if len(tags) > _MOST_TAGS:
            raise errors.invalid(f"A resource has at most {_MOST_TAGS} tags")
        self._records[record.name] = replace(record, tags=tags)
        return {"Tags": _tag_list(tags)}

    def _list_tags(self, request: Mapping[str, Any]) -> dict[str, Any]:
        # A resource has at most 50 tags and a page holds at least 50: there is never a second page.
        record = self._existing(self._names.get(request["ResourceArn"], ""))
        return {"Tags": _tag_list(record.tags)}

    def _existing(self, name: str) -> Record:
        record = self._records.get(name)
        if record is None:
            raise errors.not_found()
        return record

    def _check_quotas(self, request: Mapping[str, Any], market: str) -> None:
        for instance_type, delta in instances_of(request).items():
            for quota in self._scenario.quotas:
                if (quota.instance_type, quota.market) != (instance_type, market):
                    continue
                used = sum(
                    instances_of(record.request).get(instance_type, 0)
                    for record in self._records.values()
                    if record.market == market and not record.life.ended
                )
                if used + delta > quota.limit:
                    raise errors.quota_exceeded(quota.title, quota.limit, used, delta)

    def _advance(self, record: Record, happens: Input | None = None) -> None:
        life, happenings = advance(record.life, self.now(), happens)
        record = replace(record, life=life)
        if life.status is Status.COMPLETED and not record.real:
            record = replace(record, model=model_uri(record.request))
        self._records[record.name] = record
        for happening in happenings:
            self._announce(replace(record, life=happening.job), happening)
        if happenings or isinstance(happens, PhaseDone):
            self.changed.notify_all()

    def _announce(self, record: Record, happening: Happening) -> None:
        if isinstance(happening, Transitioned):
            life = happening.job
            self.audit.add(
                "transition",
                happening.at,
                job_name=life.name,
                status=life.status.value,
                secondary_status=life.secondary.value,
                live=not life.ended,
                reason=life.failure_reason,
            )
        for observer in self._observers:
            observer.observe(record, happening)

    def _log_call(self, operation: str, name: str | None, outcome: str, message: str | None = None) -> None:
        self.audit.add("call", self.now(), operation=operation, job_name=name, outcome=outcome, message=message)
        logger.debug("%s %s: %s", operation, name, message or outcome)


def _job_name(request: Mapping[str, Any], names: Mapping[str, str]) -> str | None:
    name = request.get("TrainingJobName")
    arn = request.get("ResourceArn")
    if isinstance(name, str):
        return name
    return names.get(arn, arn.rpartition("/")[2]) if isinstance(arn, str) else None


def _placement(request: Mapping[str, Any]) -> tuple[str, str | None]:
    market = "spot" if request.get("EnableManagedSpotTraining") else "on-demand"
    resources = request.get("ResourceConfig")
    instance_type = resources.get("InstanceType") if isinstance(resources, dict) else None
    return market, instance_type if isinstance(instance_type, str) else None


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
