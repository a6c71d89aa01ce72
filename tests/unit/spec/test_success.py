"""The key of a spec that says what to do with the model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spot_relay.domain.run.hosting import Deployment, OnSuccess, Registration, Serverless
from spot_relay.spec import parse_submission
from tests.unit.spec.documents import ALLOWLIST, IMAGE, ROLE, find_problems, wrapped

ALLOWED = replace(ALLOWLIST, allow_hosting=True)
OTHER_ROLE = "arn:aws:iam::111122223333:role/team/a"
SERVING = "444455556666.dkr.ecr.us-east-1.amazonaws.com/serving:2"


def given(on_success: Any, **changes: Any) -> dict[str, Any]:
    return {**wrapped(**changes), "on_success": on_success}


def problems_of(on_success: Any, **changes: Any) -> dict[str, str]:
    return find_problems(given(on_success, **changes), ALLOWED)


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ({"register_model": {"group": "churn"}}, OnSuccess(Registration("churn", IMAGE))),
        (
            {"deploy": {"endpoint": "live", "instance_type": "ml.m5.large"}},
            OnSuccess(deploy=Deployment("live", IMAGE, ROLE, instance_type="ml.m5.large")),
        ),
        (
            {
                "register_model": {
                    "group": "churn",
                    "image": SERVING,
                    "environment": {"MODE": "fast"},
                    "content_types": ["text/csv"],
                    "response_types": ["application/json"],
                    "approval_status": "Approved",
                    "description": "who leaves",
                },
                "deploy": {
                    "endpoint": "live",
                    "image": SERVING,
                    "role_arn": OTHER_ROLE,
                    "environment": {"MODE": "fast"},
                    "serverless": {"memory_size_in_mb": 2048, "max_concurrency": 5},
                },
            },
            OnSuccess(
                Registration(
                    "churn", SERVING, {"MODE": "fast"}, ("text/csv",), ("application/json",), "Approved", "who leaves"
                ),
                Deployment("live", SERVING, OTHER_ROLE, {"MODE": "fast"}, serverless=Serverless(2048, 5)),
            ),
        ),
        (
            {"deploy": {"endpoint": "live", "instance_type": "ml.g5.xlarge", "instance_count": 3}},
            OnSuccess(deploy=Deployment("live", IMAGE, ROLE, instance_type="ml.g5.xlarge", instance_count=3)),
        ),
    ],
)
def test_what_is_left_out_comes_from_the_training_job(written: Any, wanted: OnSuccess) -> None:
    assert parse_submission(given(written), ALLOWED).on_success == wanted


DEPLOY = {"endpoint": "live", "instance_type": "ml.m5.large"}


@pytest.mark.parametrize(
    ("written", "path", "said"),
    [
        ({}, "on_success", "The mapping is empty"),
        (None, "on_success", "Expected a mapping"),
        ({"deploy": None}, "on_success.deploy", "Write a value, or remove the key."),
        ({"register": {"group": "churn"}}, "on_success.register", 'Did you mean "register_model"?'),
        ({"register_model": {}}, "on_success.register_model.group", "This key is required"),
        ({"register_model": {"group": "a b"}}, "on_success.register_model.group", "Use letters, digits and hyphens"),
        ({"register_model": {"group": "a" * 64}}, "on_success.register_model.group", "at most 63"),
        (
            {"register_model": {"group": "a", "approval_status": "Yes"}},
            "on_success.register_model.approval_status",
            "Use 'PendingManualApproval', 'Approved' or 'Rejected'.",
        ),
        ({"register_model": {"group": "a", "content_types": []}}, "on_success.register_model.content_types", "empty"),
        ({"deploy": {"instance_type": "ml.m5.large"}}, "on_success.deploy.endpoint", "This key is required"),
        ({"deploy": {"endpoint": "live"}}, "on_success.deploy.instance_type", "or use serverless"),
        ({"deploy": DEPLOY | {"endpoint": "-"}}, "on_success.deploy.endpoint", "Use letters, digits and hyphens"),
        ({"deploy": DEPLOY | {"instance_type": "m5"}}, "on_success.deploy.instance_type", "such as ml.m5.large"),
        ({"deploy": DEPLOY | {"instance_count": 0}}, "on_success.deploy.instance_count", "at least 1"),
        ({"deploy": DEPLOY | {"instance_count": 101}}, "on_success.deploy.instance_count", "at most 100"),
        ({"deploy": DEPLOY | {"instance-type": "x"}}, "on_success.deploy.instance-type", 'mean "instance_type"?'),
        (
            {"deploy": DEPLOY | {"serverless": {"memory_size_in_mb": 2048, "max_concurrency": 5}}},
            "on_success.deploy.instance_type",
            "A serverless endpoint has no instances",
        ),
        (
            {"deploy": {"endpoint": "live", "serverless": {"memory_size_in_mb": 2000, "max_concurrency": 5}}},
            "on_success.deploy.serverless.memory_size_in_mb",
            "multiple of 1024",
        ),
        (
            {"deploy": DEPLOY | {"image": "evil.example/churn:1"}},
            "on_success.deploy.image",
            "which this stack does not allow",
        ),
        ({"deploy": DEPLOY | {"image": "a b"}}, "on_success.deploy.image", "not a valid image name"),
        (
            {"register_model": {"group": "a", "image": "evil.example/churn:1"}},
            "on_success.register_model.image",
            "which this stack does not allow",
        ),
        (
            {"deploy": DEPLOY | {"role_arn": "arn:aws:iam::111122223333:role/admin"}},
            "on_success.deploy.role_arn",
            "which this stack may not pass to SageMaker",
        ),
        ({"deploy": DEPLOY | {"environment": {"1": "a"}}}, "on_success.deploy.environment.1", "begin with no digit"),
        ({"deploy": DEPLOY | {"environment": {"A": 1}}}, "on_success.deploy.environment.A", "Expected a string"),
    ],
)
def test_each_problem_is_reported_where_it_is(written: Any, path: str, said: str) -> None:
    problems = problems_of(written)
    assert said in problems[path], problems


def test_a_value_that_is_too_long_is_not_shown() -> None:
    problems = problems_of({"deploy": DEPLOY | {"environment": {"KEY": "hush" * 300}}})
    assert problems == {
        "on_success.deploy.environment.KEY": "The value has 1200 characters, but at most 1024 are allowed."
    }


def test_what_is_wanted_has_to_fit_the_table_together_with_the_training_job() -> None:
    large = {"environment": {f"V{number}": "x" * 1000 for number in range(60)}}
    alone = problems_of({"deploy": DEPLOY | large})
    assert alone == {}
    both = problems_of({"deploy": DEPLOY | large, "register_model": {"group": "a"} | large})
    assert "on_success together with the training job takes" in both["on_success"]


def test_a_job_without_an_image_needs_one_for_inference() -> None:
    algorithm = {"AlgorithmName": "my-algorithm", "TrainingInputMode": "File"}
    problems = problems_of({"deploy": DEPLOY, "register_model": {"group": "a"}}, AlgorithmSpecification=algorithm)
    assert problems.keys() == {"on_success.deploy.image", "on_success.register_model.image"}
    assert "has no TrainingImage" in problems["on_success.deploy.image"]


def test_a_stack_that_does_not_allow_it_refuses_it_and_names_the_parameter() -> None:
    problems = find_problems(given({"deploy": DEPLOY}), ALLOWLIST)
    assert problems.keys() == {"on_success"}
    assert "AllowHosting" in problems["on_success"]


def test_what_is_wanted_belongs_to_the_fingerprint() -> None:
    without = parse_submission(wrapped(), ALLOWED).fingerprint
    first, second = (
        parse_submission(given({"deploy": DEPLOY | {"endpoint": name}}), ALLOWED).fingerprint for name in ("a", "b")
    )
    assert len({without, first, second}) == 3
