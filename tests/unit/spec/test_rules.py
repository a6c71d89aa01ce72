"""Spot Relay's own rules on names, roles, images, times, checkpoints and tags."""

from __future__ import annotations

from typing import Any

import pytest

from spot_relay.spec import Rules, parse
from spot_relay.spec.run_name import MAX_NAME, suggested
from tests.unit.spec.documents import IMAGE, ROLE, RULES, problems_of, request, wrapped

WAIT = "StoppingCondition.MaxWaitTimeInSeconds"
URI = "CheckpointConfig.S3Uri"
IMAGE_PATH = "AlgorithmSpecification.TrainingImage"


@pytest.mark.parametrize("name", ["a", "A1", "a--b", "x" * MAX_NAME, "my-relay", "a-relay-01-b", "relay-01"])
def test_a_name_that_leaves_room_for_the_attempt_is_taken(name: str) -> None:
    assert problems_of(request(TrainingJobName=name)) == {}
    assert problems_of(wrapped(name=name)) == {}


@pytest.mark.parametrize("name", ["", "-a", "a-", "a_b", "a b", "é", "a\n", None, 5, True, ["a"]])
def test_a_name_that_sagemaker_would_refuse_is_refused(name: Any) -> None:
    assert set(problems_of({**wrapped(), "name": name})) == {"name"}
    assert set(problems_of({**request(), "TrainingJobName": name})) == {"TrainingJobName"}


@pytest.mark.parametrize("name", ["a-relay-01", "a-relay-7", "a-relay-01-relay-02", "a-relay-100"])
def test_a_name_like_an_attempts_is_reserved(name: str) -> None:
    assert "those of attempts" in problems_of(request(TrainingJobName=name))["TrainingJobName"]


def test_a_name_that_is_too_long_gets_a_shorter_one_that_fits() -> None:
    name = "sagemaker-xgboost-distributed-libsvm-2024-01-01-00-00-00"
    guess = suggested(name)
    assert f'"{guess}"' in problems_of(request(TrainingJobName=name))["TrainingJobName"]
    assert len(guess) <= MAX_NAME
    assert problems_of(request(TrainingJobName=guess)) == {}
    assert suggested(name + "1") != guess


def test_a_name_with_underscores_gets_one_with_hyphens() -> None:
    assert '"my-first-job"' in problems_of(request(TrainingJobName="my_first_job"))["TrainingJobName"]


@pytest.mark.parametrize("role", [ROLE, "arn:aws:iam::111122223333:role/team/a"])
def test_an_allowed_role_is_taken(role: str) -> None:
    assert problems_of(request(RoleArn=role)) == {}


@pytest.mark.parametrize("role", [ROLE + "2", "arn:aws:iam::999999999999:role/training", ROLE.upper()])
def test_another_role_is_refused(role: str) -> None:
    assert "RoleArn" in problems_of(request(RoleArn=role))


@pytest.mark.parametrize(
    "allowed", ["arn:aws:iam::111122223333:role/train?ng", "arn:aws:iam::111122223333:role/*", "*"]
)
def test_an_allowed_role_is_no_pattern(allowed: str) -> None:
    rules = Rules((allowed,), RULES.allowed_images, RULES.allowed_checkpoint_buckets)
    assert set(problems_of(request(), rules)) == {"RoleArn"}


def test_empty_lists_allow_nothing() -> None:
    found = problems_of(request(), Rules((), (), ()))
    assert set(found) == {"RoleArn", IMAGE_PATH, URI}
    assert all("allows none" in message for message in found.values())


def test_an_image_outside_the_patterns_is_refused() -> None:
    algorithm = {"TrainingImage": "docker.io/evil", "TrainingInputMode": "File"}
    assert "does not allow" in problems_of(request(AlgorithmSpecification=algorithm))[IMAGE_PATH]


@pytest.mark.parametrize("key", ["DebugRuleConfigurations", "ProfilerRuleConfigurations"])
def test_an_image_that_runs_beside_the_training_is_held_to_the_same_patterns(key: str) -> None:
    rule = {"RuleConfigurationName": "loss", "RuleEvaluatorImage": IMAGE}
    assert problems_of(request(**{key: [rule]})) == {}
    evil = rule | {"RuleEvaluatorImage": "evil.example/rules:1"}
    assert set(problems_of(request(**{key: [rule, evil]}))) == {f"{key}[1].RuleEvaluatorImage"}


@pytest.mark.parametrize(
    "image", [IMAGE.replace("/", "/x/../"), IMAGE.replace("xgboost", "XGBoost"), f"https://{IMAGE}"]
)
def test_what_is_no_name_of_an_image_is_refused_whatever_is_allowed(image: str) -> None:
    rules = Rules(RULES.allowed_role_arns, ("*",), RULES.allowed_checkpoint_buckets)
    algorithm = {"TrainingImage": image, "TrainingInputMode": "File"}
    found = problems_of(request(AlgorithmSpecification=algorithm), rules)
    assert "no image's name" in found[IMAGE_PATH]


def test_an_algorithm_name_is_held_to_the_same_patterns() -> None:
    allowed = {"AlgorithmName": "my-algorithm", "TrainingInputMode": "File"}
    assert problems_of(request(AlgorithmSpecification=allowed)) == {}
    other = {"AlgorithmName": "another", "TrainingInputMode": "File"}
    assert set(problems_of(request(AlgorithmSpecification=other))) == {"AlgorithmSpecification.AlgorithmName"}


def test_a_job_has_an_image_or_an_algorithm_and_not_both() -> None:
    neither = {"TrainingInputMode": "File"}
    assert set(problems_of(request(AlgorithmSpecification=neither))) == {IMAGE_PATH}
    assert set(problems_of(request(AlgorithmSpecification=None))) == {IMAGE_PATH}
    both = {"TrainingImage": IMAGE, "AlgorithmName": "my-algorithm", "TrainingInputMode": "File"}
    assert set(problems_of(request(AlgorithmSpecification=both))) == {"AlgorithmSpecification"}


def test_a_serverless_job_is_refused() -> None:
    serverless = {"BaseModelArn": "x", "JobType": "FineTuning"}
    assert "AlgorithmSpecification" in problems_of(request(ServerlessJobConfig=serverless))


def test_a_spot_job_needs_a_wait_limit() -> None:
    assert set(problems_of(request(StoppingCondition={"MaxRuntimeInSeconds": 60}))) == {WAIT}
    assert set(problems_of(request(StoppingCondition=None))) == {WAIT}


@pytest.mark.parametrize(("runtime", "wait"), [(60, 60), (60, 61), (28 * 86_400, 30 * 86_400)])
def test_a_wait_not_shorter_than_the_run_is_taken(runtime: int, wait: int) -> None:
    stopping = {"MaxRuntimeInSeconds": runtime, "MaxWaitTimeInSeconds": wait}
    assert problems_of(request(StoppingCondition=stopping)) == {}


def test_a_wait_shorter_than_the_run_is_refused() -> None:
    stopping = {"MaxRuntimeInSeconds": 61, "MaxWaitTimeInSeconds": 60}
    assert set(problems_of(request(StoppingCondition=stopping))) == {WAIT}


def test_a_run_without_a_limit_has_a_day() -> None:
    assert "86400, its default" in problems_of(request(StoppingCondition={"MaxWaitTimeInSeconds": 86_399}))[WAIT]
    assert problems_of(request(StoppingCondition={"MaxWaitTimeInSeconds": 86_400})) == {}


def test_a_run_longer_than_28_days_is_refused() -> None:
    runtime = 28 * 86_400 + 1
    stopping = {"MaxRuntimeInSeconds": runtime, "MaxWaitTimeInSeconds": runtime}
    assert set(problems_of(request(StoppingCondition=stopping))) == {"StoppingCondition.MaxRuntimeInSeconds"}


@pytest.mark.parametrize("spot", [None, False])
def test_an_on_demand_job_is_taken_as_it_is_but_without_a_wait_limit(spot: bool | None) -> None:
    runtime = {"MaxRuntimeInSeconds": 60}
    on_demand = request(EnableManagedSpotTraining=None, StoppingCondition=runtime)
    if spot is not None:
        on_demand["EnableManagedSpotTraining"] = spot
    assert problems_of(on_demand) == {}
    on_demand["StoppingCondition"] = {**runtime, "MaxWaitTimeInSeconds": 60}
    assert "set EnableManagedSpotTraining to true" in problems_of(on_demand)[WAIT]


def test_a_checkpoint_prefix_gets_its_trailing_slash() -> None:
    submission = parse(request(CheckpointConfig={"S3Uri": "s3://checkpoints-team/a", "LocalPath": "/opt/x"}), RULES)
    assert submission.training_job["CheckpointConfig"] == {
        "S3Uri": "s3://checkpoints-team/a/",
        "LocalPath": "/opt/x",
    }


@pytest.mark.parametrize(
    "uri",
    [
        "s3://checkpoints-team",
        "s3://checkpoints-team/",
        "s3://checkpoints-team//",
        "https://checkpoints-team/a/",
        "s3://UPPER/a/",
        "s3://other/a/",
        "s3://checkpoints-team/a/../b/",
        "s3://checkpoints-team/../other/a/",
        "s3://checkpoints-team/./a/",
        "s3://checkpoints-team/" + "x" * 1002,
    ],
)
def test_a_checkpoint_place_that_no_run_can_own_is_refused(uri: str) -> None:
    assert set(problems_of(request(CheckpointConfig={"S3Uri": uri}))) == {URI}


def test_a_job_without_checkpoints_is_taken() -> None:
    assert problems_of(request(CheckpointConfig=None)) == {}


def test_warm_pools_and_instance_preferences_are_refused_with_spot_only() -> None:
    resources = {**request()["ResourceConfig"], "KeepAlivePeriodInSeconds": 60}
    path = "ResourceConfig.KeepAlivePeriodInSeconds"
    assert set(problems_of(request(ResourceConfig=resources))) == {path}
    on_demand = request(ResourceConfig=resources, EnableManagedSpotTraining=None, StoppingCondition=None)
    assert problems_of(on_demand) == {}
    preferring = {"VolumeSizeInGB": 1, "InstancePreferences": [{"InstanceType": "ml.m5.large"}]}
    assert set(problems_of(request(ResourceConfig=preferring))) == {"ResourceConfig.InstancePreferences"}


def test_training_plans_are_refused_since_no_role_of_the_stack_may_use_one() -> None:
    plan = "arn:aws:sagemaker:us-east-1:111122223333:training-plan/mine"
    on_demand: dict[str, Any] = {"EnableManagedSpotTraining": None, "StoppingCondition": None}
    reserved = {**request()["ResourceConfig"], "TrainingPlanArn": plan}
    found = problems_of(request(ResourceConfig=reserved, **on_demand))
    assert set(found) == {"ResourceConfig.TrainingPlanArn"}
    preferring = [{"InstanceType": "ml.m5.large"}, {"InstanceType": "ml.m5.large", "TrainingPlanArns": [plan]}]
    resources = {"VolumeSizeInGB": 1, "InstancePreferences": preferring}
    found = problems_of(request(ResourceConfig=resources, **on_demand))
    assert set(found) == {"ResourceConfig.InstancePreferences[1].TrainingPlanArns"}


def test_instance_groups_stand_for_type_and_count() -> None:
    group = {"InstanceGroupName": "a", "InstanceType": "ml.m5.large", "InstanceCount": 1}
    assert problems_of(request(ResourceConfig={"VolumeSizeInGB": 1, "InstanceGroups": [group]})) == {}


def test_a_job_needs_a_type_and_at_least_one_instance() -> None:
    assert set(problems_of(request(ResourceConfig=None))) == {
        "ResourceConfig.InstanceType",
        "ResourceConfig.InstanceCount",
    }
    none = {"InstanceType": "ml.m5.large", "InstanceCount": 0}
    assert set(problems_of(request(ResourceConfig=none))) == {"ResourceConfig.InstanceCount"}


def test_three_of_the_fifty_tags_are_ours() -> None:
    tags = [{"Key": f"k{n}", "Value": ""} for n in range(47)]
    assert problems_of(request(Tags=tags)) == {}
    assert set(problems_of(request(Tags=[*tags, {"Key": "x", "Value": ""}]))) == {"Tags"}
    assert set(problems_of(request(Tags=[{"Key": f"k{n}", "Value": ""} for n in range(51)]))) == {"Tags"}


@pytest.mark.parametrize("key", ["spot-relay:run-id", "aws:x", "AWS:x", "Spot-Relay:y"])
def test_reserved_tags_are_refused(key: str) -> None:
    assert "reserved" in problems_of(request(Tags=[{"Key": key, "Value": ""}]))["Tags[0].Key"]


def test_a_tag_given_twice_is_refused() -> None:
    tag = {"Key": "a", "Value": ""}
    assert set(problems_of(request(Tags=[tag, tag]))) == {"Tags[1].Key"}


@pytest.mark.parametrize(
    ("image", "refused"),
    [
        ("444455556666.dkr.ecr.us-east-1.amazonaws.com/forecasting-deepar:1", True),
        ("444455556666.dkr.ecr.us-east-1.amazonaws.com/forecasting-deepar", True),
        ("444455556666.dkr.ecr.us-east-1.amazonaws.com/team/forecasting-deepar:1", False),
        ("111122223333.dkr.ecr.us-east-1.amazonaws.com/forecasting-deepar:1", False),
        ("444455556666.dkr.ecr.us-east-1.amazonaws.com/kmeans:1", False),
        (IMAGE, False),
    ],
)
def test_a_built_in_algorithm_that_writes_no_checkpoints_waits_an_hour_at_most(image: str, refused: bool) -> None:
    rules = Rules(RULES.allowed_role_arns, ("*",), RULES.allowed_checkpoint_buckets)
    algorithm = {"TrainingImage": image, "TrainingInputMode": "File"}
    stopping = {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3601}
    found = problems_of(request(AlgorithmSpecification=algorithm, StoppingCondition=stopping), rules)
    assert set(found) == ({WAIT} if refused else set())
    stopping["MaxWaitTimeInSeconds"] = 3600
    assert problems_of(request(AlgorithmSpecification=algorithm, StoppingCondition=stopping), rules) == {}
