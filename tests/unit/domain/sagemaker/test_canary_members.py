"""Every member of CreateTrainingJob's model is either shared with a canary, set by it, or left out, with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.request import sleep_in_place
from spot_relay.request.request_model import load_request_shape

if TYPE_CHECKING:
    from collections.abc import Iterator

# Decides whether the account may run the job: conditions of policies, keys, networks, registries.
SHARED = {
    "RoleArn",
    "AlgorithmSpecification.TrainingImage",
    "AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAccessMode",
    "AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAuthConfig.TrainingRepositoryCredentialsProviderArn",
    "OutputDataConfig.KmsKeyId",
    "OutputDataConfig.S3OutputPath",
    "OutputDataConfig.CompressionType",
    "ResourceConfig.VolumeSizeInGB",
    "ResourceConfig.VolumeKmsKeyId",
    "VpcConfig.SecurityGroupIds",
    "VpcConfig.Subnets",
    "Tags.Key",
    "Tags.Value",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "RemoteDebugConfig.EnableRemoteDebug",
    "SessionChainingConfig.EnableSessionTagChaining",
}
# Has a value of the canary's own.
OWN = {
    "TrainingJobName",
    "AlgorithmSpecification.TrainingInputMode",
    "AlgorithmSpecification.ContainerEntrypoint",
    "AlgorithmSpecification.ContainerArguments",
    "ResourceConfig.InstanceType",
    "ResourceConfig.InstanceCount",
    "StoppingCondition.MaxRuntimeInSeconds",
    "StoppingCondition.MaxWaitTimeInSeconds",
    "EnableManagedSpotTraining",
}
# Makes the job train, records what it does, or cannot occur in a job that has a canary. Names a whole structure where
# all of it is left out.
LEFT_OUT = {
    "HyperParameters",
    "InputDataConfig",
    "CheckpointConfig",
    "Environment",
    "RetryStrategy",
    "InfraCheckConfig",
    "AlgorithmSpecification.AlgorithmName",
    "AlgorithmSpecification.MetricDefinitions",
    "AlgorithmSpecification.EnableSageMakerMetricsTimeSeries",
    "DebugHookConfig",
    "DebugRuleConfigurations",
    "TensorBoardOutputConfig",
    "ProfilerConfig",
    "ProfilerRuleConfigurations",
    "ExperimentConfig",
    "MlflowConfig",
    "ModelPackageConfig",
    "ServerlessJobConfig",
    # A canary is a spot job of one type: no warm pool, no training plan, no list of types.
    "ResourceConfig.KeepAlivePeriodInSeconds",
    "ResourceConfig.InstanceGroups",
    "ResourceConfig.TrainingPlanArn",
    "ResourceConfig.InstancePlacementConfig",
    "ResourceConfig.InstancePreferences",
    "ResourceConfig.SelectedInstanceType",
    "ResourceConfig.SelectedInstanceCount",
    # MaxWaitTimeInSeconds bounds how long a canary waits.
    "StoppingCondition.MaxPendingTimeInSeconds",
}
PLACEMENT = Placement("ml.g5.xlarge", 2, Market.SPOT)


def leaves(shape: Any, path: str = "") -> Iterator[str]:
    """Yield the path of each member that is no structure; the entries of a list share its path."""
    if shape.type_name == "list" and shape.member.type_name == "structure":
        shape = shape.member
    if shape.type_name != "structure":
        yield path
        return
    for name, member in shape.members.items():
        yield from leaves(member, f"{path}.{name}" if path else name)


def fill(shape: Any, path: str = "") -> Any:
    """Return a value for a shape in which each text names its own place."""
    match shape.type_name:
        case "structure":
            return {
                name: fill(member, f"{path}.{name}" if path else name)
                for name, member in shape.members.items()
                # With groups or preferences, no single type could be placed.
                if name not in {"InstanceGroups", "InstancePreferences"}
            }
        case "list":
            return [fill(shape.member, path)]
        case "map":
            return {"key": path}
        case "boolean":
            return True
        case "integer" | "long":
            return 7
        case _:
            return path


def look_up(value: Any, path: str) -> Any:
    """Return what a request has at a path, or None."""
    for name in path.split("."):
        value = value[0] if isinstance(value, list) else value
        value = value.get(name) if isinstance(value, dict) else None
    return value


def is_left_out(path: str) -> bool:
    """Whether the path, or a structure that it lies in, is left out."""
    return any(path == left_out or path.startswith(f"{left_out}.") for left_out in LEFT_OUT)


MEMBERS = sorted(leaves(load_request_shape()))
FILLED: dict[str, Any] = fill(load_request_shape())


def canary(image: str | None = None) -> dict[str, Any]:
    """Return the request of a canary beside a job that has a value for each member."""
    return sleep_in_place(FILLED, "churn-canary-01", PLACEMENT, 3600, {"ours": "1"}, image)


def test_each_member_of_the_model_has_exactly_one_decision() -> None:
    decisions = {member: (member in SHARED, member in OWN, is_left_out(member)) for member in MEMBERS}
    undecided = [member for member, made in decisions.items() if sum(made) != 1]
    assert undecided == [], "decide whether a canary shares these, sets them, or leaves them out"


def test_a_canary_follows_the_decision_for_each_member() -> None:
    sent = canary()
    for member in MEMBERS:
        theirs, found = look_up(FILLED, member), look_up(sent, member)
        if member in SHARED:
            assert found is not None, member
            assert found == theirs, member
        elif member in OWN:
            assert found is not None, member
            assert found != theirs or member == "EnableManagedSpotTraining", member
        else:
            assert found is None, member


def test_no_decision_is_about_a_member_that_the_model_does_not_have() -> None:
    assert set(MEMBERS) >= SHARED | OWN
    for left_out in LEFT_OUT:
        assert any(member == left_out or member.startswith(f"{left_out}.") for member in MEMBERS), left_out


def test_the_access_to_a_registry_is_left_out_for_an_image_of_another_registry() -> None:
    own = {
        "TrainingImage": "registry.corp.example/team/train:1",
        "TrainingImageConfig": {"TrainingRepositoryAccessMode": "Vpc"},
    }
    job = {**FILLED, "AlgorithmSpecification": own}
    for image, is_shared in (
        (None, True),
        ("registry.corp.example/docker/busybox:1", True),
        ("public.ecr.aws/team/busybox:stable", False),
        ("public.ecr.aws/docker/library/busybox:stable", False),
    ):
        request = sleep_in_place(job, "churn-canary-01", PLACEMENT, 3600, {}, image)
        assert ("TrainingImageConfig" in request["AlgorithmSpecification"]) is is_shared
