"""Rules for CreateTrainingJob that botocore's model does not contain, and the limits of real processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simulator.api.errors import invalid
from simulator.api.tags import check_tags
from simulator.life.job import Terms

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_MAX_RUNTIME: Final = 86_400
_LONGEST_RUNTIME: Final = 28 * 86_400


def terms_of(request: Mapping[str, Any]) -> Terms:
    """Return the limits of a job from its validated request."""
    condition = request.get("StoppingCondition", {})
    spot = request.get("EnableManagedSpotTraining", False)
    return Terms(
        max_runtime=condition.get("MaxRuntimeInSeconds", _DEFAULT_MAX_RUNTIME),
        max_wait=condition.get("MaxWaitTimeInSeconds") if spot else None,
        spot=spot,
        max_pending=condition.get("MaxPendingTimeInSeconds"),
    )


def check_rules(request: Mapping[str, Any], *, real: bool = False) -> None:
    """Raise a ValidationException for the first rule that ``request`` breaks; ``real`` jobs run as processes."""
    for name in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
        if name not in request:
            raise invalid(f"{name} is required for training jobs that are not serverless")
    algorithm = request["AlgorithmSpecification"]
    if ("TrainingImage" in algorithm) == ("AlgorithmName" in algorithm):
        raise invalid("Exactly one of TrainingImage and AlgorithmName must be given in AlgorithmSpecification")
    _check_resources(request["ResourceConfig"], spot=request.get("EnableManagedSpotTraining", False))
    _check_limits(request)
    check_tags(request.get("Tags", []))
    channels = [channel["ChannelName"] for channel in request.get("InputDataConfig", [])]
    if len(channels) != len(set(channels)):
        raise invalid("Duplicate channel names in InputDataConfig")
    if real:
        _check_real(request)


def _check_resources(resources: Mapping[str, Any], *, spot: bool) -> None:
    if "InstanceGroups" not in resources:
        if "InstanceType" not in resources and "InstancePreferences" not in resources:
            raise invalid("InstanceType is required in ResourceConfig")
        if resources.get("InstanceCount", 0) < 1:
            raise invalid("InstanceCount in ResourceConfig must be at least 1")
    for name in ("KeepAlivePeriodInSeconds", "InstancePreferences"):
        if spot and name in resources:
            raise invalid(f"{name} is not supported when EnableManagedSpotTraining is set to true")


def _check_limits(request: Mapping[str, Any]) -> None:
    condition = request["StoppingCondition"]
    runtime = condition.get("MaxRuntimeInSeconds", _DEFAULT_MAX_RUNTIME)
    wait = condition.get("MaxWaitTimeInSeconds")
    if runtime > _LONGEST_RUNTIME:
        raise invalid(f"Invalid MaxRuntimeInSeconds. It must not exceed {_LONGEST_RUNTIME} seconds")
    if not request.get("EnableManagedSpotTraining", False):
        if wait is not None:
            raise invalid(
                "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"
            )
        return
    if wait is None:
        raise invalid("Invalid MaxWaitTimeInSeconds. It must be present when EnableManagedSpotTraining is set to true")
    if wait < runtime:
        raise invalid(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        )


def _check_real(request: Mapping[str, Any]) -> None:
    if request["AlgorithmSpecification"]["TrainingInputMode"] == "Pipe":
        raise invalid("The simulator runs real processes in the File and FastFile modes only")
    for place, channel in enumerate(request.get("InputDataConfig", []), start=1):
        _check_real_channel(channel, f"inputDataConfig.{place}.member")


def _check_real_channel(channel: Mapping[str, Any], path: str) -> None:
    source = channel["DataSource"].get("S3DataSource")
    if source is None or source["S3DataType"] != "S3Prefix":
        raise invalid(f"The simulator reads S3DataSource with S3DataType S3Prefix only: '{path}'")
    if not source["S3Uri"].startswith("s3://"):
        raise invalid(f"The simulator reads s3:// addresses only: '{path}'")
    if channel.get("InputMode", "File") == "Pipe" or channel.get("CompressionType", "None") != "None":
        raise invalid(f"The simulator reads uncompressed channels in the File mode only: '{path}'")


def instances_of(request: Mapping[str, Any]) -> dict[str, int]:
    """Return how many instances of each type a request asks for."""
    resources = request["ResourceConfig"]
    counts: dict[str, int] = {}
    for group in resources.get("InstanceGroups", [resources]):
        if "InstanceType" in group:
            counts[group["InstanceType"]] = counts.get(group["InstanceType"], 0) + group["InstanceCount"]
    return counts
