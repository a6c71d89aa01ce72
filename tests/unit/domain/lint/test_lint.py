"""Lint rules: each finds what it is about, keeps silent about what is fine, and survives any document."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.lint.draft import NOTHING_KNOWN, Surroundings
from spot_relay.domain.lint.lint import RULES, find_flaws, render_rules
from spot_relay.domain.lint.rule import Severity
from spot_relay.request.drafts import read_draft
from tests.thoroughness import examples
from tests.unit.worlds import PREFIX, TRAINING_JOB

ROOT = Path(__file__).parents[4]
EXAMPLES = sorted([*ROOT.glob("examples/*.yaml"), *ROOT.glob("examples/*.json")])
BUILT_IN = "811284229777.dkr.ecr.us-east-1.amazonaws.com/blazingtext:1"
S3 = {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train", "S3DataDistributionType": "ShardedByS3Key"}
CHANNEL = {"ChannelName": "train", "DataSource": {"S3DataSource": S3}}
URI = "training_job.CheckpointConfig.S3Uri"
SPOT = {"instance_type": "ml.m5.xlarge"}
ON_DEMAND = SPOT | {"market": "on-demand"}


def spec(policy: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A spec in which no rule finds anything; a change to None removes the key."""
    fine = copy.deepcopy(TRAINING_JOB) | {"HyperParameters": {"epochs": "3"}}
    job = {key: value for key, value in (fine | changes).items() if value is not None}
    return {"name": "churn", "training_job": job, "policy": policy or {}}


def found(document: Any, around: Surroundings = NOTHING_KNOWN) -> list[tuple[str, str]]:
    return [(finding.rule.id, finding.path) for finding in find_flaws(read_draft(document), around)]


def told(document: Any, around: Surroundings = NOTHING_KNOWN) -> list[tuple[str, str, str]]:
    return [(finding.rule.id, finding.path, finding.message) for finding in find_flaws(read_draft(document), around)]


def resources(**changes: Any) -> dict[str, Any]:
    return {"ResourceConfig": TRAINING_JOB["ResourceConfig"] | changes}


def stopping(**seconds: int) -> dict[str, Any]:
    return {"StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 3600} | seconds}


def reads(uri: str) -> dict[str, Any]:
    """A channel that reads from a place."""
    return {"DataSource": {"S3DataSource": {"S3Uri": uri}}}


def test_nothing_is_found_in_a_spec_that_is_fine() -> None:
    assert found(spec()) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_no_example_has_an_error(path: Path) -> None:
    document = json.loads(path.read_text()) if path.suffix == ".json" else yaml.safe_load(path.read_text())
    assert [f.rule.id for f in find_flaws(read_draft(document)) if f.rule.severity is Severity.ERROR] == []


def test_all_nine_examples_are_checked() -> None:
    assert len(EXAMPLES) == 9


@pytest.mark.parametrize(
    ("document", "rule", "path", "message"),
    [
        (
            spec(AlgorithmSpecification={"TrainingImage": BUILT_IN}, **stopping(MaxWaitTimeInSeconds=3601)),
            "built-in-without-checkpoints",
            "training_job.StoppingCondition.MaxWaitTimeInSeconds",
            "The built-in algorithm blazingtext writes no checkpoints, and may wait for 3601 seconds.",
        ),
        (
            spec(
                AlgorithmSpecification={"TrainingImage": BUILT_IN},
                StoppingCondition={"MaxRuntimeInSeconds": 3601},
            ),
            "built-in-without-checkpoints",
            "training_job.StoppingCondition.MaxRuntimeInSeconds",
            "The built-in algorithm blazingtext writes no checkpoints, and may wait for 3601 seconds.",
        ),
        (
            spec(CheckpointConfig=None, **stopping(MaxRuntimeInSeconds=3601, MaxWaitTimeInSeconds=3601)),
            "spot-without-checkpoints",
            "training_job.CheckpointConfig",
            "The job may train for 3601 seconds on spot and saves no checkpoints.",
        ),
        (
            spec(CheckpointConfig=None, StoppingCondition=None),
            "spot-without-checkpoints",
            "training_job.CheckpointConfig",
            "The job may train for 86400 seconds on spot and saves no checkpoints.",
        ),
        (
            spec(
                {"ladder": [{"instance_type": "ml.m5.xlarge"}]},
                EnableManagedSpotTraining=False,
                **resources(KeepAlivePeriodInSeconds=60),
            ),
            "warm-pool-with-spot",
            "training_job.ResourceConfig.KeepAlivePeriodInSeconds",
            "A warm pool is asked for, and the job may run on spot.",
        ),
        (
            spec({"ladder": [ON_DEMAND]}, **resources(KeepAlivePeriodInSeconds=60)),
            "warm-pool-with-spot",
            "training_job.ResourceConfig.KeepAlivePeriodInSeconds",
            "A warm pool is asked for, and the job may run on spot.",
        ),
        (
            spec(ResourceConfig={"InstancePreferences": [{"InstanceType": "ml.m5.xlarge"}]}),
            "instance-preferences-with-spot",
            "training_job.ResourceConfig.InstancePreferences",
            "The job names several instance types, and may run on spot.",
        ),
        (
            spec(**stopping(MaxRuntimeInSeconds=432_001)),
            "max-runtime-above-limit",
            "training_job.StoppingCondition.MaxRuntimeInSeconds",
            "MaxRuntimeInSeconds is 432001, and most accounts allow 432000.",
        ),
        (
            spec({"deadline": "P1D"}, **stopping(MaxPendingTimeInSeconds=7200)),
            "pending-time-ends-attempts",
            "training_job.StoppingCondition.MaxPendingTimeInSeconds",
            "An on-demand attempt that has no capacity after 7200 seconds ends.",
        ),
        (
            spec({"ladder": [SPOT, ON_DEMAND]}, **stopping(MaxPendingTimeInSeconds=7200)),
            "pending-time-ends-attempts",
            "training_job.StoppingCondition.MaxPendingTimeInSeconds",
            "An on-demand attempt that has no capacity after 7200 seconds ends.",
        ),
        (
            spec(**resources(InstanceCount=2)),
            "several-checkpoint-writers",
            "training_job.ResourceConfig.InstanceCount",
            f"2 instances write to {PREFIX}.",
        ),
        (
            spec({"ladder": [SPOT, {"instance_type": "ml.g5.xlarge", "instance_count": 2}]}),
            "several-checkpoint-writers",
            "policy.ladder[1]",
            f"2 instances write to {PREFIX}.",
        ),
        (
            spec(OutputDataConfig={"S3OutputPath": "s3://models/churn/checkpoints/output"}),
            "nested-checkpoint-prefix",
            "training_job.OutputDataConfig.S3OutputPath",
            f"The model is written to s3://models/churn/checkpoints/output, inside the checkpoint prefix {PREFIX}.",
        ),
        (
            spec(OutputDataConfig={"S3OutputPath": "s3://models/churn/checkpoints"}),
            "nested-checkpoint-prefix",
            "training_job.OutputDataConfig.S3OutputPath",
            f"The model is written to s3://models/churn/checkpoints, inside the checkpoint prefix {PREFIX}.",
        ),
        (
            spec(InputDataConfig=[{"DataSource": {}}, reads("s3://other/churn"), reads("s3://models/churn")]),
            "nested-checkpoint-prefix",
            "training_job.InputDataConfig[2].DataSource.S3DataSource.S3Uri",
            f"The channel reads s3://models/churn, and so the checkpoints under {PREFIX}.",
        ),
        (
            spec(InputDataConfig=[reads("s3://models/churn/checkpoints/data")]),
            "nested-checkpoint-prefix",
            "training_job.InputDataConfig[0].DataSource.S3DataSource.S3Uri",
            f"The channel reads s3://models/churn/checkpoints/data, inside the checkpoint prefix {PREFIX}.",
        ),
        (
            spec(TensorBoardOutputConfig={"S3OutputPath": "s3://models/churn/checkpoints/tb"}),
            "logs-beside-checkpoints",
            "training_job.TensorBoardOutputConfig.S3OutputPath",
            f"Found s3://models/churn/checkpoints/tb, which is inside the checkpoints' {PREFIX}.",
        ),
        (
            spec(DebugHookConfig={"LocalPath": "/opt/ml/checkpoints"}),
            "logs-beside-checkpoints",
            "training_job.DebugHookConfig.LocalPath",
            "Found /opt/ml/checkpoints, which is inside the checkpoints' /opt/ml/checkpoints/.",
        ),
        (
            spec(
                CheckpointConfig={"S3Uri": PREFIX, "LocalPath": "/opt/ml/saved/"},
                ProfilerConfig={"S3OutputPath": "s3://models/churn/checkpoints"},
                HyperParameters={"logdir": "/opt/ml/checkpoints/logs"},
            ),
            "logs-beside-checkpoints",
            "training_job.ProfilerConfig.S3OutputPath",
            f"Found s3://models/churn/checkpoints, which is inside the checkpoints' {PREFIX}.",
        ),
        (
            spec(
                CheckpointConfig={"S3Uri": PREFIX, "LocalPath": "/opt/ml/saved"},
                Environment={"EPOCHS": "3", "TRAIN_LOG_FOLDER": "/opt/ml/saved"},
            ),
            "logs-beside-checkpoints",
            "training_job.Environment.TRAIN_LOG_FOLDER",
            "Logs go to a folder inside the checkpoints' /opt/ml/saved/.",
        ),
        (
            spec(HyperParameters={"depth": 3, "tensorboard-dir": '"/opt/ml/checkpoints/tb"'}),
            "logs-beside-checkpoints",
            "training_job.HyperParameters.tensorboard-dir",
            "Logs go to a folder inside the checkpoints' /opt/ml/checkpoints/.",
        ),
        (
            spec(OutputDataConfig={"S3OutputPath": "s3://sagemaker-eu-west-1-111122223333/out"}),
            "bucket-in-another-region",
            "training_job.OutputDataConfig.S3OutputPath",
            "The bucket sagemaker-eu-west-1-111122223333 seems to be in eu-west-1, by its name, and the job runs in "
            "us-east-1.",
        ),
        (
            spec(TensorBoardOutputConfig={"S3OutputPath": "s3://logs-eu-west-1/tb/us-east-1"}),
            "bucket-in-another-region",
            "training_job.TensorBoardOutputConfig.S3OutputPath",
            "The bucket logs-eu-west-1 seems to be in eu-west-1, by its name, and the job runs in us-east-1.",
        ),
        (
            spec(InputDataConfig=[{}, reads("s3://data-ap-northeast-2/train")]),
            "bucket-in-another-region",
            "training_job.InputDataConfig[1].DataSource.S3DataSource.S3Uri",
            "The bucket data-ap-northeast-2 seems to be in ap-northeast-2, by its name, and the job runs in us-east-1.",
        ),
        (
            spec(Environment={"DEPTH": 3, "WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567"}),
            "secret-in-request",
            "training_job.Environment.WANDB_API_KEY",
            "The value looks like a secret. It is not repeated here.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "." not in value else "",
)
def test_a_rule_names_the_key_that_breaks_it_and_says_how(
    document: dict[str, Any], rule: str, path: str, message: str
) -> None:
    assert told(document) == [(rule, path, message)]


SHARDS = spec(
    CheckpointConfig=None, InputDataConfig=[{}, {"ChannelName": "test"}, CHANNEL], **resources(InstanceCount=2)
)


@pytest.mark.parametrize(
    ("around", "document", "rule", "findings"),
    [
        (
            Surroundings(prefixes={"far": "s3://models/away", "other": "s3://models/churn/checkpoints"}),
            spec(),
            "shared-checkpoint-prefix",
            [(URI, f"other has the same checkpoint prefix, {PREFIX}.")],
        ),
        (
            Surroundings(prefixes={"churn": "s3://models/churn/checkpoints/a", "other": "s3://models/churn"}),
            spec(),
            "nested-checkpoint-prefix",
            [(URI, f"{PREFIX} and the checkpoint prefix of other, s3://models/churn/, lie one in the other.")],
        ),
        (
            Surroundings(prefixes={"other": "s3://models/churn/checkpoints/a/"}),
            spec(),
            "nested-checkpoint-prefix",
            [(URI, f"{PREFIX} and the checkpoint prefix of other, {PREFIX}a/, lie one in the other.")],
        ),
        (
            Surroundings(checkpoint_objects=1),
            spec(),
            "checkpoint-prefix-not-empty",
            [(URI, f"1 or more objects are under {PREFIX} already.")],
        ),
        (
            Surroundings(files={"train": 1}),
            SHARDS,
            "fewer-shards-than-instances",
            [("training_job.InputDataConfig[2]", "2 instances share the channel train, which has 1 objects.")],
        ),
        (
            Surroundings(region="eu-west-1", bucket_regions={"models": "us-east-1"}),
            spec(InputDataConfig=[reads("models/train"), reads("s3://data/train")]),
            "bucket-in-another-region",
            [
                (path, "The bucket models is in us-east-1, and the job runs in eu-west-1.")
                for path in (
                    "training_job.OutputDataConfig.S3OutputPath",
                    URI,
                    "training_job.InputDataConfig[0].DataSource.S3DataSource.S3Uri",
                )
            ],
        ),
        (
            Surroundings(existing_run="Failed"),
            spec(),
            "run-exists",
            [("name", "There is a run of this very spec already, and it is Failed.")],
        ),
        (
            Surroundings(existing_run="Failed"),
            {"TrainingJobName": "churn"},
            "run-exists",
            [("TrainingJobName", "There is a run of this very spec already, and it is Failed.")],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_known_beyond_the_document_is_taken_into_account(
    around: Surroundings, document: dict[str, Any], rule: str, findings: list[tuple[str, str]]
) -> None:
    assert told(document, around) == [(rule, path, message) for path, message in findings]
    assert found(document) == []


@pytest.mark.parametrize(
    "document",
    [
        # The region of the job is not known.
        spec(
            AlgorithmSpecification={"AlgorithmName": "churn"},
            OutputDataConfig={"S3OutputPath": "s3://sagemaker-eu-west-1-111122223333/out"},
        ),
        # Exactly as long as is allowed.
        spec(AlgorithmSpecification={"TrainingImage": BUILT_IN}, **stopping()),
        spec(CheckpointConfig=None, **stopping()),
        spec(**stopping(MaxRuntimeInSeconds=432_000)),
        # Whoever sets this wants to begin from zero.
        spec({"restart_from_scratch": True}, CheckpointConfig=None, StoppingCondition={}),
        spec(CheckpointConfig=None, EnableManagedSpotTraining=False),
        # An image of one's own account may be called like a built-in algorithm.
        spec(
            AlgorithmSpecification={"TrainingImage": BUILT_IN.replace("811284229777", "111122223333")},
            **stopping(MaxWaitTimeInSeconds=7200),
        ),
        spec(
            EnableManagedSpotTraining=False,
            AlgorithmSpecification={"TrainingImage": BUILT_IN},
            **stopping(MaxWaitTimeInSeconds=7200),
        ),
        spec(EnableManagedSpotTraining=False, **resources(KeepAlivePeriodInSeconds=60)),
        spec(
            EnableManagedSpotTraining=False, ResourceConfig={"InstancePreferences": [{"InstanceType": "ml.m5.xlarge"}]}
        ),
        # Attempts on spot leave it out.
        spec(**stopping(MaxPendingTimeInSeconds=7200)),
        spec({"deadline": "P1D"}),
        # Several instances, whose checkpoints nobody keeps.
        spec(CheckpointConfig=None, **resources(InstanceCount=2)),
        # Checkpoints inside the output are usual.
        spec(OutputDataConfig={"S3OutputPath": "s3://models/churn/"}),
        spec(HyperParameters={"catalog": "/opt/ml/checkpoints/a", "logdir": "/opt/ml/output/tensorboard"}),
        spec(HyperParameters={"logdir": "/opt/ml/checkpoints-of-old"}),
        spec(CheckpointConfig=None, HyperParameters={"logdir": "/opt/ml/checkpoints"}),
        spec(OutputDataConfig={"S3OutputPath": "s3://sagemaker-us-east-1-111122223333/out"}),
    ],
)
def test_what_is_fine_is_not_found(document: dict[str, Any]) -> None:
    assert found(document) == []


@pytest.mark.parametrize(
    ("around", "document"),
    [
        (Surroundings(prefixes={"churn": PREFIX}), spec()),
        (Surroundings(prefixes={"other": "s3://models/churn/checkpointsX"}), spec()),
        (Surroundings(prefixes={"churn": "s3://models"}), spec()),
        (Surroundings(files={"train": 2}), SHARDS),
        (Surroundings(checkpoint_objects=0), spec()),
        (Surroundings(checkpoint_objects=1, prefixes={"other": PREFIX}), spec(CheckpointConfig=None)),
        # A bucket is where it is, whatever its name says.
        (
            Surroundings(bucket_regions={"data-eu-west-1": "us-east-1"}),
            spec(InputDataConfig=[reads("s3://data-eu-west-1/train")]),
        ),
        (
            Surroundings(region="eu-west-1"),
            spec(InputDataConfig=[reads("s3://data-eu-west-1/train")]),
        ),
    ],
    ids=[
        "itself",
        "alike",
        "around itself",
        "enough shards",
        "empty",
        "no checkpoints",
        "known region",
        "region of the job",
    ],
)
def test_a_draft_that_suits_its_surroundings_passes(around: Surroundings, document: dict[str, Any]) -> None:
    assert found(document, around) == []


def test_a_bare_request_is_read_like_a_wrapped_one() -> None:
    request = spec()["training_job"] | resources(InstanceCount=2) | {"TrainingJobName": "churn"}
    assert found(request) == [("several-checkpoint-writers", "ResourceConfig.InstanceCount")]


def test_an_allowed_rule_finds_nothing() -> None:
    document = spec(**resources(InstanceCount=2))
    assert find_flaws(read_draft(document), allowed={"several-checkpoint-writers"}) == ()


def test_a_finding_says_why_and_what_to_do() -> None:
    (finding,) = find_flaws(read_draft(spec(**resources(KeepAlivePeriodInSeconds=60))))
    assert finding.document() == {
        "rule": "warm-pool-with-spot",
        "severity": "error",
        "path": "training_job.ResourceConfig.KeepAlivePeriodInSeconds",
        "message": "A warm pool is asked for, and the job may run on spot.",
        "why": "SageMaker keeps no warm pool for managed spot, and refuses the two together.",
        "fix": "Remove KeepAlivePeriodInSeconds.",
        "page": "docs/lint.md#warm-pool-with-spot",
    }


def test_a_secret_is_not_repeated() -> None:
    secret = "0123456789abcdef0123456789abcdef01234567"
    (finding,) = find_flaws(read_draft(spec(HyperParameters={"api_key": secret})))
    assert secret not in json.dumps(finding.document())


def test_ids_are_unique_and_every_reason_is_one_sentence() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert [rule.id for rule in RULES if not rule.why.endswith(".") or ". " in rule.why] == []


def test_the_page_of_the_rules_is_current() -> None:
    assert (ROOT / "docs" / "lint.md").read_text() == render_rules(), "Run `make lint-rules`."


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(key=st.sampled_from(sorted(TRAINING_JOB)), value=JSON, policy=JSON)
@examples(50)
def test_a_document_of_any_shape_can_be_checked(key: str, value: Any, policy: Any) -> None:
    document = spec()
    document["training_job"][key] = value
    found(document | {"policy": policy}, Surroundings(prefixes={"other": "s3://models/"}, files={"train": 0}))


@pytest.mark.parametrize("key", sorted(TRAINING_JOB))
@given(value=JSON)
@examples(10)
def test_members_of_any_type_can_be_checked(key: str, value: Any) -> None:
    members = TRAINING_JOB[key]
    for member in members if isinstance(members, dict) else ():
        found(spec(**{key: members | {member: value}}))


OPTIONS = {
    "role": "{stack.role}",
    "algorithm": "xgboost@1.7-1",
    "instance_type": "ml.m5.xlarge",
    "instance_count": 1,
    "use_spot_instances": True,
    "max_run": 3600,
    "max_wait": 3600,
    "inputs": {"train": {"s3_data": "s3://data/train"}},
    "output_path": "s3://models",
    "checkpoint_s3_uri": "s3://checkpoints/churn",
}


def options(**changes: Any) -> dict[str, Any]:
    """A spec of the SDK's options in which no rule finds anything; a change to None removes the option."""
    return {
        "name": "churn",
        "estimator": {key: value for key, value in (OPTIONS | changes).items() if value is not None},
    }


@pytest.mark.parametrize(
    ("document", "findings"),
    [
        (options(), []),
        (options(max_run=500_000, max_wait=600_000), [("max-runtime-above-limit", "estimator.max_run")]),
        (
            options(max_run=7200, max_wait=7200, checkpoint_s3_uri=None),
            [("spot-without-checkpoints", "estimator.checkpoint_s3_uri")],
        ),
        (
            options(hyperparameters={"aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}),
            [("secret-in-request", "estimator.hyperparameters.aws_secret_access_key")],
        ),
        (
            options(algorithm="forecasting-deepar@1", max_wait=7200),
            [("built-in-without-checkpoints", "estimator.max_wait")],
        ),
        (
            options(inputs={"train": "s3://checkpoints/churn/data"}),
            [("nested-checkpoint-prefix", "estimator.inputs.train")],
        ),
        (
            options(inputs={"train": {"s3_data": "s3://checkpoints/churn/data"}}),
            [("nested-checkpoint-prefix", "estimator.inputs.train.s3_data")],
        ),
        (options(instance_count=2), [("several-checkpoint-writers", "estimator.instance_count")]),
        (
            {"name": "churn", "estimator": {"stopping_condition": {"max_runtime_in_seconds": 500_000}}},
            [("max-runtime-above-limit", "estimator.stopping_condition.max_runtime_in_seconds")],
        ),
    ],
    ids=lambda value: value[0][0] if isinstance(value, list) and value else "",
)
def test_rules_look_into_the_options_of_an_estimator_and_name_them(
    document: dict[str, Any], findings: list[tuple[str, str]]
) -> None:
    assert found(document) == findings


def test_a_run_of_options_that_exists_is_reported_where_its_name_is() -> None:
    document = {"estimator": OPTIONS | {"base_job_name": "churn"}}
    assert found(document, Surroundings(existing_run="Failed")) == [("run-exists", "estimator.base_job_name")]


def test_a_built_in_algorithm_is_recognized_by_its_image_before_the_role_is_known() -> None:
    document = spec(
        RoleArn="{stack.role}",
        AlgorithmSpecification={"TrainingImage": BUILT_IN},
        **stopping(MaxWaitTimeInSeconds=7200),
    )
    assert ("built-in-without-checkpoints", "training_job.StoppingCondition.MaxWaitTimeInSeconds") in found(document)


@pytest.mark.parametrize("name", [*OPTIONS, "tags", "model_uri", "resource_config", "unknown"])
@given(value=JSON)
@examples(10)
def test_options_of_any_type_can_be_checked(name: str, value: Any) -> None:
    found(options(**{name: value}))
