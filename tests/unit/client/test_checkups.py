"""What `spot-relay doctor` makes of what it finds."""

from __future__ import annotations

from typing import Any

import pytest

from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.request.drafts import read_draft
from spot_relay_client.checkups import (
    buckets_of,
    check_endpoints,
    check_plugins,
    compare_versions,
    judge_quota,
    judge_rate,
    placements_of,
    trusts_sagemaker,
)

SAGEMAKER = {"AWS_ENDPOINT_URL_SAGEMAKER": "http://127.0.0.1:1"}
LOGS = {"AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": "http://127.0.0.1:1"}
SPOT = Placement("ml.g5.xlarge", 2, Market.SPOT)
JOB: dict[str, Any] = {
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 1},
    "EnableManagedSpotTraining": True,
}


@pytest.mark.parametrize(
    ("environment", "result", "message"),
    [
        ({}, "ok", "no variable"),
        (SAGEMAKER | LOGS, "ok", "AWS_ENDPOINT_URL_SAGEMAKER is http"),
        (SAGEMAKER | {"AWS_ENDPOINT_URL": "http://127.0.0.1:2"}, "ok", "AWS_ENDPOINT_URL_SAGEMAKER"),
        (SAGEMAKER, "problem", "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS is not: clients do not find the logs"),
        (LOGS, "problem", "AWS_ENDPOINT_URL_SAGEMAKER is not: jobs go to SageMaker itself"),
        (SAGEMAKER | LOGS | {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, "problem", "no effect"),
    ],
)
def test_half_configured_endpoint_variables_are_a_problem(
    environment: dict[str, str], result: str, message: str
) -> None:
    (finding,) = check_endpoints(environment)
    assert finding.result == result
    assert message in finding.message


@pytest.mark.parametrize(
    ("plugins", "missing"),
    [
        ("", []),
        ("parser=json", []),
        ("relay=no_such_module", ["no_such_module"]),
        ("parser=json, relay=no_such.module,nameless", ["no_such.module", ""]),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_a_problem(plugins: str, missing: list[str]) -> None:
    found = list(check_plugins({"BOTOCORE_EXPERIMENTAL__PLUGINS": plugins}))
    assert [finding.result for finding in found] == ["problem"] * len(missing)
    assert all(repr(module) in finding.message for module, finding in zip(missing, found, strict=True))


@pytest.mark.parametrize(
    ("rate", "quotas", "result", "message"),
    [
        (1, [], "unknown", "SageMaker's default is 1"),
        (1, [("Rate of DescribeTrainingJob requests", 0.5)], "unknown", "lists no rate"),
        (1, [("Rate of CreateTrainingJob requests", 1)], "ok", "the quota is 1"),
        (0.5, [("Rate of CreateTrainingJob requests", 10)], "ok", "at most 0.5 training jobs per second"),
        (2, [("Rate of CreateTrainingJob requests", 1)], "warning", "lower LaunchRate"),
    ],
)
def test_the_stack_should_create_jobs_no_faster_than_the_quota_allows(
    rate: float, quotas: list[tuple[str, float]], result: str, message: str
) -> None:
    finding = judge_rate(rate, quotas)
    assert finding.result == result
    assert message in finding.message


@pytest.mark.parametrize(
    ("client", "stack", "result"),
    [
        ("1.2.3", "1.2.9", "ok"),
        ("1.2.3", "1.3.0", "warning"),
        ("1.2.3", None, "unknown"),
        ("source", "1.2.3", "unknown"),
    ],
)
def test_versions_have_to_agree_to_the_minor_number(client: str, stack: str | None, result: str) -> None:
    assert compare_versions(client, stack).result == result


@pytest.mark.parametrize(
    ("quotas", "result"),
    [
        ([("ml.g5.xlarge for spot training job usage", 2.0), ("ml.g5.xlarge for training job usage", 0.0)], "ok"),
        ([("ml.g5.xlarge for spot training job usage", 1.0)], "problem"),
        ([("ml.g5.xlarge for endpoint usage", 9.0), ("ml.g5.2xlarge for spot training job usage", 9.0)], "unknown"),
    ],
)
def test_the_quota_of_a_placement_has_to_hold_its_instances(quotas: list[tuple[str, float]], result: str) -> None:
    assert judge_quota(SPOT, quotas).result == result


def statement(**fields: Any) -> dict[str, Any]:
    allowed = {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {"Statement": [{**allowed, **fields}]}


@pytest.mark.parametrize(
    ("policy", "trusted"),
    [
        (statement(), True),
        (statement(Principal={"Service": ["lambda.amazonaws.com", "sagemaker.amazonaws.com"]}), True),
        (statement(Principal="*"), True),
        ({"Statement": statement()["Statement"][0]}, True),
        (statement(Effect="Deny"), False),
        (statement(Principal={"Service": "lambda.amazonaws.com"}), False),
        (statement(Principal={"AWS": "arn:aws:iam::000000000000:root"}), False),
        (statement(Action="sts:TagSession"), False),
        ({}, False),
    ],
)
def test_sagemaker_can_assume_a_role_that_trusts_it(policy: dict[str, Any], trusted: bool) -> None:
    assert trusts_sagemaker(policy) is trusted


def test_the_buckets_of_a_job_are_those_it_reads_and_writes() -> None:
    job = {
        "InputDataConfig": [
            {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://data/train"}}},
            {"ChannelName": "disk", "DataSource": {"FileSystemDataSource": {}}},
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://models/output"},
        "CheckpointConfig": {"S3Uri": "s3://models"},
    }
    assert buckets_of(job) == ["data", "models"]
    assert buckets_of({}) == []


def test_the_options_of_an_estimator_name_its_buckets_roles_and_placements() -> None:
    options = {
        "role": "trainer",
        "algorithm": "xgboost@1.7-1",
        "inputs": {"train": "s3://data/train", "validation": {"s3_data": "s3://more/validation"}},
        "output_path": "s3://models/churn",
        "checkpoint_s3_uri": "s3://checkpoints/churn",
        "instance_type": "ml.m5.xlarge",
        "instance_count": 2,
        "use_spot_instances": True,
    }
    role = "arn:aws:iam::111122223333:role/trainer"
    draft = read_draft({"name": "churn", "estimator": options}, "us-east-1", (role,))
    assert draft.job["RoleArn"] == role
    assert buckets_of(draft.job) == ["data", "more", "models", "checkpoints"]
    assert placements_of(draft) == [Placement("ml.m5.xlarge", 2, Market.SPOT)]


def test_the_placements_of_a_spec_are_its_ladder_or_its_own() -> None:
    own = Placement("ml.m5.xlarge", 2, Market.SPOT)
    assert placements_of(read_draft({"training_job": JOB})) == [own]
    assert placements_of(read_draft(JOB)) == [own]
    ladder = [{"instance_type": "ml.g5.xlarge"}, {"instance_type": "ml.m5.xlarge", "market": "on-demand"}]
    assert placements_of(read_draft({"training_job": JOB, "policy": {"ladder": ladder}})) == [
        SPOT,
        Placement("ml.m5.xlarge", 2, Market.ON_DEMAND),
    ]


def test_a_deadline_may_need_each_placement_on_demand() -> None:
    assert placements_of(read_draft({"training_job": JOB, "policy": {"deadline": "P1D"}})) == [
        Placement("ml.m5.xlarge", 2, Market.SPOT),
        Placement("ml.m5.xlarge", 2, Market.ON_DEMAND),
    ]
