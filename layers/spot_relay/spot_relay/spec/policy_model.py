"""The ``policy`` part of a spec: its keys, types and bounds, and the domain policy it makes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, model_validator

from spot_relay.domain.run.policy import Backoff, Budgets, Policy
from spot_relay.domain.run.run import MAX_ATTEMPTS
from spot_relay.spec.deadline_model import DeadlineKeys, DeadlineRules, deadline_of, way_back
from spot_relay.spec.ladder_model import Ladder, RungModel, check_ladder, ladder_of
from spot_relay.spec.strict_model import Strict, validated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay.spec.problem import Problems

# A run has at most 50 attempts, so that a larger budget could never be spent.
MAX_BACKOFF_SECONDS = 86_400
MAX_MONEY_USD = 1_000_000_000

_Count = Annotated[int, Field(ge=0, le=MAX_ATTEMPTS)]
_Seconds = Annotated[int, Field(ge=1, le=MAX_BACKOFF_SECONDS)]


class BudgetsModel(Strict):
    """How often each kind of bad end may be followed by a relaunch, and what the run may cost."""

    expired_waits: _Count = Budgets.expired_waits
    capacity_failures: _Count = Budgets.capacity_failures
    service_errors: _Count = Budgets.service_errors
    user_errors: _Count = Budgets.user_errors
    attempts_without_progress: _Count = Budgets.attempts_without_progress
    money_usd: Annotated[float, Field(gt=0, le=MAX_MONEY_USD, allow_inf_nan=False)] | None = Budgets.money_usd


class BackoffModel(Strict):
    """How long a run waits before it is launched again."""

    base_seconds: _Seconds = Backoff.base_seconds
    max_seconds: _Seconds = Backoff.max_seconds

    @model_validator(mode="after")
    def _the_most_is_not_less_than_the_base(self) -> Self:
        if self.max_seconds < self.base_seconds:
            raise ValueError(
                f"max_seconds is {self.max_seconds} and base_seconds is {self.base_seconds}: "
                "make max_seconds at least as large"
            )
        return self


class PolicyModel(DeadlineKeys):
    """The whole policy."""

    budgets: BudgetsModel = BudgetsModel()
    backoff: BackoffModel = BackoffModel()
    restart_from_scratch: bool = Policy.restart_from_scratch
    relaunch_on_max_runtime: bool = Policy.relaunch_on_max_runtime
    ladder: Ladder | None = None

    def policy(self, training_job: dict[str, Any]) -> Policy:
        """Give the domain's policy for a valid job."""
        return Policy(
            budgets=Budgets(**self.budgets.model_dump()),
            backoff=Backoff(**self.backoff.model_dump()),
            restart_from_scratch=self.restart_from_scratch,
            relaunch_on_max_runtime=self.relaunch_on_max_runtime,
            ladder=ladder_of(self.ladder, training_job),
            deadline=deadline_of(self, way_back(self, self.ladder, training_job)),
        )


BUDGETS = tuple(BudgetsModel.model_fields)
_KNOWN = {
    (): tuple(PolicyModel.model_fields),
    ("budgets",): BUDGETS,
    ("backoff",): tuple(BackoffModel.model_fields),
    ("ladder",): tuple(RungModel.model_fields),
}


def check_policy(value: Any, name: Any, job: Mapping[str, Any], problems: Problems) -> PolicyModel | None:
    """Give the policy a spec asks for, or None where it is none; note every problem of it and of it with its job."""
    model = validated(PolicyModel, value, "policy", _KNOWN, problems)
    if model is not None:
        check_ladder(model.ladder, job, "policy.ladder", problems)
        rules = DeadlineRules(model, "policy", problems)
        rules.check(name, model.ladder, job, relaunches_on_max_runtime=model.relaunch_on_max_runtime)
    return model
