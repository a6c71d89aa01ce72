"""The ``policy`` part of a spec: its keys, types and bounds, and the domain policy it makes."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from spot_relay.domain.policy import Backoff, Budgets, Policy
from spot_relay.domain.run import MAX_ATTEMPTS
from spot_relay.spec.problem import Problems, child, shown
from spot_relay.spec.suggestion import nearest

# A run has at most 50 attempts, so that a larger budget could never be spent.
MAX_BACKOFF_SECONDS = 86_400

_Count = Annotated[int, Field(ge=0, le=MAX_ATTEMPTS)]
_Seconds = Annotated[int, Field(ge=1, le=MAX_BACKOFF_SECONDS)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class BudgetsModel(_Strict):
    """How often each kind of bad end may be followed by a relaunch."""

    expired_waits: _Count = Budgets.expired_waits
    capacity_failures: _Count = Budgets.capacity_failures
    service_errors: _Count = Budgets.service_errors
    user_errors: _Count = Budgets.user_errors
    attempts_without_progress: _Count = Budgets.attempts_without_progress


class BackoffModel(_Strict):
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


class PolicyModel(_Strict):
    """The whole policy."""

    budgets: BudgetsModel = BudgetsModel()
    backoff: BackoffModel = BackoffModel()
    restart_from_scratch: bool = Policy.restart_from_scratch
    relaunch_on_max_runtime: bool = Policy.relaunch_on_max_runtime

    def policy(self) -> Policy:
        """Give the domain's policy."""
        return Policy(
            budgets=Budgets(**self.budgets.model_dump()),
            backoff=Backoff(**self.backoff.model_dump()),
            restart_from_scratch=self.restart_from_scratch,
            relaunch_on_max_runtime=self.relaunch_on_max_runtime,
        )


_KNOWN: dict[tuple[str, ...], tuple[str, ...]] = {
    (): tuple(PolicyModel.model_fields),
    ("budgets",): tuple(BudgetsModel.model_fields),
    ("backoff",): tuple(BackoffModel.model_fields),
}


def check_policy(value: Any, problems: Problems) -> Policy | None:
    """Give the policy a spec asks for, or None after noting every problem of it under ``policy``."""
    try:
        return PolicyModel.model_validate(value).policy()
    except ValidationError as error:
        for found in error.errors(include_url=False):
            location = tuple(str(part) for part in found["loc"])
            path = "policy"
            for part in location:
                path = child(path, part)
            problems.add(path, _message(found, location))
    return None


def _message(found: Any, location: tuple[str, ...]) -> str:
    value, limits = shown(found["input"]), found.get("ctx", {})
    match found["type"]:
        case "extra_forbidden":
            return _unknown(location)
        case "int_type":
            return f"Found {value} where an integer is needed: write a whole number without quotes."
        case "bool_type":
            return f"Found {value} where a boolean is needed: write true or false without quotes."
        case "greater_than_equal":
            return f"Found {value}, and it must be at least {limits['ge']}."
        case "less_than_equal":
            return f"Found {value}, and it must be at most {limits['le']}."
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"Found {value} where a mapping is needed: give its keys, or leave it out for the defaults."
        case "value_error":
            return f"{limits['error']}."
        case _:
            return f"Found {value}: {found['msg']}."


def _unknown(location: tuple[str, ...]) -> str:
    known = _KNOWN.get(location[:-1], ())
    guess = nearest(location[-1], known)
    hint = f'did you mean "{guess}"?' if guess else f"known are {', '.join(known)}."
    return f"The key is unknown: {hint}"
