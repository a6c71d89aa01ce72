"""The ``ladder`` of a policy: validate its rungs, and build the domain's ladder from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from spot_relay.domain.run.policy import Rung
from spot_relay.domain.run.run import MAX_ATTEMPTS
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.request import placement_of
from spot_relay.request.problem import describe
from spot_relay.request.request_model import explain_value
from spot_relay.spec.job_rules import get_mapping
from spot_relay.spec.strict_model import Strict, make_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay.request.problem import Problems

MAX_RUNGS = 10


def _validate_like(name: str, schema: Any) -> BeforeValidator:
    """Validate a value like ResourceConfig's ``name`` in SageMaker's own model, and require numbers to be positive.

    ``schema`` is the type that a JSON schema shows for it.
    """

    def validate(value: Any) -> Any:
        message = explain_value(value, "ResourceConfig", name)
        if isinstance(value, int) and not isinstance(value, bool) and value < 1:
            message = f"Found {describe(value)}, but it must be at least 1."
        if message:
            raise make_error(message)
        return value

    return BeforeValidator(validate, schema)


# SageMaker's integers have 32 bits.
_Positive = Annotated[int, Field(ge=1, le=2**31 - 1)]


class RungModel(Strict):
    """One placement of the ladder. The training job supplies what it leaves out."""

    instance_type: Annotated[str, _validate_like("InstanceType", str)]
    instance_count: Annotated[int, _validate_like("InstanceCount", _Positive)] | None = None
    volume_size_gb: Annotated[int, _validate_like("VolumeSizeInGB", _Positive)] | None = None
    market: Literal["spot", "on-demand"] = Market.SPOT.value
    attempts: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS)] = Rung.attempts

    def build(self, training_job: Mapping[str, Any]) -> Rung:
        """Return the domain's rung for a valid job."""
        resources = training_job["ResourceConfig"]
        is_own_volume = self.volume_size_gb == resources.get("VolumeSizeInGB")
        placement = Placement(
            instance_type=self.instance_type,
            instance_count=self.instance_count or resources["InstanceCount"],
            market=Market(self.market),
            # Naming the job's own volume size changes nothing, so it must not change the fingerprint either.
            volume_size_gb=None if is_own_volume else self.volume_size_gb,
        )
        return Rung(placement, self.attempts)


Ladder = Annotated[list[RungModel], Field(min_length=1, max_length=MAX_RUNGS)]


def build_ladder(rungs: list[RungModel] | None, training_job: dict[str, Any]) -> tuple[Rung, ...]:
    """Return the domain's ladder for a valid job; empty if it is only the job's own placement, the default."""
    ladder = tuple(rung.build(training_job) for rung in rungs or ())
    is_default = len(ladder) == 1 and ladder[0].placement == placement_of(training_job)
    return () if is_default else ladder


def check_ladder(rungs: list[RungModel] | None, job: Mapping[str, Any], path: str, problems: Problems) -> None:
    """Report a ladder on a job that cannot have one."""
    if rungs is None:
        return
    for key in ("InstanceGroups", "InstancePreferences"):
        if get_mapping(job, "ResourceConfig").get(key):
            message = (
                f"A ladder cannot be combined with the job's {key}, which already names instances. Remove the ladder, "
                f"or replace {key} in ResourceConfig with InstanceType and InstanceCount."
            )
            problems.add(path, message)
