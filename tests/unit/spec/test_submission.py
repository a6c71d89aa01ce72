"""The two shapes of a spec, unknown keys, and fingerprints."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from inline_snapshot import snapshot

from spot_relay.domain.run.policy import Budgets, Policy
from spot_relay.spec import Format, InvalidSpecError, parse_submission, read_submission
from tests.unit.spec.documents import ALLOWLIST, find_problems, request, wrapped


def test_a_bare_request_is_a_submission_with_the_default_policy() -> None:
    submission = parse_submission(request(), ALLOWLIST)
    assert submission.name == "churn-2024"
    assert submission.policy == Policy()
    assert submission.training_job == request(TrainingJobName=None)


def test_a_wrapped_request_brings_its_own_policy() -> None:
    submission = parse_submission(wrapped({"budgets": {"expired_waits": 3}, "restart_from_scratch": True}), ALLOWLIST)
    assert submission.name == "churn-2024"
    assert submission.policy == Policy(budgets=Budgets(expired_waits=3), restart_from_scratch=True)
    assert "TrainingJobName" not in submission.training_job


@pytest.mark.parametrize(
    "same",
    [
        wrapped(),
        wrapped({}),
        wrapped({"budgets": {"expired_waits": 10}, "backoff": {}}),
        wrapped(TrainingJobName="churn-2024"),
        wrapped(CheckpointConfig={"S3Uri": "s3://checkpoints-team/churn-2024"}),
        dict(reversed(request().items())),
    ],
)
def test_documents_with_the_same_meaning_have_the_same_fingerprint(same: dict[str, Any]) -> None:
    expected = parse_submission(request(), ALLOWLIST).fingerprint
    assert parse_submission(same, ALLOWLIST).fingerprint == expected
    assert read_submission(json.dumps(same).encode(), Format.JSON, ALLOWLIST).fingerprint == expected
    assert read_submission(yaml.safe_dump(same).encode(), Format.YAML, ALLOWLIST).fingerprint == expected


RUNG = {"instance_type": "ml.p3.2xlarge"}
ON_DEMAND_RUNG = {**RUNG, "market": "on-demand"}
DEADLINE = {"deadline": "P3D", "expected_runtime": "PT30M"}


@pytest.mark.parametrize(
    ("policy", "same"),
    [
        ({"ladder": [RUNG]}, {"ladder": [{**RUNG, "market": "spot", "attempts": 1, "instance_count": 1}]}),
        ({"ladder": [RUNG, ON_DEMAND_RUNG]}, {"ladder": [{**RUNG, "volume_size_gb": 10}, ON_DEMAND_RUNG]}),
        ({}, {"ladder": [{"instance_type": "ml.m5.xlarge"}]}),
        (DEADLINE, {"deadline": 259_200, "expected_runtime": 1800}),
        (DEADLINE, {**DEADLINE, "deadline": "PT72H", "changeover": "PT10M", "return_to_spot": "canary"}),
        ({**DEADLINE, "deadline": "2026-12-01T06:00:00Z"}, {**DEADLINE, "deadline": "2026-12-01T07:00:00+01:00"}),
        ({"budgets": {"money_usd": 120}}, {"budgets": {"money_usd": 120.0}}),
    ],
)
def test_policies_with_the_same_meaning_have_the_same_fingerprint(policy: dict[str, Any], same: dict[str, Any]) -> None:
    expected = parse_submission(wrapped(policy), ALLOWLIST).fingerprint
    assert parse_submission(wrapped(same), ALLOWLIST).fingerprint == expected
    assert read_submission(json.dumps(wrapped(same)).encode(), Format.JSON, ALLOWLIST).fingerprint == expected
    assert read_submission(yaml.safe_dump(wrapped(same)).encode(), Format.YAML, ALLOWLIST).fingerprint == expected


def test_policies_with_different_meanings_have_different_fingerprints() -> None:
    policies: list[dict[str, Any]] = [
        {},
        {"ladder": [RUNG]},
        {"ladder": [ON_DEMAND_RUNG]},
        {"ladder": [RUNG, ON_DEMAND_RUNG]},
        {"ladder": [ON_DEMAND_RUNG, RUNG]},
        {"ladder": [{**RUNG, "attempts": 2}, ON_DEMAND_RUNG]},
        {"ladder": [{**RUNG, "instance_count": 2}, ON_DEMAND_RUNG]},
        {"ladder": [{**RUNG, "volume_size_gb": 11}, ON_DEMAND_RUNG]},
        {"budgets": {"money_usd": 120}},
        DEADLINE,
        {**DEADLINE, "deadline": "P2D"},
        {**DEADLINE, "deadline": "2026-12-01T06:00:00Z"},
        {**DEADLINE, "expected_runtime": "PT31M"},
        {**DEADLINE, "changeover": "PT9M"},
        {**DEADLINE, "return_to_spot": "never"},
    ]
    fingerprints = {parse_submission(wrapped(policy), ALLOWLIST).fingerprint for policy in policies}
    assert len(fingerprints) == len(policies)


@pytest.mark.parametrize(
    ("document", "fingerprint"),
    [
        (request(), "cdc213dd6dd6f5e4ae5faa1ac8462fb9f3d4ecb6b0b826b3bc3032549329780a"),
        (
            wrapped(
                {
                    "budgets": {"expired_waits": 24, "user_errors": 1},
                    "backoff": {"base_seconds": 5},
                    "restart_from_scratch": True,
                    "relaunch_on_max_runtime": True,
                }
            ),
            "8700777021d0b62b9b387381e8c54e488fda6516f7fa1b45bf559b603d095c42",
        ),
    ],
)
def test_a_spec_from_before_ladders_and_deadlines_keeps_its_fingerprint(
    document: dict[str, Any], fingerprint: str
) -> None:
    assert parse_submission(document, ALLOWLIST).fingerprint == fingerprint


@pytest.mark.parametrize(
    "other",
    [
        request(TrainingJobName="churn-2025"),
        request(HyperParameters={"num_round": "51"}),
        request(HyperParameters=None),
        wrapped({"restart_from_scratch": True}),
        wrapped({"budgets": {"user_errors": 1}}),
    ],
)
def test_documents_with_different_meanings_have_different_fingerprints(other: dict[str, Any]) -> None:
    assert parse_submission(other, ALLOWLIST).fingerprint != parse_submission(request(), ALLOWLIST).fingerprint


def test_parsing_does_not_modify_the_document() -> None:
    document = request(CheckpointConfig={"S3Uri": "s3://checkpoints-team/churn-2024"})
    submission = parse_submission(document, ALLOWLIST)
    submission.training_job["HyperParameters"]["num_round"] = "1"
    assert document == request(CheckpointConfig={"S3Uri": "s3://checkpoints-team/churn-2024"})


@pytest.mark.parametrize("document", [{}, {"foo": 1}, {"x" * 10_000: {}}])
def test_a_document_of_neither_shape_is_refused_with_a_description_of_both(document: dict[str, Any]) -> None:
    assert find_problems(document) == snapshot(
        {
            "": "The document has no known key. A spec is a CreateTrainingJob request, or a mapping with the keys name, training_job or estimator, policy, start_at, after, continue_from, on_success, on_end and notify."
        }
    )


@pytest.mark.parametrize("typo", ["trainng_job", "TrainingJob", "training-job", "trainingJobs"])
def test_a_misspelt_training_job_is_a_single_problem_that_suggests_the_right_name(typo: str) -> None:
    document = {typo: request(), "name": "churn-2024"}
    assert find_problems(document) == {typo: 'Unknown key. Did you mean "training_job"?'}


def test_a_misspelt_training_job_is_recognised_even_without_a_name() -> None:
    found = find_problems({"trainng_job": {}})
    assert "training_job" in found["trainng_job"]
    assert set(found) == {"trainng_job", "name"}


@pytest.mark.parametrize("job", ['{"Environment": {"PASSWORD": "hunter2"}}', ["hunter2"], 5, None])
def test_a_training_job_that_is_not_a_mapping_is_refused_without_quoting_it(job: Any) -> None:
    found = find_problems({"name": "churn-2024", "training_job": job})
    assert "Expected a CreateTrainingJob request" in found["training_job"]
    assert "hunter2" not in found["training_job"]


def test_for_a_misspelt_policy_the_right_name_is_suggested() -> None:
    assert find_problems({**wrapped(), "polcy": {}}) == snapshot({"polcy": 'Unknown key. Did you mean "policy"?'})


def test_a_policy_in_a_bare_request_is_refused_with_the_shape_it_needs() -> None:
    assert find_problems({**request(), "policy": {}}) == snapshot(
        {
            "policy": "A CreateTrainingJob request has no policy. To add one, move the request to training_job, and put name and policy next to it."
        }
    )


def test_for_a_name_in_a_bare_request_training_job_name_is_suggested() -> None:
    assert find_problems({**request(TrainingJobName=None), "name": "churn-2024"}) == snapshot(
        {"name": 'Unknown key in a CreateTrainingJob request. Did you mean "TrainingJobName"?'}
    )


def test_a_request_key_beside_training_job_is_refused_with_its_right_place() -> None:
    assert find_problems({**wrapped(), "Tags": []}) == snapshot(
        {"Tags": "Unknown key here. Move it to training_job.Tags."}
    )


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("train_use_spot_instances", "EnableManagedSpotTraining"),
        ("use_spot_instances", "EnableManagedSpotTraining"),
        ("train_max_wait", "StoppingCondition.MaxWaitTimeInSeconds"),
        ("max_run", "StoppingCondition.MaxRuntimeInSeconds"),
        ("max_wait_time_in_seconds", "StoppingCondition.MaxWaitTimeInSeconds"),
        ("checkpoint_s3_uri", "CheckpointConfig.S3Uri"),
        ("image_uri", "AlgorithmSpecification.TrainingImage"),
        ("training_image", "AlgorithmSpecification.TrainingImage"),
        ("MaxRuntimeInSeconds", "StoppingCondition.MaxRuntimeInSeconds"),
        ("role", "RoleArn"),
        ("base_job_name", "TrainingJobName"),
        ("hyperparameters", "HyperParameters"),
        ("Enviroment", "Environment"),
    ],
)
def test_for_an_option_of_the_sdk_or_a_misspelling_the_right_place_is_suggested(key: str, place: str) -> None:
    assert place in find_problems({**request(), key: "x"})[key]
    document = wrapped()
    document["training_job"][key] = "x"
    assert place in find_problems(document)[f"training_job.{key}"]


def test_an_unknown_key_intended_for_a_missing_one_is_a_single_problem() -> None:
    assert set(find_problems({**request(RoleArn=None), "role": "x"})) == {"role"}
    stopping = {"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSecond": 1}
    assert set(find_problems(request(StoppingCondition=stopping))) == {"StoppingCondition.MaxWaitTimeInSecond"}


def test_for_an_unknown_nested_key_the_most_similar_one_is_suggested() -> None:
    resources = {"InstanceTyp": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1}
    assert find_problems(request(ResourceConfig=resources)) == snapshot(
        {"ResourceConfig.InstanceTyp": 'Unknown key. Did you mean "InstanceType"?'}
    )


def test_the_path_of_an_unknown_key_in_a_list_entry_contains_the_index() -> None:
    tags = [{"Key": "a", "Value": "b"}, {"key": "a", "Value": "b"}]
    assert find_problems(request(Tags=tags)) == snapshot({"Tags[1].key": 'Unknown key. Did you mean "Key"?'})


def test_for_a_key_unlike_any_other_nothing_is_suggested() -> None:
    assert find_problems({**request(), "zzzzqqq": 1}) == snapshot(
        {"zzzzqqq": "Unknown key. CreateTrainingJob has no such key. Remove it."}
    )
    assert find_problems(request(Tags=[{"Key": "a", "Value": "b", "qq": 1}])) == snapshot(
        {"Tags[0].qq": "Unknown key. Known keys are Key, Value."}
    )


def test_all_problems_are_reported_at_once() -> None:
    document = wrapped(
        {"budgets": {"expired_waits": -1}, "extra": 1},
        name="bad_name",
        RoleArn="arn:aws:iam::111122223333:role/other",
        StoppingCondition={"MaxRuntimeInSeconds": 9, "MaxWaitTimeInSeconds": 8},
        HyperParameters={"a": 1},
        CheckpointConfig={"S3Uri": "s3://other/x"},
    )
    assert set(find_problems(document)) == {
        "name",
        "policy.budgets.expired_waits",
        "policy.extra",
        "training_job.RoleArn",
        "training_job.StoppingCondition.MaxWaitTimeInSeconds",
        "training_job.HyperParameters.a",
        "training_job.CheckpointConfig.S3Uri",
    }


def test_a_report_ends_after_a_hundred_problems_and_says_so() -> None:
    document = request(Environment={f"K{n}": n for n in range(20_000)})
    with pytest.raises(InvalidSpecError) as caught:
        parse_submission(document, ALLOWLIST)
    assert len(caught.value.problems) == 101
    assert "more than 100 problems" in caught.value.problems[-1].message


def test_an_error_has_its_problems_in_the_form_of_the_report() -> None:
    with pytest.raises(InvalidSpecError) as caught:
        parse_submission(wrapped({"extra": 1}), ALLOWLIST)
    assert caught.value.details == snapshot(
        [
            {
                "path": "policy.extra",
                "message": "Unknown key. Known keys are deadline, expected_runtime, changeover, return_to_spot, budgets, backoff, restart_from_scratch, relaunch_on_max_runtime, ladder, checkpoints.",
            }
        ]
    )
    assert str(caught.value) == snapshot(
        "policy.extra: Unknown key. Known keys are deadline, expected_runtime, changeover, return_to_spot, budgets, backoff, restart_from_scratch, relaunch_on_max_runtime, ladder, checkpoints."
    )


@pytest.mark.parametrize("value", [None, 5, "x", []])
def test_a_training_job_that_is_not_a_mapping_is_refused(value: Any) -> None:
    assert set(find_problems({"name": "a", "training_job": value})) == {"training_job"}


def test_a_wrapped_spec_needs_name_and_training_job() -> None:
    assert find_problems({"policy": {}}) == snapshot(
        {
            "name": "This key is required: it is the name of the run. Add it.",
            "training_job": "This key is required: it is the CreateTrainingJob request. Add it.",
        }
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (5, snapshot("Expected the name of the run as a string, but found 5. Put it in quotes.")),
        (None, snapshot("Expected the name of the run as a string, but found null (no value). Write one.")),
        (["a"], snapshot("Expected the name of the run as a string, but found a list of length 1. Write one.")),
        (
            "模" * 64,
            snapshot("The name has 64 characters, but at most 63 are allowed, as for a training job. Shorten it."),
        ),
    ],
)
def test_a_name_that_is_none_is_refused_with_advice_that_helps(name: Any, message: str) -> None:
    assert find_problems({**wrapped(), "name": name}) == {"name": message}


def test_a_bare_request_needs_its_name() -> None:
    assert find_problems(request(TrainingJobName=None)) == snapshot(
        {"TrainingJobName": "This key is required: it is the name of the run. Add it."}
    )


def test_the_two_names_of_a_wrapped_spec_must_agree() -> None:
    assert find_problems(wrapped(TrainingJobName="other")) == snapshot(
        {
            "training_job.TrainingJobName": 'Found "other", which differs from the name of the run. Remove the key, or make it equal to name.'
        }
    )
