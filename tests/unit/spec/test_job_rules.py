"""Spot Relay's own rules for names, roles, images, times, checkpoints and tags."""

from __future__ import annotations

from typing import Any

import pytest
from inline_snapshot import snapshot

from spot_relay.domain.sagemaker.job import attempt_name
from spot_relay.spec import Allowlist, parse_submission
from spot_relay.spec.run_name import MAX_NAME, suggest_name
from tests.unit.spec.documents import ALLOWLIST, IMAGE, ROLE, find_problems, request, wrapped

WAIT = "StoppingCondition.MaxWaitTimeInSeconds"
URI = "CheckpointConfig.S3Uri"
IMAGE_PATH = "AlgorithmSpecification.TrainingImage"


@pytest.mark.parametrize("name", ["a", "A1", "a--b", "x" * MAX_NAME, "my-relay", "a-relay-01-b", "relay-01"])
def test_a_name_that_sagemaker_would_accept_is_accepted(name: str) -> None:
    assert find_problems(request(TrainingJobName=name)) == {}
    assert find_problems(wrapped(name=name)) == {}


@pytest.mark.parametrize("name", ["", "-a", "a-", "a_b", "a b", "é", "a\n", None, 5, True, ["a"]])
def test_a_name_that_sagemaker_would_refuse_is_refused(name: Any) -> None:
    assert set(find_problems({**wrapped(), "name": name})) == {"name"}
    assert set(find_problems({**request(), "TrainingJobName": name})) == {"TrainingJobName"}


@pytest.mark.parametrize(
    "name",
    [
        "a-relay-01",
        "a-relay-7",
        "a-relay-01-relay-02",
        "a-relay-100",
        "A-Relay-01",
        "a-RELAY-1",
        attempt_name("x" * 60, 3),
    ],
)
def test_names_that_look_like_attempts_are_reserved(name: str) -> None:
    assert "reserved for attempts" in find_problems(request(TrainingJobName=name))["TrainingJobName"]


def test_for_a_name_that_is_too_long_a_valid_shorter_one_is_suggested() -> None:
    name = "sagemaker-xgboost-distributed-libsvm-with-rules-2024-01-01-00-00-00"
    suggestion = suggest_name(name)
    assert f'"{suggestion}"' in find_problems(request(TrainingJobName=name))["TrainingJobName"]
    assert len(suggestion) <= MAX_NAME
    assert find_problems(request(TrainingJobName=suggestion)) == {}
    assert suggest_name(name + "1") != suggestion


def test_a_suggested_name_is_never_reserved() -> None:
    assert suggest_name(f"{attempt_name('x' * 60, 3)}-relay-01") == "x" * 40


def test_for_a_name_with_underscores_one_with_hyphens_is_suggested() -> None:
    assert '"my-first-job"' in find_problems(request(TrainingJobName="my_first_job"))["TrainingJobName"]


@pytest.mark.parametrize("role", [ROLE, "arn:aws:iam::111122223333:role/team/a"])
def test_an_allowed_role_is_accepted(role: str) -> None:
    assert find_problems(request(RoleArn=role)) == {}


@pytest.mark.parametrize("role", [ROLE + "2", "arn:aws:iam::999999999999:role/training", ROLE.upper()])
def test_any_other_role_is_refused(role: str) -> None:
    assert "RoleArn" in find_problems(request(RoleArn=role))


@pytest.mark.parametrize(
    "allowed", ["arn:aws:iam::111122223333:role/train?ng", "arn:aws:iam::111122223333:role/*", "*"]
)
def test_an_allowed_role_is_not_a_pattern(allowed: str) -> None:
    allowlist = Allowlist((allowed,), ALLOWLIST.allowed_images, ALLOWLIST.allowed_checkpoint_buckets)
    assert set(find_problems(request(), allowlist)) == {"RoleArn"}


def test_empty_lists_allow_nothing() -> None:
    found = find_problems(request(), Allowlist((), (), ()))
    assert set(found) == {"RoleArn", IMAGE_PATH, URI}
    assert all("allows none" in message for message in found.values())


def test_an_image_outside_the_patterns_is_refused() -> None:
    algorithm = {"TrainingImage": "docker.io/evil", "TrainingInputMode": "File"}
    assert find_problems(request(AlgorithmSpecification=algorithm)) == snapshot(
        {
            "AlgorithmSpecification.TrainingImage": 'Found "docker.io/evil", which this stack does not allow. Use 444455556666.dkr.ecr.*.amazonaws.com/* or my-algorithm.'
        }
    )


@pytest.mark.parametrize("key", ["DebugRuleConfigurations", "ProfilerRuleConfigurations"])
def test_images_of_debugger_and_profiler_rules_must_match_the_same_patterns(key: str) -> None:
    rule = {"RuleConfigurationName": "loss", "RuleEvaluatorImage": IMAGE}
    assert find_problems(request(**{key: [rule]})) == {}
    evil = rule | {"RuleEvaluatorImage": "evil.example/rules:1"}
    assert set(find_problems(request(**{key: [rule, evil]}))) == {f"{key}[1].RuleEvaluatorImage"}


@pytest.mark.parametrize(
    "image", [IMAGE.replace("/", "/x/../"), IMAGE.replace("xgboost", "XGBoost"), f"https://{IMAGE}"]
)
def test_an_invalid_image_name_is_refused_even_if_every_image_is_allowed(image: str) -> None:
    allowlist = Allowlist(ALLOWLIST.allowed_role_arns, ("*",), ALLOWLIST.allowed_checkpoint_buckets)
    algorithm = {"TrainingImage": image, "TrainingInputMode": "File"}
    found = find_problems(request(AlgorithmSpecification=algorithm), allowlist)
    assert "not a valid image name" in found[IMAGE_PATH]


def test_an_algorithm_name_must_match_the_same_patterns() -> None:
    allowed = {"AlgorithmName": "my-algorithm", "TrainingInputMode": "File"}
    assert find_problems(request(AlgorithmSpecification=allowed)) == {}
    other = {"AlgorithmName": "another", "TrainingInputMode": "File"}
    assert set(find_problems(request(AlgorithmSpecification=other))) == {"AlgorithmSpecification.AlgorithmName"}


def test_a_job_needs_either_an_image_or_an_algorithm() -> None:
    neither = {"TrainingInputMode": "File"}
    assert find_problems(request(AlgorithmSpecification=neither)) == snapshot(
        {"AlgorithmSpecification.TrainingImage": "The job has no image. Add TrainingImage or AlgorithmName."}
    )
    assert set(find_problems(request(AlgorithmSpecification=None))) == {IMAGE_PATH}
    both = {"TrainingImage": IMAGE, "AlgorithmName": "my-algorithm", "TrainingInputMode": "File"}
    assert find_problems(request(AlgorithmSpecification=both)) == snapshot(
        {"AlgorithmSpecification": "The job has both TrainingImage and AlgorithmName. Remove one."}
    )


def test_a_serverless_job_is_refused() -> None:
    serverless = {"BaseModelArn": "x", "JobType": "FineTuning"}
    assert find_problems(request(ServerlessJobConfig=serverless))["AlgorithmSpecification"] == snapshot(
        "Spot Relay does not run serverless jobs. Remove ServerlessJobConfig, and use an image."
    )


def test_a_spot_job_needs_a_wait_limit() -> None:
    assert find_problems(request(StoppingCondition={"MaxRuntimeInSeconds": 60})) == snapshot(
        {
            "StoppingCondition.MaxWaitTimeInSeconds": "This key is required for a spot job. Set it to MaxRuntimeInSeconds or more."
        }
    )
    assert set(find_problems(request(StoppingCondition=None))) == {WAIT}


@pytest.mark.parametrize(("runtime", "wait"), [(60, 60), (60, 61), (28 * 86_400, 30 * 86_400)])
def test_a_wait_limit_of_at_least_the_runtime_is_accepted(runtime: int, wait: int) -> None:
    stopping = {"MaxRuntimeInSeconds": runtime, "MaxWaitTimeInSeconds": wait}
    assert find_problems(request(StoppingCondition=stopping)) == {}


def test_a_wait_limit_below_the_runtime_is_refused() -> None:
    stopping = {"MaxRuntimeInSeconds": 61, "MaxWaitTimeInSeconds": 60}
    assert find_problems(request(StoppingCondition=stopping)) == snapshot(
        {"StoppingCondition.MaxWaitTimeInSeconds": "Found 60, but it must be at least MaxRuntimeInSeconds (61)."}
    )


def test_the_default_runtime_is_one_day() -> None:
    assert "86400, its default" in find_problems(request(StoppingCondition={"MaxWaitTimeInSeconds": 86_399}))[WAIT]
    assert find_problems(request(StoppingCondition={"MaxWaitTimeInSeconds": 86_400})) == {}


def test_a_runtime_of_more_than_28_days_is_refused() -> None:
    runtime = 28 * 86_400 + 1
    stopping = {"MaxRuntimeInSeconds": runtime, "MaxWaitTimeInSeconds": runtime}
    assert find_problems(request(StoppingCondition=stopping)) == snapshot(
        {"StoppingCondition.MaxRuntimeInSeconds": "Found 2419201, but it must be at most 2419200 seconds (28 days)."}
    )


@pytest.mark.parametrize("spot", [None, False])
def test_an_on_demand_job_is_accepted_but_not_with_a_wait_limit(spot: bool | None) -> None:
    runtime = {"MaxRuntimeInSeconds": 60}
    on_demand = request(EnableManagedSpotTraining=None, StoppingCondition=runtime)
    if spot is not None:
        on_demand["EnableManagedSpotTraining"] = spot
    assert find_problems(on_demand) == {}
    on_demand["StoppingCondition"] = {**runtime, "MaxWaitTimeInSeconds": 60}
    assert find_problems(on_demand) == snapshot(
        {
            "StoppingCondition.MaxWaitTimeInSeconds": "Only spot jobs may have this key. Set EnableManagedSpotTraining to true, or remove the key."
        }
    )


def test_a_missing_slash_is_added_to_a_checkpoint_prefix() -> None:
    submission = parse_submission(
        request(CheckpointConfig={"S3Uri": "s3://checkpoints-team/a", "LocalPath": "/opt/x"}), ALLOWLIST
    )
    assert submission.training_job["CheckpointConfig"] == {
        "S3Uri": "s3://checkpoints-team/a/",
        "LocalPath": "/opt/x",
    }


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (
            "s3://checkpoints-team",
            snapshot('Found "s3://checkpoints-team". Use s3://bucket/prefix/ with a prefix that only this run uses.'),
        ),
        (
            "s3://checkpoints-team/",
            snapshot('Found "s3://checkpoints-team/". Use s3://bucket/prefix/ with a prefix that only this run uses.'),
        ),
        (
            "s3://checkpoints-team//",
            snapshot('Found "s3://checkpoints-team//". Use s3://bucket/prefix/ with a prefix that only this run uses.'),
        ),
        (
            "https://checkpoints-team/a/",
            snapshot(
                'Found "https://checkpoints-team/a/". Use s3://bucket/prefix/ with a prefix that only this run uses.'
            ),
        ),
        (
            "s3://UPPER/a/",
            snapshot('Found "s3://UPPER/a/". Use s3://bucket/prefix/ with a prefix that only this run uses.'),
        ),
        ("s3://other/a/", snapshot('Found the bucket "other", which this stack does not allow. Use checkpoints-*.')),
        (
            "s3://checkpoints-team/a/../b/",
            snapshot('Found "s3://checkpoints-team/a/../b/". Remove . and .. from the prefix.'),
        ),
        (
            "s3://checkpoints-team/../other/a/",
            snapshot('Found "s3://checkpoints-team/../other/a/". Remove . and .. from the prefix.'),
        ),
        (
            "s3://checkpoints-team/./a/",
            snapshot('Found "s3://checkpoints-team/./a/". Remove . and .. from the prefix.'),
        ),
        (
            "s3://checkpoints-team/" + "x" * 1002,
            snapshot("With its trailing / it has more than 1024 characters. Shorten it."),
        ),
    ],
)
def test_an_invalid_or_foreign_checkpoint_prefix_is_refused(uri: str, expected: str) -> None:
    assert find_problems(request(CheckpointConfig={"S3Uri": uri})) == {URI: expected}


def test_a_job_without_checkpoints_is_accepted() -> None:
    assert find_problems(request(CheckpointConfig=None)) == {}


def test_warm_pools_and_instance_preferences_are_refused_only_with_spot() -> None:
    resources = {**request()["ResourceConfig"], "KeepAlivePeriodInSeconds": 60}
    path = "ResourceConfig.KeepAlivePeriodInSeconds"
    assert set(find_problems(request(ResourceConfig=resources))) == {path}
    on_demand = request(ResourceConfig=resources, EnableManagedSpotTraining=None, StoppingCondition=None)
    assert find_problems(on_demand) == {}
    preferring = {"VolumeSizeInGB": 1, "InstancePreferences": [{"InstanceType": "ml.m5.large"}]}
    assert set(find_problems(request(ResourceConfig=preferring))) == {"ResourceConfig.InstancePreferences"}


def test_training_plans_are_refused_because_no_role_of_the_stack_may_use_them() -> None:
    plan = "arn:aws:sagemaker:us-east-1:111122223333:training-plan/mine"
    on_demand: dict[str, Any] = {"EnableManagedSpotTraining": None, "StoppingCondition": None}
    reserved = {**request()["ResourceConfig"], "TrainingPlanArn": plan}
    found = find_problems(request(ResourceConfig=reserved, **on_demand))
    assert set(found) == {"ResourceConfig.TrainingPlanArn"}
    preferring = [{"InstanceType": "ml.m5.large"}, {"InstanceType": "ml.m5.large", "TrainingPlanArns": [plan]}]
    resources = {"VolumeSizeInGB": 1, "InstancePreferences": preferring}
    found = find_problems(request(ResourceConfig=resources, **on_demand))
    assert set(found) == {"ResourceConfig.InstancePreferences[1].TrainingPlanArns"}


def test_instance_groups_replace_instance_type_and_count() -> None:
    group = {"InstanceGroupName": "a", "InstanceType": "ml.m5.large", "InstanceCount": 1}
    assert find_problems(request(ResourceConfig={"VolumeSizeInGB": 1, "InstanceGroups": [group]})) == {}


def test_a_job_needs_an_instance_type_and_at_least_one_instance() -> None:
    assert set(find_problems(request(ResourceConfig=None))) == {
        "ResourceConfig.InstanceType",
        "ResourceConfig.InstanceCount",
    }
    none = {"InstanceType": "ml.m5.large", "InstanceCount": 0}
    assert find_problems(request(ResourceConfig=none)) == snapshot(
        {"ResourceConfig.InstanceCount": "Found 0, but a job needs at least 1 instance."}
    )


def test_spot_relay_needs_three_of_the_fifty_tags() -> None:
    tags = [{"Key": f"k{n}", "Value": ""} for n in range(47)]
    assert find_problems(request(Tags=tags)) == {}
    assert find_problems(request(Tags=[*tags, {"Key": "x", "Value": ""}])) == snapshot(
        {"Tags": "Found 48 tags, but at most 47 are allowed, because Spot Relay adds 3 of its own."}
    )
    assert set(find_problems(request(Tags=[{"Key": f"k{n}", "Value": ""} for n in range(51)]))) == {"Tags"}


@pytest.mark.parametrize("key", ["spot-relay:run-id", "aws:x", "AWS:x", "Spot-Relay:y"])
def test_reserved_tags_are_refused(key: str) -> None:
    assert "reserved" in find_problems(request(Tags=[{"Key": key, "Value": ""}]))["Tags[0].Key"]


def test_a_repeated_tag_is_refused() -> None:
    tag = {"Key": "a", "Value": ""}
    assert find_problems(request(Tags=[tag, tag])) == snapshot(
        {"Tags[1].Key": 'Found "a" a second time. Each key may be used only once.'}
    )


def test_tags_that_differ_only_in_case_are_refused_because_policies_cannot_distinguish_them() -> None:
    tags = [{"Key": "Team", "Value": "a"}, {"Key": "other", "Value": ""}, {"Key": "team", "Value": "b"}]
    assert find_problems(request(Tags=tags)) == snapshot(
        {"Tags[2].Key": 'Found "team" and "Team". IAM\'s conditions ignore the case. Remove one.'}
    )


def test_a_repeated_channel_is_refused() -> None:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train/"}}
    channels = [{"ChannelName": name, "DataSource": source} for name in ("train", "Train", "train")]
    assert find_problems(request(InputDataConfig=channels)) == snapshot(
        {"InputDataConfig[2].ChannelName": 'Found "train" a second time. Give each channel a name of its own.'}
    )
    assert find_problems(request(InputDataConfig=channels[:2])) == {}


@pytest.mark.parametrize(
    ("image", "refused"),
    [
        ("444455556666.dkr.ecr.us-east-1.amazonaws.com/forecasting-deepar:1", True),
        ("111122223333.dkr.ecr.us-east-1.amazonaws.com/forecasting-deepar:1", False),
        (IMAGE, False),
    ],
)
def test_a_built_in_algorithm_that_writes_no_checkpoints_may_wait_at_most_an_hour(image: str, refused: bool) -> None:
    allowlist = Allowlist(ALLOWLIST.allowed_role_arns, ("*",), ALLOWLIST.allowed_checkpoint_buckets)
    algorithm = {"TrainingImage": image, "TrainingInputMode": "File"}
    stopping = {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3601}
    found = find_problems(request(AlgorithmSpecification=algorithm, StoppingCondition=stopping), allowlist)
    assert set(found) == ({WAIT} if refused else set())
    stopping["MaxWaitTimeInSeconds"] = 3600
    assert find_problems(request(AlgorithmSpecification=algorithm, StoppingCondition=stopping), allowlist) == {}
