"""The two shapes of a spec, unknown keys, and fingerprints."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from spot_relay.domain.run.policy import Budgets, Policy
from spot_relay.spec import Format, InvalidSpecError, parse, read_submission
from tests.unit.spec.documents import RULES, problems_of, request, wrapped


def test_a_bare_request_is_a_submission_with_the_default_policy() -> None:
    submission = parse(request(), RULES)
    assert submission.name == "churn-2024"
    assert submission.policy == Policy()
    assert submission.training_job == request(TrainingJobName=None)


def test_a_wrapped_request_carries_its_policy() -> None:
    submission = parse(wrapped({"budgets": {"expired_waits": 3}, "restart_from_scratch": True}), RULES)
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
def test_documents_that_mean_the_same_have_one_fingerprint(same: dict[str, Any]) -> None:
    expected = parse(request(), RULES).fingerprint
    assert parse(same, RULES).fingerprint == expected
    assert read_submission(json.dumps(same).encode(), Format.JSON, RULES).fingerprint == expected
    assert read_submission(yaml.safe_dump(same).encode(), Format.YAML, RULES).fingerprint == expected


RUNG = {"instance_type": "ml.p3.2xlarge"}
ON_DEMAND_RUNG = {**RUNG, "market": "on-demand"}
HURRY = {"deadline": "P3D", "expected_runtime": "PT30M"}


@pytest.mark.parametrize(
    ("policy", "same"),
    [
        ({"ladder": [RUNG]}, {"ladder": [{**RUNG, "market": "spot", "attempts": 1, "instance_count": 1}]}),
        ({"ladder": [RUNG, ON_DEMAND_RUNG]}, {"ladder": [{**RUNG, "volume_size_gb": 10}, ON_DEMAND_RUNG]}),
        ({}, {"ladder": [{"instance_type": "ml.m5.xlarge"}]}),
        (HURRY, {"deadline": 259_200, "expected_runtime": 1800}),
        (HURRY, {**HURRY, "deadline": "PT72H", "changeover": "PT10M", "return_to_spot": "canary"}),
        ({**HURRY, "deadline": "2026-12-01T06:00:00Z"}, {**HURRY, "deadline": "2026-12-01T07:00:00+01:00"}),
        ({"budgets": {"money_usd": 120}}, {"budgets": {"money_usd": 120.0}}),
    ],
)
def test_policies_that_mean_the_same_have_one_fingerprint(policy: dict[str, Any], same: dict[str, Any]) -> None:
    expected = parse(wrapped(policy), RULES).fingerprint
    assert parse(wrapped(same), RULES).fingerprint == expected
    assert read_submission(json.dumps(wrapped(same)).encode(), Format.JSON, RULES).fingerprint == expected
    assert read_submission(yaml.safe_dump(wrapped(same)).encode(), Format.YAML, RULES).fingerprint == expected


def test_policies_that_mean_something_else_have_fingerprints_of_their_own() -> None:
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
        HURRY,
        {**HURRY, "deadline": "P2D"},
        {**HURRY, "deadline": "2026-12-01T06:00:00Z"},
        {**HURRY, "expected_runtime": "PT31M"},
        {**HURRY, "changeover": "PT9M"},
        {**HURRY, "return_to_spot": "never"},
    ]
    fingerprints = {parse(wrapped(policy), RULES).fingerprint for policy in policies}
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
    assert parse(document, RULES).fingerprint == fingerprint


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
def test_documents_that_mean_something_else_have_another_fingerprint(other: dict[str, Any]) -> None:
    assert parse(other, RULES).fingerprint != parse(request(), RULES).fingerprint


def test_the_document_given_is_not_changed() -> None:
    document = request(CheckpointConfig={"S3Uri": "s3://checkpoints-team/churn-2024"})
    submission = parse(document, RULES)
    submission.training_job["HyperParameters"]["num_round"] = "1"
    assert document == request(CheckpointConfig={"S3Uri": "s3://checkpoints-team/churn-2024"})


@pytest.mark.parametrize("document", [{}, {"foo": 1}, {"x" * 10_000: {}}])
def test_a_document_that_is_neither_shape_is_told_of_both(document: dict[str, Any]) -> None:
    assert "CreateTrainingJob request, or a mapping with name" in problems_of(document)[""]


@pytest.mark.parametrize("typo", ["trainng_job", "TrainingJob", "training-job", "trainingJobs"])
def test_a_misspelt_training_job_is_one_problem_with_the_right_name(typo: str) -> None:
    document = {typo: request(), "name": "churn-2024"}
    assert problems_of(document) == {typo: 'The key is unknown: did you mean "training_job"?'}


def test_a_misspelt_training_job_is_known_without_a_name_too() -> None:
    found = problems_of({"trainng_job": {}})
    assert "training_job" in found["trainng_job"]
    assert set(found) == {"trainng_job", "name"}


@pytest.mark.parametrize("job", ['{"Environment": {"PASSWORD": "hunter2"}}', ["hunter2"], 5, None])
def test_a_training_job_that_is_no_mapping_is_refused_without_being_quoted(job: Any) -> None:
    found = problems_of({"name": "churn-2024", "training_job": job})
    assert "where a CreateTrainingJob request is needed" in found["training_job"]
    assert "hunter2" not in found["training_job"]


def test_a_misspelt_policy_is_told_its_name() -> None:
    assert problems_of({**wrapped(), "polcy": {}}) == {"polcy": 'The key is unknown: did you mean "policy"?'}


def test_a_policy_beside_the_keys_of_a_bare_request_is_told_where_to_go() -> None:
    assert "put the request under training_job" in problems_of({**request(), "policy": {}})["policy"]


def test_a_name_in_a_bare_request_is_told_its_name_there() -> None:
    found = problems_of({**request(TrainingJobName=None), "name": "churn-2024"})
    assert found == {"name": 'The key is unknown in a CreateTrainingJob request: did you mean "TrainingJobName"?'}


def test_a_key_of_the_request_beside_training_job_is_told_where_to_go() -> None:
    assert "training_job.Tags" in problems_of({**wrapped(), "Tags": []})["Tags"]


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
def test_an_sdk_name_or_a_misspelling_is_told_its_place(key: str, place: str) -> None:
    assert place in problems_of({**request(), key: "x"})[key]
    document = wrapped()
    document["training_job"][key] = "x"
    assert place in problems_of(document)[f"training_job.{key}"]


def test_an_unknown_key_that_names_a_missing_one_is_one_problem() -> None:
    assert set(problems_of({**request(RoleArn=None), "role": "x"})) == {"role"}
    stopping = {"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSecond": 1}
    assert set(problems_of(request(StoppingCondition=stopping))) == {"StoppingCondition.MaxWaitTimeInSecond"}


def test_an_unknown_nested_key_is_told_the_nearest_known_one() -> None:
    resources = {"InstanceTyp": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1}
    assert problems_of(request(ResourceConfig=resources)) == {
        "ResourceConfig.InstanceTyp": 'The key is unknown: did you mean "InstanceType"?'
    }


def test_an_unknown_key_of_a_list_entry_has_the_index_in_its_path() -> None:
    tags = [{"Key": "a", "Value": "b"}, {"key": "a", "Value": "b"}]
    assert problems_of(request(Tags=tags)) == {"Tags[1].key": 'The key is unknown: did you mean "Key"?'}


def test_a_key_like_no_other_is_refused_without_a_guess() -> None:
    assert "no such key" in problems_of({**request(), "zzzzqqq": 1})["zzzzqqq"]
    assert "known are Key, Value" in problems_of(request(Tags=[{"Key": "a", "Value": "b", "qq": 1}]))["Tags[0].qq"]


def test_every_problem_is_found_at_once() -> None:
    document = wrapped(
        {"budgets": {"expired_waits": -1}, "extra": 1},
        name="bad_name",
        RoleArn="arn:aws:iam::111122223333:role/other",
        StoppingCondition={"MaxRuntimeInSeconds": 9, "MaxWaitTimeInSeconds": 8},
        HyperParameters={"a": 1},
        CheckpointConfig={"S3Uri": "s3://other/x"},
    )
    assert set(problems_of(document)) == {
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
        parse(document, RULES)
    assert len(caught.value.problems) == 101
    assert "more than 100 problems" in caught.value.problems[-1].message


def test_an_error_gives_its_problems_as_the_report_shows_them() -> None:
    with pytest.raises(InvalidSpecError) as caught:
        parse(wrapped({"extra": 1}), RULES)
    [detail] = caught.value.details
    assert detail["path"] == "policy.extra"
    assert detail["message"].startswith("The key is unknown")
    assert str(caught.value).startswith("policy.extra: ")


@pytest.mark.parametrize("value", [None, 5, "x", []])
def test_a_training_job_that_is_no_mapping_is_refused(value: Any) -> None:
    assert set(problems_of({"name": "a", "training_job": value})) == {"training_job"}


def test_a_wrapped_spec_needs_name_and_training_job() -> None:
    assert set(problems_of({"policy": {}})) == {"name", "training_job"}


def test_a_bare_request_needs_its_name() -> None:
    assert set(problems_of(request(TrainingJobName=None))) == {"TrainingJobName"}


def test_the_two_names_of_a_wrapped_spec_must_agree() -> None:
    assert set(problems_of(wrapped(TrainingJobName="other"))) == {"training_job.TrainingJobName"}
