"""The ``policy`` of a spec: its keys, types and bounds, and the domain's policy built from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from spot_relay.domain.rules.checkpoint_pattern import MAX_PATTERN, check_pattern
from spot_relay.domain.run.policy import Backoff, Budgets, Policy
from spot_relay.domain.run.run import MAX_ATTEMPTS
from spot_relay.spec.deadline_model import DeadlineChecker, DeadlineKeys, build_deadline, choose_return_to_spot
from spot_relay.spec.ladder_model import Ladder, RungModel, build_ladder, check_ladder
from spot_relay.spec.strict_model import Strict, validate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay.request.problem import Problems

MAX_BACKOFF_SECONDS = 86_400
MAX_MONEY_USD = 1_000_000_000

# A run has at most 50 attempts, so a larger budget could never be spent.
_Count = Annotated[int, Field(ge=0, le=MAX_ATTEMPTS)]
# With a backoff of a second on average, these take a day.
_Refusals = Annotated[int, Field(ge=0, le=100_000)]
_Seconds = Annotated[int, Field(ge=1, le=MAX_BACKOFF_SECONDS)]


class BudgetsModel(Strict):
    """How often a run is relaunched after each kind of bad end or its launch is refused, and what it may cost."""

    expired_waits: _Count = Budgets.expired_waits
    capacity_failures: _Count = Budgets.capacity_failures
    service_errors: _Count = Budgets.service_errors
    user_errors: _Count = Budgets.user_errors
    attempts_without_progress: _Count = Budgets.attempts_without_progress
    refusals: _Refusals = Budgets.refusals
    money_usd: Annotated[float, Field(gt=0, le=MAX_MONEY_USD, allow_inf_nan=False)] | None = Budgets.money_usd


class BackoffModel(Strict):
    """How long a run waits before it is relaunched."""

    base_seconds: _Seconds = Backoff.base_seconds
    max_seconds: _Seconds = Backoff.max_seconds

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.max_seconds < self.base_seconds:
            raise ValueError(
                f"max_seconds ({self.max_seconds}) is less than base_seconds ({self.base_seconds}). "
                "Make max_seconds at least as large"
            )
        return self


class CheckpointsModel(Strict):
    """Which objects under the checkpoint prefix are checkpoints."""

    # The schema states what it can of `check_pattern`: no control characters.
    pattern: str = Field(min_length=1, max_length=MAX_PATTERN, json_schema_extra={"pattern": r"^[^\x00-\x1f\x7f]+$"})

    @field_validator("pattern")
    @classmethod
    def _check_pattern(cls, pattern: str) -> str:
        if no := check_pattern(pattern):
            raise ValueError(no.because.removesuffix("."))
        return pattern


class PolicyModel(DeadlineKeys):
    """The whole policy."""

    budgets: BudgetsModel = BudgetsModel()
    backoff: BackoffModel = BackoffModel()
    restart_from_scratch: bool = Policy.restart_from_scratch
    relaunch_on_max_runtime: bool = Policy.relaunch_on_max_runtime
    ladder: Ladder | None = None
    checkpoints: CheckpointsModel | None = None

    def build(self, training_job: dict[str, Any]) -> Policy:
        """Return the domain's policy for a valid job."""
        return Policy(
            budgets=Budgets(**self.budgets.model_dump()),
            backoff=Backoff(**self.backoff.model_dump()),
            restart_from_scratch=self.restart_from_scratch,
            relaunch_on_max_runtime=self.relaunch_on_max_runtime,
            ladder=build_ladder(self.ladder, training_job),
            deadline=build_deadline(self, choose_return_to_spot(self, self.ladder, training_job)),
            checkpoint_pattern=self.checkpoints.pattern if self.checkpoints else None,
        )


BUDGETS = tuple(BudgetsModel.model_fields)
_KNOWN = {
    (): tuple(PolicyModel.model_fields),
    ("budgets",): BUDGETS,
    ("backoff",): tuple(BackoffModel.model_fields),
    ("ladder",): tuple(RungModel.model_fields),
    ("checkpoints",): tuple(CheckpointsModel.model_fields),
}


def check_policy(value: Any, job: Mapping[str, Any], problems: Problems) -> PolicyModel | None:
    """Return the policy of a spec, or None if it is invalid.

    Collects every problem with the policy itself and with how it fits the job.
    """
    model = validate(PolicyModel, value, "policy", _KNOWN, problems)
    if model is not None:
        check_ladder(model.ladder, job, "policy.ladder", problems)
        checker = DeadlineChecker(model, "policy", problems)
        checker.check(model.ladder, job, relaunches_on_max_runtime=model.relaunch_on_max_runtime)
        if model.checkpoints is not None and job and "CheckpointConfig" not in job:
            message = "The training job has no CheckpointConfig, so it has no checkpoints. Add one, or remove this key."
            problems.add("policy.checkpoints", message)
    return model
