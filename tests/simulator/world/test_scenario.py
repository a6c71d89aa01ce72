"""Scenario documents: which rule applies to a job, and how errors are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from simulator.life.endpoint import DeploymentFailure, EndpointScript, EndpointStatus
from simulator.life.job import Failure, Secondary
from simulator.world.capacity import Interruption, ScriptedCapacity
from simulator.world.scenario import Scenario, ScenarioError, parse_scenario, read_scenario

if TYPE_CHECKING:
    from pathlib import Path


def test_the_first_rule_that_matches_applies() -> None:
    scenario = parse_scenario({"rules": [{"name": "a-*", "train_seconds": 1}, {"name": "a-1", "train_seconds": 2}]})

    assert scenario.rule_for("a-1").train_seconds == 1


def test_a_job_that_no_rule_matches_gets_the_default() -> None:
    scenario = parse_scenario({"rules": [{"name": "a-*"}], "default": {"train_seconds": 7}})

    assert scenario.rule_for("b").train_seconds == 7


def test_a_rule_can_be_limited_to_a_market_and_an_instance_type() -> None:
    scenario = parse_scenario(
        {"rules": [{"name": "a", "market": "spot", "instance_type": "ml.g5.*", "train_seconds": 1}]}
    )

    assert scenario.rule_for("a", "spot", "ml.g5.xlarge").train_seconds == 1
    assert scenario.rule_for("a", "on-demand", "ml.g5.xlarge").train_seconds == 2
    assert scenario.rule_for("a", "spot", "ml.m5.large").train_seconds == 2


def test_a_rule_becomes_the_script_of_a_job() -> None:
    scenario = parse_scenario(
        {
            "default": {
                "capacity": {
                    "after": None,
                    "interruptions": [{"after_training_seconds": 3, "capacity_returns_after": 4}],
                },
                "checkpoints": {"every_seconds": 2},
                "fail": {"reason": "InternalServerError: x", "after_seconds": 1},
                "phases": {"starting": 5},
            }
        }
    )

    script = scenario.default.script(frozenset())

    assert script.capacity == ScriptedCapacity(None, (Interruption(3, 4),))
    assert script.checkpoint_every == 2
    assert script.failure == Failure("InternalServerError: x", Secondary.TRAINING, 1)
    assert (script.starting, script.downloading) == (5, 0.2)


def test_new_rules_come_first_and_new_quotas_replace_those_for_the_same_pool() -> None:
    quota = {"instance_type": "ml.m5.large", "market": "spot", "limit": 1}
    old = parse_scenario({"rules": [{"name": "*", "train_seconds": 1}], "quotas": [quota]})
    more = parse_scenario({"rules": [{"name": "*", "train_seconds": 9}], "quotas": [{**quota, "limit": 5}]})

    both = old.with_first(more)

    assert both.rule_for("any").train_seconds == 9
    assert [quota.limit for quota in both.quotas] == [5]
    assert len(both.rules) == 2


def test_the_first_rule_for_endpoints_that_matches_applies_and_others_get_the_defaults() -> None:
    fail = {"reason": "no capacity", "status": "Updating", "after_seconds": 3}
    first = {"name": "a-*", "phases": {"creating": 5}, "fail": fail}
    old = parse_scenario({"endpoints": [{"name": "*", "phases": {"creating": 9}}]})
    both = old.with_first(parse_scenario({"endpoints": [first]}))

    held = frozenset({EndpointStatus.CREATING})
    script = both.endpoint_rule_for("a-1").script(held)

    failure = DeploymentFailure("no capacity", EndpointStatus.UPDATING, 3)
    assert script == EndpointScript(creating=5, failure=failure, held=held)
    assert both.endpoint_rule_for("b").script().creating == 9
    assert parse_scenario({}).endpoint_rule_for("b").script() == EndpointScript()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"rules": [{"nmae": "x"}]}, "rules[0].nmae: Extra inputs are not permitted"),
        ({"rules": [{"train_seconds": -1}]}, "rules[0].train_seconds"),
        ({"default": {"billable_share": 1.5}}, "default.billable_share"),
        ({"default": {"capacity": {"interruptions": [{}]}}}, "default.capacity.interruptions[0]"),
        (
            {
                "default": {
                    "capacity": {
                        "interruptions": [
                            {"after_checkpoints": 1, "capacity_returns_after": 1, "wait_expires_after": 1}
                        ]
                    }
                }
            },
            "give capacity_returns_after or wait_expires_after, not both",
        ),
        ({"default": {"checkpoints": {"every_seconds": 0}}}, "default.checkpoints.every_seconds"),
        ({"default": {"checkpoints": {"every_seconds": 1, "name": "x"}}}, "name must contain {number}"),
        ({"default": {"errors": [{"operation": "DeleteModel", "code": "x"}]}}, "default.errors[0].operation"),
        ({"default": {"events": {"drop": {"statuses": ["Sleeping"]}}}}, "default.events.drop.statuses[0]"),
        ({"quotas": [{"instance_type": "ml.m5.large", "market": "moon", "limit": 1}]}, "quotas[0].market"),
        ({"endpoints": [{"phases": {"creating": -1}}]}, "endpoints[0].phases.creating"),
        ({"endpoints": [{"fail": {"reason": "x", "status": "InService"}}]}, "endpoints[0].fail.status"),
        ({"endpoints": [{"errors": [{"operation": "CreateTrainingJob", "code": "x"}]}]}, "endpoints[0].errors[0].oper"),
        ("text", "document"),
    ],
)
def test_the_error_of_an_invalid_document_names_the_field(document: Any, said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(document)

    assert said in str(caught.value)


def test_the_error_of_an_invalid_document_lists_every_invalid_field() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario({"rules": [{"train_seconds": -1}], "default": {"billable_share": 0}})

    assert len(str(caught.value).splitlines()) == 2


def test_a_scenario_file_can_be_yaml_or_json_or_empty(tmp_path: Path) -> None:
    for name, text in [("a.yaml", "rules:\n- name: x\n"), ("a.json", '{"rules": [{"name": "x"}]}')]:
        (tmp_path / name).write_text(text)
        assert [rule.name for rule in read_scenario(tmp_path / name).rules] == ["x"]
    (tmp_path / "empty.yaml").write_text("")
    assert read_scenario(tmp_path / "empty.yaml") == Scenario()


def test_the_error_of_a_file_that_is_not_yaml_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("rules: [")

    with pytest.raises(ScenarioError, match=r"broken\.yaml"):
        read_scenario(path)
