"""Guess which known key an unknown one was intended to be."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_CHARACTERS = 64

# Options of the SageMaker Python SDK (versions 1, 2 and 3), and their places in a CreateTrainingJob request.
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


def squeeze(key: str) -> str:
    """Return a key without case and punctuation, so that all spellings of a name are equal."""
    return "".join(character for character in key.casefold() if character.isalnum())


def find_nearest(key: str, known: Iterable[str]) -> str | None:
    """Return the known key that is most similar to ``key``, or None if none is similar."""
    if len(key) > _MAX_CHARACTERS:
        return None
    by_squeezed = {squeeze(name): name for name in known}
    matches = get_close_matches(squeeze(key), by_squeezed, n=1, cutoff=0.7)
    return by_squeezed[matches[0]] if matches else None


def find_sdk_option(key: str) -> str | None:
    """Return the place in a CreateTrainingJob request of an option of the SageMaker Python SDK."""
    return _SDK_PLACES.get(squeeze(key)) if len(key) <= _MAX_CHARACTERS else None
