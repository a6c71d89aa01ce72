"""The training jobs of an account: the operations of the API, and how the jobs change with time."""

from __future__ import annotations

from dataclasses import replace
from threading import Condition
from typing import TYPE_CHECKING, Any, Protocol

from simulator.api import errors
from simulator.api.listing import JOBS
from simulator.api.rules import check_rules, instances_of, terms_of
from simulator.api.tags import add_tags, tag_list
from simulator.api.validation import validate
from simulator.api.wire import Record, describe, model_uri
from simulator.life import advance, begin
from simulator.life.job import Happening, Input, PhaseDone, Secondary, Status, StopRequested, Transitioned
from simulator.life.lifecycle import next_due as next_due_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from simulator.api.account import Account
    from simulator.api.calls import Calls
    from simulator.world.scenario import Rule


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


class TrainingJobs:
    """All training jobs of an account, behind one lock.

    ``settle`` is called after each call, outside the lock. ``runs`` says of an image whether it is a real process.
    """

    def __init__(self, account: Account, calls: Calls, settle: Callable[[], None], runs: Callable[[str], bool]) -> None:
        self._account = account
        self._calls = calls
        self._settle = settle
        self._runs = runs
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

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Perform an operation of the API that it has, and log it.

        Raises
        ------
        ServiceError
            If the operation is refused.
        """
        name = _job_name(request, self._names)
        try:
            with self.changed:
                rule = self._rule_of(operation, request, name)
                return self._calls.perform(operation, rule, lambda: self._perform(operation, request), job_name=name)
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
            now = self._calls.now()
            for record in list(self._records.values()):
                due = next_due_of(record.life)
                if due is not None and due <= now:
                    self._advance(record)

    def _rule_of(self, operation: str, request: Mapping[str, Any], name: str | None) -> Rule:
        market, instance_type = _placement(request) if operation == "CreateTrainingJob" else (None, None)
        if name in self._records:
            existing = self._records[name]
            market, instance_type = existing.market, existing.request["ResourceConfig"].get("InstanceType")
        return self._calls.scenario.rule_for(name or "", market, instance_type)

    def _perform(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        validate(operation, request)
        self.catch_up()
        return self.operations[operation](request)

    def _create(self, request: Mapping[str, Any]) -> dict[str, Any]:
        name = request["TrainingJobName"]
        arn = self._account.arn(name)
        real = self._runs(str(request["AlgorithmSpecification"].get("TrainingImage", "")))
        check_rules(request, real=real)
        if arn in self._names:
            raise errors.name_taken(arn)
        market, instance_type = _placement(request)
        self._check_quotas(request, market)
        rule = self._calls.scenario.rule_for(name, market, instance_type)
        held = frozenset().union(*(observer.held_phases(request, rule, real=real) for observer in self._observers))
        life, started = begin(name, terms_of(request), rule.script(held), self._calls.now())
        tags = add_tags({}, request.get("Tags", []))
        record = Record(arn=arn, request=request, life=life, rule=rule, real=real, tags=tags)
        self._records[name], self._names[arn] = record, name
        self._announce(record, started)
        self.changed.notify_all()
        return {"TrainingJobArn": arn}

    def _describe(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return describe(self._existing(request["TrainingJobName"]), self._calls.now())

    def _list(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return JOBS.answer(self._records.values(), request)

    def _stop(self, request: Mapping[str, Any]) -> dict[str, Any]:
        record = self._existing(request["TrainingJobName"])
        if record.life.ended:
            raise errors.already_ended(record.life.status.value)
        self._advance(record, StopRequested())
        return {}

    def _add_tags(self, request: Mapping[str, Any]) -> dict[str, Any]:
        record = self._existing(self._names.get(request["ResourceArn"], ""))
        tags = add_tags(record.tags, request["Tags"])
        self._records[record.name] = replace(record, tags=tags)
        return {"Tags": tag_list(tags)}

    def _list_tags(self, request: Mapping[str, Any]) -> dict[str, Any]:
        # A resource has at most 50 tags and a page holds at least 50: there is never a second page.
        record = self._existing(self._names.get(request["ResourceArn"], ""))
        return {"Tags": tag_list(record.tags)}

    def _existing(self, name: str) -> Record:
        record = self._records.get(name)
        if record is None:
            raise errors.not_found()
        return record

    def _check_quotas(self, request: Mapping[str, Any], market: str) -> None:
        for instance_type, delta in instances_of(request).items():
            for quota in self._calls.scenario.quotas:
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
        life, happenings = advance(record.life, self._calls.now(), happens)
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
            self._calls.audit.add(
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
