"""Reading a CreateTrainingJob request: each member has one reader, and a default where it is missing."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

import spot_relay
from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.request import (
    add_model_channel,
    checkpoint_uri_of,
    has_instance_groups,
    has_several_types,
    limit_wait,
    max_pending_of,
    max_runtime_of,
    output_path_of,
    placement_of,
    role_arn_of,
    sharded_prefixes_of,
    tags_of,
    training_image_of,
)

M5, G5 = "ml.m5.xlarge", "ml.g5.2xlarge"
GROUPS = [{"InstanceType": M5}, {"InstanceType": G5, "InstanceCount": 2}]
PREFERENCES = [{"InstanceType": M5, "InstanceCount": 2}]


def resources(**members: Any) -> dict[str, Any]:
    return {"ResourceConfig": members}


@pytest.mark.parametrize(
    ("request_", "placement"),
    [
        ({}, Placement("unknown", 1, Market.ON_DEMAND)),
        (resources(InstanceType=M5, InstanceCount=3), Placement(M5, 3, Market.ON_DEMAND)),
        (resources(InstanceType=M5) | {"EnableManagedSpotTraining": True}, Placement(M5, 1, Market.SPOT)),
        (resources(InstanceType=M5) | {"EnableManagedSpotTraining": False}, Placement(M5, 1, Market.ON_DEMAND)),
        (resources(InstanceGroups=GROUPS), Placement(M5, 3, Market.ON_DEMAND)),
        (resources(InstanceGroups=[], InstanceType=G5), Placement(G5, 1, Market.ON_DEMAND)),
    ],
    ids=["nothing", "on-demand", "spot", "a switch that is off", "groups", "no groups"],
)
def test_the_placement_of_a_request(request_: dict[str, Any], placement: Placement) -> None:
    assert placement_of(request_) == placement


def test_the_checkpoint_prefix_of_a_request() -> None:
    assert checkpoint_uri_of({"CheckpointConfig": {"S3Uri": "s3://models/a/"}}) == "s3://models/a/"
    assert checkpoint_uri_of({}) is None


def test_a_request_that_names_no_max_runtime_has_sagemakers_default_of_a_day() -> None:
    assert max_runtime_of({"StoppingCondition": {"MaxRuntimeInSeconds": 60}}) == 60
    assert max_runtime_of({"StoppingCondition": {}}) == max_runtime_of({}) == 86_400


def test_a_pending_time_has_a_limit_only_if_the_request_names_one() -> None:
    assert max_pending_of({"StoppingCondition": {"MaxPendingTimeInSeconds": 7200}}) == 7200
    assert max_pending_of({"StoppingCondition": {}}) is max_pending_of({}) is None


@pytest.mark.parametrize(
    ("stopping", "asked", "wait"),
    [
        ({"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 90}, None, 90),
        ({"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 90}, 70, 70),
        ({"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 90}, 50, 60),
        ({"MaxRuntimeInSeconds": 60}, None, 60),
        ({}, None, 86_400),
        ({}, 86_401, 86_401),
        (None, None, 86_400),
    ],
)
def test_a_spot_job_waits_as_long_as_is_asked_or_its_request_says_and_never_less_than_it_may_run(
    stopping: dict[str, int] | None, asked: int | None, wait: int
) -> None:
    assert limit_wait({} if stopping is None else {"StoppingCondition": stopping}, asked) == wait


def test_a_request_tells_its_role_its_output_and_its_tags() -> None:
    assert role_arn_of({"RoleArn": "arn:aws:iam::111122223333:role/training"}).endswith("role/training")
    assert output_path_of({"OutputDataConfig": {"S3OutputPath": "s3://models/a"}}) == "s3://models/a"
    assert tags_of({"Tags": [{"Key": "team", "Value": "growth"}]}) == [{"Key": "team", "Value": "growth"}]
    assert tags_of({}) == []


def test_the_training_image_of_a_request() -> None:
    assert training_image_of({"AlgorithmSpecification": {"TrainingImage": "churn:1"}}) == "churn:1"
    assert training_image_of({"AlgorithmSpecification": {"AlgorithmName": "mine"}}) is None
    assert training_image_of({}) is None


@pytest.mark.parametrize(
    ("request_", "groups", "several"),
    [
        ({}, False, False),
        (resources(InstanceType=M5), False, False),
        (resources(InstanceGroups=GROUPS), True, True),
        (resources(InstancePreferences=PREFERENCES), False, True),
    ],
    ids=["nothing", "one type", "groups", "preferences"],
)
def test_a_request_may_name_several_instance_types(request_: dict[str, Any], groups: bool, several: bool) -> None:
    assert (has_instance_groups(request_), has_several_types(request_)) == (groups, several)


def channel(name: str, **source: Any) -> dict[str, Any]:
    sharded = {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train/", "S3DataDistributionType": "ShardedByS3Key"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": sharded | source}}


def test_the_prefixes_of_all_channels_that_are_sharded_by_key() -> None:
    request = {"InputDataConfig": [channel("train"), channel("test", S3Uri="s3://data/test/")]}
    assert sharded_prefixes_of(request) == {"train": "s3://data/train/", "test": "s3://data/test/"}


@pytest.mark.parametrize(
    "other",
    [
        channel("train", S3DataDistributionType="FullyReplicated"),
        channel("train", S3DataType="ManifestFile"),
        channel("train", S3DataType="AugmentedManifestFile"),
        channel("train", InstanceGroupNames=["a"]),
        channel("train", S3Uri="arn:aws:s3:us-east-1:111122223333:accesspoint/data/object/train"),
        {"ChannelName": "train", "DataSource": {"FileSystemDataSource": {"FileSystemId": "fs-1"}}},
        {"ChannelName": "train"},
    ],
    ids=["replicated", "manifest", "augmented", "some groups only", "access point", "file system", "no source"],
)
def test_no_other_channel_is_counted(other: dict[str, Any]) -> None:
    assert sharded_prefixes_of({"InputDataConfig": [other]}) == {}


def test_a_channel_without_a_name_is_counted_too() -> None:
    unnamed = {"DataSource": channel("train")["DataSource"]}
    assert sharded_prefixes_of({"InputDataConfig": [unnamed]}) == {"?": "s3://data/train/"}


def test_a_request_without_channels_has_none_that_are_sharded() -> None:
    assert sharded_prefixes_of({}) == {}


MODEL = {
    "ChannelName": "model",
    "ContentType": "application/x-sagemaker-model",
    "DataSource": {
        "S3DataSource": {
            "S3DataType": "S3Prefix",
            "S3Uri": "s3://models/a/model.tar.gz",
            "S3DataDistributionType": "FullyReplicated",
        }
    },
    "CompressionType": "None",
    "InputMode": "File",
}


@pytest.mark.parametrize(
    ("channels", "kept"),
    [
        ({}, []),
        ({"InputDataConfig": [channel("train"), channel("model")]}, [channel("train")]),
        ({"InputDataConfig": [{"DataSource": {}}]}, [{"DataSource": {}}]),
    ],
    ids=["no channels", "one of this name", "one without a name"],
)
def test_a_model_is_read_from_a_channel_of_its_own_which_replaces_one_of_its_name(
    channels: dict[str, Any], kept: list[dict[str, Any]]
) -> None:
    request = {"RoleArn": "role", **channels}
    assert add_model_channel(request, "model", "s3://models/a/model.tar.gz") == {
        "RoleArn": "role",
        "InputDataConfig": [*kept, MODEL],
    }


# Nobody else reads a request

PACKAGE = Path(spot_relay.__path__[0])
READERS = {"domain/sagemaker/request.py", "domain/sagemaker/redaction.py"}
SOURCES = {
    str(path.relative_to(PACKAGE)): path
    for path in (
        *sorted((PACKAGE / "domain").rglob("*.py")),
        PACKAGE / "service.py",
        PACKAGE / "duties.py",
        PACKAGE / "pacing.py",
        *sorted((PACKAGE / "adapters").glob("*.py")),
    )
}


def is_request(node: ast.AST) -> bool:
    """Whether an expression is a training job's request by its name."""
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in {"training_job", "job_request"}


def reads_members(tree: ast.AST) -> bool:
    """Whether a source reads a member of a ``training_job``, by a subscript, a method, or membership."""
    return any(
        (isinstance(node, ast.Subscript) and is_request(node.value))
        or (isinstance(node, ast.Attribute) and is_request(node.value))
        or (isinstance(node, ast.Compare) and any(map(is_request, node.comparators)))
        for node in ast.walk(tree)
    )


def test_no_other_module_reads_the_members_of_a_training_job() -> None:
    trees = {source: ast.parse(path.read_text("utf-8")) for source, path in SOURCES.items() if source not in READERS}
    assert [source for source, tree in trees.items() if reads_members(tree)] == []


@pytest.mark.parametrize(
    "text", ["run.training_job['RoleArn']", "training_job.get('RoleArn')", "'RoleArn' in training_job"]
)
def test_a_module_that_did_would_be_found(text: str) -> None:
    assert reads_members(ast.parse(text))


def test_the_modules_are_found() -> None:
    assert SOURCES.keys() >= READERS | {"service.py", "duties.py", "adapters/training_jobs.py", "domain/rules/money.py"}
