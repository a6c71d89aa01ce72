"""Which known key an unknown one was most likely meant to be."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST_WORD = 64

# Options of the SageMaker Python SDK (versions 1, 2 and 3) and where CreateTrainingJob has them.
SDK_OPTIONS = {
    "train_use_spot_instances": "EnableManagedSpotTraining",
    "use_spot_instances": "EnableManagedSpotTraining",
    "train_max_wait": "StoppingCondition.MaxWaitTimeInSeconds",
    "max_wait": "StoppingCondition.MaxWaitTimeInSeconds",
    "train_max_run": "StoppingCondition.MaxRuntimeInSeconds",
    "max_run": "StoppingCondition.MaxRuntimeInSeconds",
    "checkpoint_s3_uri": "CheckpointConfig.S3Uri",
    "checkpoint_local_path": "CheckpointConfig.LocalPath",
    "image_name": "AlgorithmSpecification.TrainingImage",
    "image_uri": "AlgorithmSpecification.TrainingImage",
    "input_mode": "AlgorithmSpecification.TrainingInputMode",
    "metric_definitions": "AlgorithmSpecification.MetricDefinitions",
    "train_instance_count": "ResourceConfig.InstanceCount",
    "train_instance_type": "ResourceConfig.InstanceType",
    "train_volume_size": "ResourceConfig.VolumeSizeInGB",
    "volume_size": "ResourceConfig.VolumeSizeInGB",
    "volume_size_in_gb": "ResourceConfig.VolumeSizeInGB",
    "train_volume_kms_key": "ResourceConfig.VolumeKmsKeyId",
    "volume_kms_key": "ResourceConfig.VolumeKmsKeyId",
    "base_job_name": "TrainingJobName",
    "job_name": "TrainingJobName",
    "output_path": "OutputDataConfig.S3OutputPath",
    "output_kms_key": "OutputDataConfig.KmsKeyId",
    "role": "RoleArn",
    "inputs": "InputDataConfig",
    "subnets": "VpcConfig.Subnets",
    "security_group_ids": "VpcConfig.SecurityGroupIds",
    "max_retry_attempts": "RetryStrategy.MaximumRetryAttempts",
    "encrypt_inter_container_traffic": "EnableInterContainerTrafficEncryption",
}
_SDK_PLACES = {option.replace("_", ""): place for option, place in SDK_OPTIONS.items()}


def squeezed(key: str) -> str:
    """Give a key without case, underscores and hyphens, so that the spellings of one name are equal."""
    return "".join(character for character in key.casefold() if character.isalnum())


def nearest(key: str, known: Iterable[str]) -> str | None:
    """Give the known key that is closest to ``key``, or None when none is close."""
    if len(key) > _LONGEST_WORD:
        return None
    by_squeezed = {squeezed(name): name for name in known}
    matches = get_close_matches(squeezed(key), by_squeezed, n=1, cutoff=0.7)
    return by_squeezed[matches[0]] if matches else None


def sdk_place(key: str) -> str | None:
    """Give where CreateTrainingJob has what the SageMaker Python SDK calls ``key``."""
    return _SDK_PLACES.get(squeezed(key)) if len(key) <= _LONGEST_WORD else None
