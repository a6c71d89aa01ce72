"""Checks against SageMaker's own model: types, bounds, enums and patterns, without secrets in messages."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from spot_relay.request.problem import InvalidSpecError, Problems
from spot_relay.request.request_model import check_request, load_request_shape
from tests.unit.spec.documents import CALM, find_problems, request, wrapped


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"HyperParameters": {"max_depth": 5}},
            snapshot(
                {
                    "HyperParameters.max_depth": 'Expected a string, but found an integer. Put the value in quotes, such as "5" for 5.'
                }
            ),
        ),
        (
            {"HyperParameters": {"max_depth": True}},
            snapshot(
                {
                    "HyperParameters.max_depth": 'Expected a string, but found a boolean. Put the value in quotes, such as "5" for 5.'
                }
            ),
        ),
        (
            {"HyperParameters": {"max_depth": None}},
            snapshot(
                {
                    "HyperParameters.max_depth": "Expected a string, but found null (no value). Write a value, or remove the key."
                }
            ),
        ),
        (
            {"HyperParameters": {"layers": [64, 32]}},
            snapshot(
                {
                    "HyperParameters.layers": "Expected a string, but found a list of length 2. Write it as text, for example as JSON in quotes."
                }
            ),
        ),
        (
            {"OutputDataConfig": {"S3OutputPath": {"Fn::Sub": "s3://${Models}/churn"}}},
            snapshot(
                {"OutputDataConfig.S3OutputPath": "Expected a string, but found a mapping. Write the text itself."}
            ),
        ),
        (
            {"HyperParameters": ["a"]},
            snapshot(
                {
                    "HyperParameters": "Expected a mapping of names to strings, but found a list of length 1. Write one, or remove it."
                }
            ),
        ),
        (
            {"HyperParameters": {"a": "x" * 2501}},
            snapshot({"HyperParameters.a": "Found 2501 characters, but at most 2500 are allowed. Shorten it."}),
        ),
        (
            {"HyperParameters": {f"k{n}": "" for n in range(101)}},
            snapshot({"HyperParameters": "Found 101 keys, but at most 100 are allowed. Shorten it."}),
        ),
        (
            {"Environment": {"1A": "x"}},
            snapshot(
                {"Environment.1A": 'Found the key "1A", but it must match SageMaker\'s pattern [a-zA-Z_][a-zA-Z0-9_]*'}
            ),
        ),
        (
            {"EnableNetworkIsolation": "true"},
            snapshot(
                {"EnableNetworkIsolation": 'Expected a boolean, but found "true". Write true or false without quotes.'}
            ),
        ),
        (
            {"EnableNetworkIsolation": 1},
            snapshot(
                {"EnableNetworkIsolation": "Expected a boolean, but found 1. Write true or false without quotes."}
            ),
        ),
        (
            {"Tags": {"a": "b"}},
            snapshot(
                {
                    "Tags": "Expected a list, but found a mapping. Write a list of mappings, each with keys such as Key, Value."
                }
            ),
        ),
        (
            {"VpcConfig": "vpc"},
            snapshot({"VpcConfig": 'Expected a mapping, but found "vpc". Write its keys, or remove it.'}),
        ),
        (
            {"VpcConfig": {"Subnets": ["s"]}},
            snapshot({"VpcConfig.SecurityGroupIds": "SageMaker requires this key. Add it."}),
        ),
        (
            {"VpcConfig": {"Subnets": [], "SecurityGroupIds": ["s"]}},
            snapshot({"VpcConfig.Subnets": "Found 0 entries, but at least 1 must be given."}),
        ),
        (
            {"OutputDataConfig": {"S3OutputPath": "models"}},
            snapshot(
                {
                    "OutputDataConfig.S3OutputPath": 'Found "models", but it must match SageMaker\'s pattern (https|s3)://([^/]+)/?(.*)'
                }
            ),
        ),
        (
            {"RetryStrategy": {"MaximumRetryAttempts": 31}},
            snapshot({"RetryStrategy.MaximumRetryAttempts": "Found 31, but it must be at most 30."}),
        ),
        (
            {"RetryStrategy": {"MaximumRetryAttempts": 0}},
            snapshot({"RetryStrategy.MaximumRetryAttempts": "Found 0, but it must be at least 1."}),
        ),
        ({"OutputDataConfig": None}, snapshot({"OutputDataConfig": "SageMaker requires this key. Add it."})),
        (
            {"ExperimentConfig": {"RunName": "a b"}},
            snapshot(
                {
                    "ExperimentConfig.RunName": 'Found "a b", but it must match SageMaker\'s pattern [a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}'
                }
            ),
        ),
    ],
)
def test_a_request_that_does_not_fit_the_model_is_refused(changes: dict[str, Any], expected: dict[str, str]) -> None:
    assert find_problems(request(**changes)) == expected


@pytest.mark.parametrize("count", [True, 1.0, "1", -1, 2**31, None])
def test_an_instance_count_must_be_a_positive_32_bit_integer(count: Any) -> None:
    resources = {"InstanceType": "ml.m5.xlarge", "InstanceCount": count, "VolumeSizeInGB": 1}
    assert set(find_problems(request(ResourceConfig=resources))) == {"ResourceConfig.InstanceCount"}


def test_a_misspelt_instance_type_is_answered_with_the_most_similar_one() -> None:
    resources = {"InstanceType": "ml.p3.2xlrge", "InstanceCount": 1, "VolumeSizeInGB": 1}
    assert find_problems(request(ResourceConfig=resources)) == snapshot(
        {"ResourceConfig.InstanceType": 'SageMaker does not accept "ml.p3.2xlrge" here. Did you mean "ml.p3.2xlarge"?'}
    )


def test_a_short_list_of_choices_is_shown_completely() -> None:
    algorithm = {**request()["AlgorithmSpecification"], "TrainingInputMode": "file"}
    assert find_problems(request(AlgorithmSpecification=algorithm)) == snapshot(
        {
            "AlgorithmSpecification.TrainingInputMode": 'SageMaker does not accept "file" here. Use one of Pipe, File, FastFile.'
        }
    )


@pytest.mark.parametrize("member", ["HyperParameters", "Environment"])
@pytest.mark.parametrize("value", ["hunter2" * 500, 7777777, 7777777.5, ["hunter2"], {"x": ["hunter2"]}])
def test_no_message_contains_the_value_of_a_secret_member(member: str, value: Any) -> None:
    for document in (request(**{member: {"A": value}}), request(**{member: value})):
        text = " ".join(find_problems(document).values())
        assert text
        assert "hunter2" not in text
        assert "777777" not in text


def test_a_long_value_is_shortened_in_a_message() -> None:
    found = find_problems(request(OutputDataConfig={"S3OutputPath": "x" * 1000}))
    assert len(found["OutputDataConfig.S3OutputPath"]) < 250


@pytest.mark.parametrize(
    ("value", "contained"),
    [
        ("R&D", "&"),
        ("Doe, Jane", ","),
        ("vision (prod)", "( )"),
        ("team#1", "#"),
        ("a\tb", "U+0009"),
        ("cafe\N{COMBINING ACUTE ACCENT}", "U+0301"),
        ("on\nfire", None),
    ],
)
@pytest.mark.parametrize("part", ["Key", "Value"])
def test_a_tag_that_sagemaker_would_refuse_is_refused_in_words(part: str, value: str, contained: str | None) -> None:
    tag = {"Key": "team", "Value": "a", part: value}
    for document, path in ((request(Tags=[tag]), ""), (wrapped(Tags=[tag]), "training_job.")):
        found = find_problems(document)
        assert set(found) == {f"{path}Tags[0].{part}"}
        (message,) = found.values()
        if contained is None:
            assert "with a line break, but SageMaker allows none here." in message
        else:
            assert f", which contains {contained}. SageMaker allows only " in message
            assert message.endswith(" only letters, digits, spaces and _ . : / = + - @ here.")


@pytest.mark.parametrize("value", ["", "Zoë", "数据 x", "a/b:c=d+e-f@g.h_i", "½", "a\N{NO-BREAK SPACE}b", "٣"])
def test_a_tag_in_any_script_is_accepted(value: str) -> None:
    assert find_problems(request(Tags=[{"Key": "team", "Value": value}])) == {}


@pytest.mark.parametrize("character", ["\n", "\r", "\x85", "\u2028", "\u2029"])
def test_a_hyperparameter_of_several_lines_is_refused_for_its_line_breaks(character: str) -> None:
    found = find_problems(request(HyperParameters={"config": f"hunter2{character}b: 2"}))
    assert found == {
        "HyperParameters.config": "Found a string with a line break, but SageMaker allows none here. Write it on one "
        "line, for example as JSON, or encoded as base64. If it is long, put it in S3 and write its URI. In YAML, |- "
        "instead of | leaves out the last line break."
    }


def test_an_environment_variable_may_have_several_lines() -> None:
    assert find_problems(request(Environment={"CONFIG": "a: 1\nb: 2\n"})) == {}


@pytest.mark.parametrize(("count", "is_accepted"), [(1250, True), (1251, False)])
def test_a_character_beyond_the_first_plane_counts_twice_as_it_does_in_the_service(
    count: int, *, is_accepted: bool
) -> None:
    found = find_problems(request(HyperParameters={"a": "\N{THUMBS UP SIGN}" * count}))
    assert (found == {}) is is_accepted


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


MEMBERS = st.sampled_from(list(load_request_shape().members))


@CALM
@given(st.dictionaries(MEMBERS, JSON, max_size=4))
def test_every_request_that_passes_here_also_passes_botocore(changes: dict[str, Any]) -> None:
    document = request() | changes
    problems = Problems()
    check_request(document, "", problems)
    try:
        problems.raise_if_any()
    except InvalidSpecError:
        return
    named = {**document, "TrainingJobName": "a"}
    assert not ParamValidator().validate(named, load_request_shape()).has_errors()
