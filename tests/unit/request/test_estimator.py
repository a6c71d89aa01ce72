"""The options of the SageMaker Python SDK become the request that the SDK sends, and problems keep the user's names."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from spot_relay.request.estimator import translate
from spot_relay.request.problem import Problems
from spot_relay.request.sdk_options import ALGORITHM, DEFAULTS, GROUPS, NOT_EXPRESSIBLE, OPTIONS, Generation
from spot_relay.spec import InvalidSpecError, parse_submission
from tests.unit.spec.any_document import VALUES
from tests.unit.spec.documents import ALLOWLIST, CALM, IMAGE, ROLE, find_problems, wrapped

REFERENCE = Path(__file__).parents[3] / "docs" / "spec.md"
V1: dict[str, Any] = {
    "image_name": IMAGE,
    "role": ROLE,
    "train_instance_count": 1,
    "train_instance_type": "ml.m5.xlarge",
    "train_use_spot_instances": True,
    "train_max_wait": 7200,
    "train_max_run": 3600,
    "checkpoint_s3_uri": "s3://checkpoints-team/churn/",
    "output_path": "s3://models/churn",
    "hyperparameters": {"num_round": 50},
    "inputs": {"train": "s3://data/train/"},
}
V2: dict[str, Any] = {
    "image_uri": IMAGE,
    "role": ROLE,
    "instance_count": 1,
    "instance_type": "ml.m5.xlarge",
    "use_spot_instances": True,
    "max_wait": 7200,
    "max_run": 3600,
    "checkpoint_s3_uri": "s3://checkpoints-team/churn/",
    "output_path": "s3://models/churn",
    "hyperparameters": {"num_round": 50},
    "inputs": {"train": "s3://data/train/"},
}
V3: dict[str, Any] = {
    "training_image": IMAGE,
    "role": ROLE,
    "compute": {"instance_count": 1, "instance_type": "ml.m5.xlarge", "enable_managed_spot_training": True},
    "stopping_condition": {"max_runtime_in_seconds": 3600, "max_wait_time_in_seconds": 7200},
    "checkpoint_config": {"s3_uri": "s3://checkpoints-team/churn/"},
    "output_data_config": {"s3_output_path": "s3://models/churn", "compression_type": "GZIP"},
    "hyperparameters": {"num_round": 50},
    "input_data_config": [{"channel_name": "train", "data_source": "s3://data/train/"}],
}
SOURCE = {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train/", "S3DataDistributionType": "FullyReplicated"}
CHANNEL: dict[str, Any] = {"ChannelName": "train", "DataSource": {"S3DataSource": SOURCE}}
JOB: dict[str, Any] = {
    "RoleArn": ROLE,
    "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
    "HyperParameters": {"num_round": "50"},
    "InputDataConfig": [CHANNEL],
    "OutputDataConfig": {"S3OutputPath": "s3://models/churn"},
    "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200},
    "CheckpointConfig": {"S3Uri": "s3://checkpoints-team/churn/"},
}


def spec(options: dict[str, Any], without: tuple[str, ...] = (), **rest: Any) -> dict[str, Any]:
    """Return a spec with an estimator."""
    kept = {key: value for key, value in copy.deepcopy(options).items() if key not in without}
    return {"name": "churn", "estimator": kept, **rest}


def translated(options: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """Return the training job that options stand for."""
    return parse_submission(spec(options, **rest), ALLOWLIST).training_job


@pytest.mark.parametrize("options", [V1, V2], ids=["v1", "v2"])
def test_the_options_of_an_estimator_become_the_request_that_it_sends(options: dict[str, Any]) -> None:
    assert translated(options) == JOB


def test_the_options_of_a_model_trainer_become_the_request_that_it_sends() -> None:
    assert translated(V3) == {
        **JOB,
        "InputDataConfig": [{**CHANNEL, "InputMode": "File"}],
        "OutputDataConfig": {"S3OutputPath": "s3://models/churn", "CompressionType": "GZIP"},
    }


def test_many_options_become_what_version_2_of_the_sdk_made_of_them() -> None:
    # sdk_request.json holds options of an Estimator, and what sagemaker 2.257.7 passed to CreateTrainingJob for them.
    recorded = json.loads(Path(__file__).with_name("sdk_request.json").read_text("utf-8"))
    problems = Problems()
    job = translate({"estimator": recorded["options"]}, ALLOWLIST.region, ALLOWLIST.allowed_role_arns, problems).job
    problems.raise_if_any()
    assert {"TrainingJobName": "churn", **job} == recorded["request"]


def test_options_and_a_request_with_the_same_meaning_are_the_same_run() -> None:
    request = {"name": "churn", "training_job": JOB}
    fingerprints = {parse_submission(document, ALLOWLIST).fingerprint for document in (spec(V1), spec(V2), request)}
    assert len(fingerprints) == 1


@pytest.mark.parametrize(
    ("options", "max_run"),
    [(V1, ("train_max_run", 86_400)), (V2, ("max_run", 86_400)), (V3, ("stopping_condition", 3600))],
)
def test_each_generation_has_its_own_limit_on_the_runtime_if_none_is_given(
    options: dict[str, Any], max_run: tuple[str, int]
) -> None:
    name, default = max_run
    waits = {"StoppingCondition": {"MaxWaitTimeInSeconds": 90_000}}
    kept = {key: value for key, value in options.items() if key not in {name, "max_wait", "train_max_wait"}}
    job = translated(kept, training_job=waits)
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": default, "MaxWaitTimeInSeconds": 90_000}


def test_a_model_trainer_without_a_compute_gets_the_instance_of_the_sdk() -> None:
    job = translated(
        {key: value for key, value in V3.items() if key != "compute"},
        training_job={
            "EnableManagedSpotTraining": True,
        },
    )
    assert job["ResourceConfig"] == {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}


@pytest.mark.parametrize(
    ("options", "written"),
    [(V2, {"a": "1", "b": "True", "c": "0.1", "d": "x"}), (V3, {"a": "1", "b": "true", "c": "0.1", "d": "x"})],
)
def test_hyperparameters_are_written_as_the_generation_writes_them(
    options: dict[str, Any], written: dict[str, str]
) -> None:
    given = {"a": 1, "b": True, "c": 0.1, "d": "x"}
    assert translated({**options, "hyperparameters": given})["HyperParameters"] == written


def test_inputs_take_the_arguments_of_the_sdks_inputs() -> None:
    inputs = {
        "train": {
            "s3_data": "s3://data/train/",
            "distribution": "ShardedByS3Key",
            "content_type": "text/csv",
            "input_mode": "Pipe",
            "shuffle_config": {"seed": 7},
        },
        "files": {"file_system_id": "fs-0123456789abcdef0", "file_system_type": "EFS", "directory_path": "/data"},
    }
    assert translated({**V2, "inputs": inputs})["InputDataConfig"] == [
        {
            "ChannelName": "train",
            "DataSource": {"S3DataSource": {**SOURCE, "S3DataDistributionType": "ShardedByS3Key"}},
            "ContentType": "text/csv",
            "InputMode": "Pipe",
            "ShuffleConfig": {"Seed": 7},
        },
        {
            "ChannelName": "files",
            "DataSource": {
                "FileSystemDataSource": {
                    "FileSystemId": "fs-0123456789abcdef0",
                    "FileSystemType": "EFS",
                    "DirectoryPath": "/data",
                    "FileSystemAccessMode": "ro",
                }
            },
        },
    ]


def test_a_single_input_is_the_channel_training_and_sets_the_mode_of_the_job() -> None:
    assert translated({**V2, "inputs": "s3://data/train/"})["InputDataConfig"] == [
        {**CHANNEL, "ChannelName": "training"}
    ]
    job = translated({**V2, "inputs": {"s3_data": "s3://data/train/", "input_mode": "Pipe"}})
    assert job["InputDataConfig"] == [{**CHANNEL, "ChannelName": "training", "InputMode": "Pipe"}]
    assert job["AlgorithmSpecification"]["TrainingInputMode"] == "Pipe"


def test_a_model_to_start_from_is_a_channel_of_its_own() -> None:
    channels = translated({**V2, "model_uri": "s3://models/old/model.tar.gz"})["InputDataConfig"]
    assert channels[1] == {
        "ChannelName": "model",
        "ContentType": "application/x-sagemaker-model",
        "InputMode": "File",
        "DataSource": {"S3DataSource": {**SOURCE, "S3Uri": "s3://models/old/model.tar.gz"}},
    }


def test_model_trainers_take_objects_in_snake_case() -> None:
    source = {"s3_data_type": "S3Prefix", "s3_uri": "s3://data/train/", "s3_data_distribution_type": "FullyReplicated"}
    groups = [{"instance_type": "ml.m5.xlarge", "instance_count": 1, "instance_group_name": "a"}]
    job = translated(
        {
            **V3,
            "compute": {"instance_groups": groups, "enable_managed_spot_training": True},
            "input_data_config": [{"channel_name": "train", "data_source": source}],
            "tags": [{"key": "team", "value": "churn"}],
        }
    )
    assert job["InputDataConfig"] == [{**CHANNEL, "InputMode": "File"}]
    assert job["Tags"] == [{"Key": "team", "Value": "churn"}]
    assert job["ResourceConfig"]["InstanceGroups"] == [
        {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "InstanceGroupName": "a"}
    ]
    assert "InstanceCount" not in job["ResourceConfig"]


def test_tags_may_be_a_mapping_of_keys_to_values() -> None:
    assert translated({**V2, "tags": {"team": "churn"}})["Tags"] == [{"Key": "team", "Value": "churn"}]


def test_the_name_of_a_role_is_resolved_among_those_of_the_stack() -> None:
    assert translated({**V2, "role": "training"})["RoleArn"] == ROLE
    assert find_problems(spec({**V2, "role": "other"})) == snapshot(
        {"estimator.role": "Found \"other\", which is not the name of one of the stack's roles. Write the role's ARN."}
    )


def test_null_is_the_sdks_none() -> None:
    assert translated({**V2, "subnets": None, "output_kms_key": None}) == JOB


@pytest.mark.parametrize("name", ["job_name", "base_job_name"])
def test_the_run_may_take_its_name_from_the_job(name: str) -> None:
    document = spec({**V2, name: "churn-2024"})
    del document["name"]
    assert parse_submission(document, ALLOWLIST).name == "churn-2024"


def test_a_name_beside_the_base_of_one_wins_as_in_the_sdk() -> None:
    assert parse_submission(spec({**V2, "base_job_name": "base"}), ALLOWLIST).name == "churn"
    document = spec({**V2, "base_job_name": "base", "job_name": "job"})
    del document["name"]
    assert parse_submission(document, ALLOWLIST).name == "job"


def test_a_training_job_beside_the_options_adds_what_they_lack() -> None:
    job = translated(
        V2, training_job={"RetryStrategy": {"MaximumRetryAttempts": 3}, "ResourceConfig": {"VolumeSizeInGB": 5}}
    )
    assert job["RetryStrategy"] == {"MaximumRetryAttempts": 3}
    assert job["ResourceConfig"] == {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5}


@pytest.mark.parametrize(
    ("document", "problems"),
    [
        (
            spec({**V1, "max_wait": 7200}),
            snapshot(
                {
                    "estimator.max_wait": "This is an option of version 2 of the SDK, but image_name is of version 1. Use train_max_wait."
                }
            ),
        ),
        (
            spec({**V2, "train_max_run": 3600}),
            snapshot(
                {
                    "estimator.train_max_run": "This is an option of version 1 of the SDK, but image_uri is of version 2. Use max_run."
                }
            ),
        ),
        (
            spec({**V2, "compute": {"instance_type": "ml.m5.xlarge"}}),
            snapshot(
                {
                    "estimator.compute.instance_type": "This is an option of version 3 of the SDK, but image_uri is of version 2. Use instance_type."
                }
            ),
        ),
        (
            spec({**V2, "max_retry": 1}),
            snapshot(
                {"estimator.max_retry": "Unknown option. The spec reference lists the options that a spec may have."}
            ),
        ),
        (
            spec({**V2, "wibble": 1}),
            snapshot(
                {"estimator.wibble": "Unknown option. The spec reference lists the options that a spec may have."}
            ),
        ),
        (
            spec({**V2, "RoleArn": ROLE}, without=("role",)),
            snapshot(
                {
                    "estimator.RoleArn": "This is a key of CreateTrainingJob, not an option of the SDK. Move it to training_job.RoleArn."
                }
            ),
        ),
        (
            spec({**V2, "instance_tpye": "ml.m5.xlarge"}, without=("instance_type",)),
            snapshot({"estimator.instance_tpye": 'Unknown option. Did you mean "instance_type"?'}),
        ),
        (
            spec({**V3, "max_runtime_in_seconds": 60}),
            snapshot(
                {
                    "estimator.max_runtime_in_seconds": 'Unknown option. Did you mean "stopping_condition.max_runtime_in_seconds"?'
                }
            ),
        ),
        (
            spec({**V2, "source_dir": "src"}),
            snapshot(
                {
                    "estimator.source_dir": "The SDK packs and uploads code before it creates the job, which a spec cannot do. Upload sourcedir.tar.gz, and set the hyperparameters sagemaker_submit_directory and sagemaker_program, or submit with the SDK itself."
                }
            ),
        ),
        (
            spec({**V2, "rules": []}),
            snapshot(
                {
                    "estimator.rules": "The SDK takes a Python object here. Write training_job.DebugRuleConfigurations and training_job.ProfilerRuleConfigurations as CreateTrainingJob has it instead."
                }
            ),
        ),
        (
            spec({**V2, "channels": {}}, without=("inputs",)),
            snapshot({"estimator.channels": 'Unknown option. Did you mean "inputs"?'}),
        ),
        (
            spec(V2, training_job={"StoppingCondition": {"MaxRuntimeInSeconds": 60}}),
            snapshot(
                {
                    "estimator.max_run": "This option and training_job.StoppingCondition.MaxRuntimeInSeconds mean the same. Remove one of the two."
                }
            ),
        ),
        (
            spec({**V2, "algorithm_arn": "my-algorithm"}),
            snapshot({"estimator.algorithm_arn": "image_uri sets the image, too. Remove one of the two."}),
        ),
        (
            spec({**V2, "job_name": "other"}),
            snapshot(
                {
                    "estimator.job_name": 'Found "other", which differs from the name of the run. Remove the key, or make it equal.'
                }
            ),
        ),
        (
            spec({**V2, "inputs": {"train": "file://data"}}),
            snapshot(
                {
                    "estimator.inputs.train": 'Found "file://data". Upload the data, and write its S3 URI: s3://bucket/prefix.'
                }
            ),
        ),
        (
            spec({**V2, "inputs": {"train": {"s3_data": "s3://data/train/", "mode": "Pipe"}}}),
            snapshot(
                {
                    "estimator.inputs.train.mode": "Unknown argument. Known ones are s3_data, s3_data_type, distribution, attribute_names, instance_groups, hub_access_config, model_access_config, compression, content_type, record_wrapping, input_mode, shuffle_config."
                }
            ),
        ),
        (
            spec({**V2, "inputs": {"train": {"s3_data": "s3://data/train/", "input_mode": "pipe"}}}),
            snapshot(
                {
                    "estimator.inputs.train.input_mode": 'SageMaker does not accept "pipe" here. Use one of Pipe, File, FastFile.'
                }
            ),
        ),
        (
            spec({**V2, "inputs": ["s3://data"]}),
            snapshot(
                {
                    "estimator.inputs": "Expected channels, but found a list of length 1. Write a mapping of channel names to inputs."
                }
            ),
        ),
        (
            spec({**V3, "input_data_config": {"train": "s3://data"}}),
            snapshot(
                {"estimator.input_data_config": "Expected a list of InputData, but found a mapping. Write a list."}
            ),
        ),
        (
            spec({**V3, "compute": "ml.m5.xlarge"}),
            snapshot(
                {
                    "estimator.compute": 'Expected a mapping of options, but found "ml.m5.xlarge". Write its options.',
                    "estimator.stopping_condition.max_wait_time_in_seconds": "Only spot jobs may have this key. Set EnableManagedSpotTraining to true, or remove the key.",
                }
            ),
        ),
        (
            spec({**V2, "model_channel_name": "model"}),
            snapshot(
                {
                    "estimator.model_channel_name": "This key names the channel of model_uri, which is not there. Add that, or remove this."
                }
            ),
        ),
        (
            spec({**V2, "hyperparameters": {"secret": None}}),
            snapshot({"estimator.hyperparameters": "The hyperparameter secret has no value. Write one, or remove it."}),
        ),
        (
            spec({**V2, "max_wait": 60}),
            snapshot({"estimator.max_wait": "Found 60, but it must be at least MaxRuntimeInSeconds (3600)."}),
        ),
        (
            spec({**V2, "instance_count": "1"}),
            snapshot(
                {"estimator.instance_count": 'Expected an integer, but found "1". Write a whole number without quotes.'}
            ),
        ),
        (
            spec(V2, without=("output_path", "role", "max_wait")),
            snapshot(
                {
                    "estimator.role": "SageMaker requires this key. Add it.",
                    "estimator.output_path": "SageMaker requires this key. Add it.",
                    "estimator.max_wait": "This key is required for a spot job. Set it to MaxRuntimeInSeconds or more.",
                }
            ),
        ),
        (
            spec(V3, without=("output_data_config", "training_image")),
            snapshot(
                {
                    "estimator.output_data_config.s3_output_path": "SageMaker requires this key. Add it.",
                    "estimator.training_image": "The job has no image. Add TrainingImage or AlgorithmName.",
                }
            ),
        ),
        (
            {"name": "churn", "estimator": "image_uri"},
            snapshot(
                {"estimator": "Expected options of the SageMaker Python SDK, but found a string. Write a mapping."}
            ),
        ),
        (
            spec(V2, training_job=[]),
            snapshot(
                {"training_job": "Expected a CreateTrainingJob request, but found a list of length 0. Write a mapping."}
            ),
        ),
        ({"estimator": V2}, snapshot({"name": "This key is required: it is the name of the run. Add it."})),
    ],
)
def test_a_problem_with_an_option_names_the_option_and_what_to_do(
    document: dict[str, Any], problems: dict[str, str]
) -> None:
    before = copy.deepcopy(document)
    assert find_problems(document) == problems
    assert document == before


@given(
    st.dictionaries(st.sampled_from([name for option in OPTIONS for name in option[1:] if name] + [*GROUPS]), VALUES)
)
@CALM
def test_whatever_the_options_are_the_answer_is_a_submission_or_problems(options: dict[str, Any]) -> None:
    with suppress(InvalidSpecError):
        parse_submission({"name": "churn", "estimator": options}, ALLOWLIST)


def test_the_spec_reference_lists_every_option() -> None:
    text = REFERENCE.read_text("utf-8")
    assert render_table() in text, f"Write this table:\n{render_table()}"
    assert all(f"`{name}`" in text for name in NOT_EXPRESSIBLE)


def render_table() -> str:
    """Return the table of options as it is in the reference."""
    lines = ["| CreateTrainingJob | v1 | v2 | v3 | default |", "| --- | --- | --- | --- | --- |"]
    for option in OPTIONS:
        if option.v1 == ALGORITHM:
            continue
        v3, others = DEFAULTS[Generation.V3].get(option.place), DEFAULTS[Generation.V2].get(option.place)
        default = f"{others}; v3: {v3}" if others and v3 != others else str(others or (f"v3: {v3}" if v3 else ""))
        names = " | ".join(f"`{name}`" if name else "-" for name in option[1:])
        lines.append(f"| `{option.place}` | {names} | {default} |".replace("  |", " |"))
    return "\n".join(lines)


def test_a_policy_and_its_problems_fit_options_as_they_fit_a_request() -> None:
    document = spec({**V2, "checkpoint_s3_uri": None}, policy={"deadline": "P3D", "expected_runtime": "PT48H"})
    assert find_problems(document) == snapshot(
        {
            "estimator.checkpoint_s3_uri": "This key is required with a deadline, because without checkpoints an interruption loses all progress. Add it, or remove policy.deadline.",
            "estimator.max_run": "Found 3600 seconds, but the run takes 173400 seconds (policy.expected_runtime plus changeover). Set it to at least 173400, or set policy.relaunch_on_max_runtime to true.",
        }
    )
    assert find_problems(wrapped({"deadline": "P3D", "expected_runtime": "PT48H"}, CheckpointConfig=None)).keys() == {
        "training_job.CheckpointConfig",
        "training_job.StoppingCondition.MaxRuntimeInSeconds",
    }
