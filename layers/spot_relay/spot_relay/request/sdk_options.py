"""The options of the SageMaker Python SDK that describe a training job, and their places in CreateTrainingJob."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Generation(StrEnum):
    """A major version of the SageMaker Python SDK: versions 1 and 2 have estimators, version 3 has ModelTrainer."""

    V1 = "1"
    V2 = "2"
    V3 = "3"


class Option(NamedTuple):
    """One meaning, and its name in each generation, or None; ``a.b`` is the argument b of the object passed as a."""

    place: str
    v1: str | None
    v2: str | None
    v3: str | None

    def name_in(self, generation: Generation) -> str | None:
        """Return the option's name in a generation, or None if that has none."""
        return {Generation.V1: self.v1, Generation.V2: self.v2, Generation.V3: self.v3}[generation]


def _name_all(place: str, name: str) -> Option:
    return Option(place, name, name, name)


def _name_estimators(place: str, name: str) -> Option:
    return Option(place, name, name, None)


ALGORITHM = "algorithm"

# Of options with the same place, only one may be given. An exception is TrainingJobName: job_name precedes.
OPTIONS = (
    Option(
        "EnableManagedSpotTraining",
        "train_use_spot_instances",
        "use_spot_instances",
        "compute.enable_managed_spot_training",
    ),
    Option(
        "StoppingCondition.MaxWaitTimeInSeconds",
        "train_max_wait",
        "max_wait",
        "stopping_condition.max_wait_time_in_seconds",
    ),
    Option(
        "StoppingCondition.MaxRuntimeInSeconds", "train_max_run", "max_run", "stopping_condition.max_runtime_in_seconds"
    ),
    Option("StoppingCondition.MaxPendingTimeInSeconds", None, None, "stopping_condition.max_pending_time_in_seconds"),
    Option("CheckpointConfig.S3Uri", "checkpoint_s3_uri", "checkpoint_s3_uri", "checkpoint_config.s3_uri"),
    Option(
        "CheckpointConfig.LocalPath", "checkpoint_local_path", "checkpoint_local_path", "checkpoint_config.local_path"
    ),
    Option("AlgorithmSpecification.TrainingImage", "image_name", "image_uri", "training_image"),
    _name_all("AlgorithmSpecification.TrainingImage", ALGORITHM),
    Option("AlgorithmSpecification.AlgorithmName", "algorithm_arn", "algorithm_arn", "algorithm_name"),
    Option("AlgorithmSpecification.TrainingInputMode", "input_mode", "input_mode", "training_input_mode"),
    _name_estimators("AlgorithmSpecification.MetricDefinitions", "metric_definitions"),
    _name_estimators("AlgorithmSpecification.EnableSageMakerMetricsTimeSeries", "enable_sagemaker_metrics"),
    Option("AlgorithmSpecification.ContainerEntrypoint", None, "container_entry_point", None),
    Option("AlgorithmSpecification.ContainerArguments", None, "container_arguments", None),
    Option(
        "AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAccessMode",
        None,
        "training_repository_access_mode",
        "training_image_config.training_repository_access_mode",
    ),
    Option(
        "AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAuthConfig.TrainingRepositoryCredentialsProviderArn",
        None,
        "training_repository_credentials_provider_arn",
        None,
    ),
    Option(
        "AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAuthConfig",
        None,
        None,
        "training_image_config.training_repository_auth_config",
    ),
    Option("ResourceConfig.InstanceType", "train_instance_type", "instance_type", "compute.instance_type"),
    Option("ResourceConfig.InstanceCount", "train_instance_count", "instance_count", "compute.instance_count"),
    Option("ResourceConfig.InstanceGroups", None, "instance_groups", "compute.instance_groups"),
    Option("ResourceConfig.VolumeSizeInGB", "train_volume_size", "volume_size", "compute.volume_size_in_gb"),
    Option("ResourceConfig.VolumeKmsKeyId", "train_volume_kms_key", "volume_kms_key", "compute.volume_kms_key_id"),
    Option(
        "ResourceConfig.KeepAlivePeriodInSeconds",
        None,
        "keep_alive_period_in_seconds",
        "compute.keep_alive_period_in_seconds",
    ),
    Option("ResourceConfig.InstancePreferences", None, None, "compute.instance_preferences"),
    Option("ResourceConfig.TrainingPlanArn", None, "training_plan", "compute.training_plan_arn"),
    Option(
        "ResourceConfig.InstancePlacementConfig", None, "instance_placement_config", "compute.instance_placement_config"
    ),
    _name_all("RoleArn", "role"),
    _name_all("TrainingJobName", "base_job_name"),
    _name_estimators("TrainingJobName", "job_name"),
    Option("OutputDataConfig.S3OutputPath", "output_path", "output_path", "output_data_config.s3_output_path"),
    Option("OutputDataConfig.KmsKeyId", "output_kms_key", "output_kms_key", "output_data_config.kms_key_id"),
    Option(
        "OutputDataConfig.CompressionType", None, "disable_output_compression", "output_data_config.compression_type"
    ),
    _name_all("HyperParameters", "hyperparameters"),
    Option("Environment", None, "environment", "environment"),
    Option("InputDataConfig", "inputs", "inputs", "input_data_config"),
    _name_estimators("InputDataConfig[]", "model_uri"),
    _name_estimators("InputDataConfig[].ChannelName", "model_channel_name"),
    _name_all("Tags", "tags"),
    Option("VpcConfig.Subnets", "subnets", "subnets", "networking.subnets"),
    Option("VpcConfig.SecurityGroupIds", "security_group_ids", "security_group_ids", "networking.security_group_ids"),
    Option(
        "EnableNetworkIsolation",
        "enable_network_isolation",
        "enable_network_isolation",
        "networking.enable_network_isolation",
    ),
    Option(
        "EnableInterContainerTrafficEncryption",
        "encrypt_inter_container_traffic",
        "encrypt_inter_container_traffic",
        "networking.enable_inter_container_traffic_encryption",
    ),
    Option("RetryStrategy.MaximumRetryAttempts", None, "max_retry_attempts", None),
    Option("InfraCheckConfig.EnableInfraCheck", None, "enable_infra_check", None),
    Option("RemoteDebugConfig.EnableRemoteDebug", None, "enable_remote_debug", None),
    Option("SessionChainingConfig.EnableSessionTagChaining", None, "enable_session_tag_chaining", None),
    _name_estimators("ExperimentConfig", "experiment_config"),
)

# What each generation sends if it is left out, by place.
_OF_ESTIMATORS: dict[str, int | str] = {
    "StoppingCondition.MaxRuntimeInSeconds": 86_400,
    "ResourceConfig.VolumeSizeInGB": 30,
    "AlgorithmSpecification.TrainingInputMode": "File",
}
DEFAULTS: dict[Generation, dict[str, int | str]] = {
    Generation.V1: _OF_ESTIMATORS,
    Generation.V2: _OF_ESTIMATORS,
    Generation.V3: _OF_ESTIMATORS
    | {
        "StoppingCondition.MaxRuntimeInSeconds": 3_600,
        "OutputDataConfig.CompressionType": "GZIP",
        "ResourceConfig.InstanceType": "ml.m5.xlarge",
        "ResourceConfig.InstanceCount": 1,
    },
}

# v3 passes these as objects of their own.
GROUPS = tuple(dict.fromkeys(option.v3.partition(".")[0] for option in OPTIONS if option.v3 and "." in option.v3))

_CODE = (
    "The SDK packs and uploads code before it creates the job, which a spec cannot do. Upload sourcedir.tar.gz, and "
    "set the hyperparameters sagemaker_submit_directory and sagemaker_program, or submit with the SDK itself."
)
_FRAMEWORK = "The SDK finds a framework's image by this. Remove it, and write the image itself."
_PROCESS = "This concerns the process that runs the SDK, not the training job. Remove it."


def _move(*places: str) -> str:
    written = " and ".join(f"training_job.{place}" for place in places)
    return f"The SDK takes a Python object here. Write {written} as CreateTrainingJob has it instead."


# Why options that are none of the above cannot be in a spec.
NOT_EXPRESSIBLE = {
    **dict.fromkeys(("entry_point", "source_dir", "dependencies", "git_config", "code_location", "source_code"), _CODE),
    **dict.fromkeys(("distribution", "distributions", "distributed", "compiler_config", "model_dir"), _CODE),
    **dict.fromkeys(("framework_version", "py_version"), _FRAMEWORK),
    **dict.fromkeys(("sagemaker_session", "wait", "logs", "container_log_level", "training_mode"), _PROCESS),
    **dict.fromkeys(("local_container_root", "input_s3_key_prefix"), _PROCESS),
    "rules": _move("DebugRuleConfigurations", "ProfilerRuleConfigurations"),
    "debugger_hook_config": _move("DebugHookConfig"),
    "tensorboard_output_config": _move("TensorBoardOutputConfig"),
    "profiler_config": _move("ProfilerConfig"),
    "disable_profiler": _move("ProfilerConfig"),
    "model_package_config": _move("ModelPackageConfig"),
}
