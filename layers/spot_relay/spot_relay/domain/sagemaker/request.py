"""Read CreateTrainingJob requests, and build the two that Spot Relay sends.

Once a spec has been validated, nothing else reads the members of its request. A request is a mapping as boto3's
``create_training_job`` takes it. The readers return a default for a missing member, and rely on the type of a present
one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spot_relay.domain.sagemaker.job import Market, Placement

if TYPE_CHECKING:
    from collections.abc import Mapping

# SageMaker's own default.
DEFAULT_MAX_RUNTIME_SECONDS = 86_400
# A canary has to outlast the stop of the on-demand job: SageMaker gives that job 120 s, and uploads its results.
CANARY_SLEEP_SECONDS = 600
CANARY_MAX_RUNTIME_SECONDS = 2 * CANARY_SLEEP_SECONDS
# Of the incremental training of built-in algorithms.
MODEL_CONTENT_TYPE = "application/x-sagemaker-model"
_SLEEP = f"trap 'exit 0' TERM; sleep {CANARY_SLEEP_SECONDS} & wait"
# What decides whether the account may run a job: policies have conditions on it, and keys and networks must allow it. A
# canary shares it with the training job, and leaves out everything that makes the job train.
_SHARED = (
    "RoleArn",
    "OutputDataConfig",
    "VpcConfig",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "RemoteDebugConfig",
    "SessionChainingConfig",
)
_SHARED_RESOURCES = ("VolumeSizeInGB", "VolumeKmsKeyId")


def placement_of(request: Mapping[str, Any]) -> Placement:
    """Return the placement in a request or a description; a heterogeneous cluster counts as its first group's type."""
    resources = request.get("ResourceConfig", {})
    groups = resources.get("InstanceGroups") or [resources]
    return Placement(
        instance_type=groups[0].get("InstanceType", "unknown"),
        instance_count=sum(group.get("InstanceCount", 1) for group in groups),
        market=Market.SPOT if request.get("EnableManagedSpotTraining") else Market.ON_DEMAND,
    )


def checkpoint_uri_of(request: Mapping[str, Any]) -> str | None:
    """Return the S3 prefix of the checkpoints, or None if the job keeps none."""
    uri: str | None = request.get("CheckpointConfig", {}).get("S3Uri")
    return uri


def output_path_of(request: Mapping[str, Any]) -> str:
    """Return the S3 prefix under which each job writes its model."""
    path: str = request["OutputDataConfig"]["S3OutputPath"]
    return path


def role_arn_of(request: Mapping[str, Any]) -> str:
    """Return the ARN of the training role."""
    arn: str = request["RoleArn"]
    return arn


def tags_of(request: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the tags of the request."""
    return list(request.get("Tags", []))


def max_runtime_of(request: Mapping[str, Any]) -> int:
    """Return MaxRuntimeInSeconds, or SageMaker's default."""
    seconds: int = request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DEFAULT_MAX_RUNTIME_SECONDS)
    return seconds


def limit_wait(request: Mapping[str, Any], max_wait_seconds: int | None) -> int:
    """Return the MaxWaitTimeInSeconds that a spot job gets, whose own limit may be replaced by another one."""
    own, runtime = request.get("StoppingCondition", {}).get("MaxWaitTimeInSeconds"), max_runtime_of(request)
    return max(max_wait_seconds or own or runtime, runtime)


def max_pending_of(request: Mapping[str, Any]) -> int | None:
    """Return MaxPendingTimeInSeconds of a request or a description, or None."""
    seconds: int | None = request.get("StoppingCondition", {}).get("MaxPendingTimeInSeconds")
    return seconds


def training_image_of(request: Mapping[str, Any]) -> str | None:
    """Return the training image, or None if the job names an algorithm instead."""
    image: str | None = request.get("AlgorithmSpecification", {}).get("TrainingImage")
    return image


def has_instance_groups(request: Mapping[str, Any]) -> bool:
    """Whether the job runs on a heterogeneous cluster."""
    return bool(request.get("ResourceConfig", {}).get("InstanceGroups"))


def has_several_types(request: Mapping[str, Any]) -> bool:
    """Whether the job may run on more than one instance type, so that no single placement describes it."""
    return has_instance_groups(request) or bool(request.get("ResourceConfig", {}).get("InstancePreferences"))


def sharded_prefixes_of(request: Mapping[str, Any]) -> dict[str, str]:
    """Return the S3 prefixes whose objects are distributed over all instances, by channel name."""
    sources = {
        channel.get("ChannelName", "?"): channel.get("DataSource", {}).get("S3DataSource", {})
        for channel in request.get("InputDataConfig", [])
    }
    return {
        name: source["S3Uri"]
        for name, source in sources.items()
        if source.get("S3DataDistributionType") == "ShardedByS3Key"
        and source.get("S3DataType") == "S3Prefix"
        # Only channels of the whole cluster, with a URI that can be listed as it is.
        and not source.get("InstanceGroupNames")
        and source["S3Uri"].startswith("s3://")
    }


def add_model_channel(request: Mapping[str, Any], channel: str, artifacts: str) -> dict[str, Any]:
    """Return the request with the model of another job as an input channel, as SageMaker's own algorithms read it."""
    source = {"S3DataType": "S3Prefix", "S3Uri": artifacts, "S3DataDistributionType": "FullyReplicated"}
    added = {
        "ChannelName": channel,
        "ContentType": MODEL_CONTENT_TYPE,
        "DataSource": {"S3DataSource": source},
        "CompressionType": "None",
        "InputMode": "File",
    }
    others = [one for one in request.get("InputDataConfig", []) if one.get("ChannelName") != channel]
    return {**request, "InputDataConfig": [*others, added]}


def place_job(
    request: Mapping[str, Any],
    job_name: str,
    placement: Placement,
    max_wait_seconds: int | None,
    tags: Mapping[str, str],
) -> dict[str, Any]:
    """Return the request with another job name, in a placement, and with more tags.

    On spot, ``max_wait_seconds`` replaces the request's own MaxWaitTimeInSeconds if it is given. An on-demand job has
    neither that nor EnableManagedSpotTraining: SageMaker accepts the two only together.
    """
    job = {key: value for key, value in request.items() if key != "EnableManagedSpotTraining"}
    return {
        **job,
        **_market(request, placement.market, max_wait_seconds),
        "ResourceConfig": _resources(request, placement),
        "TrainingJobName": job_name,
        "Tags": _tags(request, tags),
    }


def sleep_in_place(
    request: Mapping[str, Any],
    job_name: str,
    placement: Placement,
    max_wait_seconds: int,
    tags: Mapping[str, str],
    image: str | None,
) -> dict[str, Any]:
    """Return the request of a spot job that only sleeps, in ``image`` or else in the request's training image.

    It has no input, no checkpoints and no hyperparameters, so it cannot affect the training job.
    """
    placed = _resources(request, placement)
    return {
        **{key: request[key] for key in _SHARED if key in request},
        "AlgorithmSpecification": _sleeper(request, image),
        "ResourceConfig": {
            "InstanceType": placement.instance_type,
            "InstanceCount": placement.instance_count,
            **{key: placed[key] for key in _SHARED_RESOURCES if key in placed},
        },
        "StoppingCondition": {
            "MaxRuntimeInSeconds": CANARY_MAX_RUNTIME_SECONDS,
            "MaxWaitTimeInSeconds": max(CANARY_MAX_RUNTIME_SECONDS, max_wait_seconds),
        },
        "EnableManagedSpotTraining": True,
        "TrainingJobName": job_name,
        "Tags": _tags(request, tags),
    }


def _sleeper(request: Mapping[str, Any], image: str | None) -> dict[str, Any]:
    """Return the AlgorithmSpecification of a canary.

    TrainingImageConfig is how the training image's registry is reached, so it only suits an image of that registry.
    """
    own, chosen = request.get("AlgorithmSpecification", {}), image or training_image_of(request)
    access = {key: own[key] for key in ("TrainingImageConfig",) if key in own}
    has_same_registry = _registry_of(chosen) == _registry_of(training_image_of(request))
    return {
        "TrainingImage": chosen,
        **(access if has_same_registry else {}),
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["/bin/sh", "-c"],
        "ContainerArguments": [_SLEEP],
    }


def _registry_of(image: str | None) -> str | None:
    return image and image.partition("/")[0]


def _market(request: Mapping[str, Any], market: Market, max_wait_seconds: int | None) -> dict[str, Any]:
    stopping = dict(request.get("StoppingCondition", {}))
    stopping.pop("MaxWaitTimeInSeconds", None)
    if market is Market.SPOT:
        # On spot, MaxWaitTimeInSeconds bounds the wait. A shorter limit would end a job that only has to wait.
        stopping.pop("MaxPendingTimeInSeconds", None)
    if market is Market.ON_DEMAND:
        return {"StoppingCondition": stopping}
    wait = limit_wait(request, max_wait_seconds)
    return {"StoppingCondition": {**stopping, "MaxWaitTimeInSeconds": wait}, "EnableManagedSpotTraining": True}


def _resources(request: Mapping[str, Any], placement: Placement) -> dict[str, Any]:
    """Return the ResourceConfig of a placement; a job of several types has no ladder, so its own stays as it is."""
    own: dict[str, Any] = request.get("ResourceConfig", {})
    if has_several_types(request):
        return own
    volume = {} if placement.volume_size_gb is None else {"VolumeSizeInGB": placement.volume_size_gb}
    named = {"InstanceType": placement.instance_type, "InstanceCount": placement.instance_count}
    return {**own, **named, **volume}


def _tags(request: Mapping[str, Any], tags: Mapping[str, str]) -> list[dict[str, str]]:
    ours = [{"Key": key, "Value": value} for key, value in tags.items()]
    return [*request.get("Tags", []), *ours]
