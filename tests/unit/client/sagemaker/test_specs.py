"""A CreateTrainingJob request becomes a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from spot_relay_client.sagemaker.policies import InvalidPolicyError, keys_of_tags, merge, read_policy
from spot_relay_client.sagemaker.specs import is_routed, spec_of
from tests.unit.client.sagemaker.documents import REQUEST

if TYPE_CHECKING:
    from pathlib import Path


def test_a_spec_has_the_request_as_it_is_and_the_name_beside_it() -> None:
    spec = spec_of(REQUEST, {}, "a-call")
    expected = {key: value for key, value in REQUEST.items() if key not in ("TrainingJobName", "Tags")}
    tags = spec["training_job"].pop("Tags")
    assert spec == {"name": "churn", "training_job": expected}
    assert tags == [{"Key": "team", "Value": "ml"}, {"Key": "SpotRelayCall", "Value": "a-call"}]


def test_tags_for_spot_relay_become_policy_and_win_over_that_of_the_session() -> None:
    tags = [
        {"Key": "spot-relay:deadline", "Value": "P2D"},
        {"Key": "spot-relay:budgets.expired_waits", "Value": "24"},
        {"Key": "spot-relay:relaunch_on_max_runtime", "Value": "true"},
        {"Key": "team", "Value": "ml"},
    ]
    session = {"deadline": "P1D", "budgets": {"expired_waits": 1, "user_errors": 2}}
    spec = spec_of(REQUEST | {"Tags": tags}, session, "a-call")
    assert spec["policy"] == {
        "deadline": "P2D",
        "budgets": {"expired_waits": 24, "user_errors": 2},
        "relaunch_on_max_runtime": True,
    }
    assert [tag["Key"] for tag in spec["training_job"]["Tags"]] == ["team", "SpotRelayCall"]


def test_tags_may_say_when_a_run_starts_and_what_becomes_of_its_model() -> None:
    tags = [
        {"Key": "spot-relay:after", "Value": "features"},
        {"Key": "spot-relay:on_success.deploy.endpoint", "Value": "churn-live"},
        {"Key": "spot-relay:on_success.deploy.serverless.max_concurrency", "Value": "5"},
        {"Key": "spot-relay:deadline", "Value": "P2D"},
    ]
    spec = spec_of(REQUEST | {"Tags": tags}, {}, "a-call")
    assert spec["after"] == "features"
    assert spec["on_success"] == {"deploy": {"endpoint": "churn-live", "serverless": {"max_concurrency": 5}}}
    assert spec["policy"] == {"deadline": "P2D"}


@pytest.mark.parametrize(
    ("text", "value"), [("1.5", 1.5), ("false", False), ("P1D", "P1D"), ("null", "null"), ("[1]", "[1]"), ("", "")]
)
def test_the_value_of_a_tag_is_a_number_a_boolean_or_text(text: str, value: object) -> None:
    assert keys_of_tags([{"Key": "spot-relay:x", "Value": text}]) == {"policy": {"x": value}}


def test_a_key_that_two_policies_have_is_taken_from_the_second() -> None:
    assert merge({"a": [1], "b": {"c": 1}}, {"a": [2], "b": 3}) == {"a": [2], "b": 3}


def test_only_managed_spot_training_is_routed_unless_all_is_asked_for() -> None:
    assert is_routed(REQUEST, all_jobs=False)
    on_demand = REQUEST | {"EnableManagedSpotTraining": False}
    assert not is_routed(on_demand, all_jobs=False)
    assert is_routed(on_demand, all_jobs=True)


def test_a_policy_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("budgets: {expired_waits: 3}\n")
    assert read_policy(file) == read_policy(str(file)) == {"budgets": {"expired_waits": 3}}
    assert read_policy({"deadline": "P1D"}) == {"deadline": "P1D"}
    assert read_policy(None) == {}


@pytest.mark.parametrize("text", ["- a list", "deadline: 2026-12-01", "{", "just text"])
def test_a_file_that_is_no_policy_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    with pytest.raises(InvalidPolicyError, match=r"policy\.yaml"):
        read_policy(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidPolicyError, match="cannot be read"):
        read_policy(tmp_path / "none.yaml")
