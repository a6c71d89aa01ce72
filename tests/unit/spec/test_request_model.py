"""SageMaker's own model: types, bounds, enums and patterns, and no secret in a message."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.spec.problem import InvalidSpecError, Problems
from spot_relay.spec.request_model import check_request, training_job_shape
from tests.unit.spec.documents import CALM, problems_of, request


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        ({"HyperParameters": {"max_depth": 5}}, "HyperParameters.max_depth", "put the value in quotes"),
        ({"HyperParameters": {"max_depth": True}}, "HyperParameters.max_depth", "put the value in quotes"),
        ({"HyperParameters": ["a"]}, "HyperParameters", "a mapping of names to strings"),
        ({"HyperParameters": {"a": "x" * 2501}}, "HyperParameters.a", "at most 2500"),
        ({"HyperParameters": {f"k{n}": "" for n in range(101)}}, "HyperParameters", "at most 100"),
        ({"Environment": {"1A": "x"}}, "Environment.1A", "pattern"),
        ({"EnableNetworkIsolation": "true"}, "EnableNetworkIsolation", "where a boolean is needed"),
        ({"EnableNetworkIsolation": 1}, "EnableNetworkIsolation", "where a boolean is needed"),
        ({"Tags": {"a": "b"}}, "Tags", "where a list is needed"),
        ({"VpcConfig": "vpc"}, "VpcConfig", "where a mapping is needed"),
        ({"VpcConfig": {"Subnets": ["s"]}}, "VpcConfig.SecurityGroupIds", "requires it"),
        ({"VpcConfig": {"Subnets": [], "SecurityGroupIds": ["s"]}}, "VpcConfig.Subnets", "at least 1"),
        ({"OutputDataConfig": {"S3OutputPath": "models"}}, "OutputDataConfig.S3OutputPath", "pattern"),
        ({"RetryStrategy": {"MaximumRetryAttempts": 31}}, "RetryStrategy.MaximumRetryAttempts", "at most 30"),
        ({"RetryStrategy": {"MaximumRetryAttempts": 0}}, "RetryStrategy.MaximumRetryAttempts", "at least 1"),
        ({"OutputDataConfig": None}, "OutputDataConfig", "requires it"),
        ({"ExperimentConfig": {"RunName": "a b"}}, "ExperimentConfig.RunName", "pattern"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(changes: dict[str, Any], path: str, said: str) -> None:
    found = problems_of(request(**changes))
    assert set(found) == {path}
    assert said in found[path]


@pytest.mark.parametrize("count", [True, 1.0, "1", -1, 2**31, None])
def test_an_instance_count_is_a_whole_number_of_32_bits(count: Any) -> None:
    resources = {"InstanceType": "ml.m5.xlarge", "InstanceCount": count, "VolumeSizeInGB": 1}
    assert set(problems_of(request(ResourceConfig=resources))) == {"ResourceConfig.InstanceCount"}


def test_an_instance_type_that_is_misspelt_is_told_the_nearest_one() -> None:
    resources = {"InstanceType": "ml.p3.2xlrge", "InstanceCount": 1, "VolumeSizeInGB": 1}
    assert (
        'did you mean "ml.p3.2xlarge"?' in problems_of(request(ResourceConfig=resources))["ResourceConfig.InstanceType"]
    )


def test_a_short_list_of_choices_is_given_whole() -> None:
    algorithm = {**request()["AlgorithmSpecification"], "TrainingInputMode": "file"}
    found = problems_of(request(AlgorithmSpecification=algorithm))
    assert "use one of Pipe, File, FastFile" in found["AlgorithmSpecification.TrainingInputMode"]


@pytest.mark.parametrize("member", ["HyperParameters", "Environment"])
@pytest.mark.parametrize("value", ["hunter2" * 500, 7777777, 7777777.5, ["hunter2"], {"x": ["hunter2"]}])
def test_the_values_of_secret_members_are_in_no_message(member: str, value: Any) -> None:
    for document in (request(**{member: {"A": value}}), request(**{member: value})):
        text = " ".join(problems_of(document).values())
        assert text
        assert "hunter2" not in text
        assert "777777" not in text


def test_a_long_value_is_shown_shortened() -> None:
    found = problems_of(request(OutputDataConfig={"S3OutputPath": "x" * 1000}))
    assert len(found["OutputDataConfig.S3OutputPath"]) < 250


def test_a_pattern_that_only_java_can_read_is_left_to_the_service() -> None:
    assert problems_of(request(Tags=[{"Key": "a!", "Value": ""}])) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


MEMBERS = st.sampled_from(list(training_job_shape().members))


@CALM
@given(st.dictionaries(MEMBERS, JSON, max_size=4))
def test_what_passes_here_passes_botocore(changes: dict[str, Any]) -> None:
    document = request() | changes
    problems = Problems()
    check_request(document, "", problems)
    try:
        problems.raise_if_any()
    except InvalidSpecError:
        return
    named = {**document, "TrainingJobName": "a"}
    assert not ParamValidator().validate(named, training_job_shape()).has_errors()
