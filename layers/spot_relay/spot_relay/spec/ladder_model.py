"""The ``ladder`` of a policy: its rungs, the placements they make, and the rules on the job they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from spot_relay.domain.run.policy import Rung
from spot_relay.domain.run.run import MAX_ATTEMPTS
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.request import placement_of
from spot_relay.spec.problem import shown
from spot_relay.spec.request_model import fault_of
from spot_relay.spec.strict_model import Strict, fault
from spot_relay.spec.training_job import part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay.spec.problem import Problems

MAX_RUNGS = 10


def _like(name: str, schema: Any) -> BeforeValidator:
    """Hold a value to SageMaker's own model of ResourceConfig's ``name``, and a number to 1 and more.

    ``schema`` is what a JSON schema says of it.
    """

    def check(value: Any) -> Any:
        message = fault_of(value, "ResourceConfig", name)
        if isinstance(value, int) and not isinstance(value, bool) and value < 1:
            message = f"Found {shown(value)}, and it must be at least 1."
        if message:
            raise fault(message)
        return value

    return BeforeValidator(check, schema)


# SageMaker's integers have 32 bits.
_Positive = Annotated[int, Field(ge=1, le=2**31 - 1)]


class RungModel(Strict):
    """One placement of the ladder. What it leaves out is as the training job has it."""

    instance_type: Annotated[str, _like("InstanceType", str)]
    instance_count: Annotated[int, _like("InstanceCount", _Positive)] | None = None
    volume_size_gb: Annotated[int, _like("VolumeSizeInGB", _Positive)] | None = None
    market: Literal["spot", "on-demand"] = Market.SPOT.value
    attempts: Annotated[int, Field(ge=1, le=MAX_ATTEMPTS)] = Rung.attempts

    def rung(self, training_job: Mapping[str, Any]) -> Rung:
        """Give the domain's rung for a valid job."""
        resources = training_job["ResourceConfig"]
        own_volume = self.volume_size_gb == resources.get("VolumeSizeInGB")
        placement = Placement(
            instance_type=self.instance_type,
            instance_count=self.instance_count or resources["InstanceCount"],
            market=Market(self.market),
            # One way to say one thing: the job's own volume is the job's affair, whether it was named or not.
            volume_size_gb=None if own_volume else self.volume_size_gb,
        )
        return Rung(placement, self.attempts)


Ladder = Annotated[list[RungModel], Field(min_length=1, max_length=MAX_RUNGS)]


def ladder_of(rungs: list[RungModel] | None, training_job: dict[str, Any]) -> tuple[Rung, ...]:
    """Give the domain's ladder for a valid job; empty where it is just the job's own placement, the default."""
    ladder = tuple(rung.rung(training_job) for rung in rungs or ())
    is_default = len(ladder) == 1 and ladder[0].placement == placement_of(training_job)
    return () if is_default else ladder


def check_ladder(rungs: list[RungModel] | None, job: Mapping[str, Any], path: str, problems: Problems) -> None:
    """Note where the job leaves no place for a ladder."""
    if rungs is None:
        return
    for key in ("InstanceGroups", "InstancePreferences"):
        if part(job, "ResourceConfig").get(key):
            message = (
                f"Found {shown(rungs)} beside the job's {key}, which name instances of their own: remove the ladder, "
                f"or give ResourceConfig InstanceType and InstanceCount in place of {key}."
            )
            problems.add(path, message)
