"""Specs in files: what the client reads is what the stack would read of an upload."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from spot_relay.spec.yaml_text import read_yaml
from spot_relay_client.spec_file import SpecFileError, read_spec, set_values

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.yaml"))
SPEC: dict[str, Any] = {
    "name": "churn",
    "training_job": {"HyperParameters": {"num_round": "10"}, "Tags": [{"Key": "a"}]},
}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_read_as_the_stack_reads_it(path: Path) -> None:
    text = path.read_text("utf-8")
    assert json.loads(json.dumps(read_spec(text, path.name))) == json.loads(json.dumps(read_yaml(text), default=dict))


def test_json_is_read_as_json() -> None:
    assert read_spec('{"name": "a", "rate": 1e5, "tab":\t"\\ud83d\\ude00"}', "a.json") == {
        "name": "a",
        "rate": 100_000,
        "tab": "\U0001f600",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no spec: expected a mapping, but found nothing"),
        ("- a", "holds no spec: expected a mapping, but found a list"),
        ("a: [", "neither JSON nor YAML: .*line 1, column 5"),
        ("a: 1\na: 2", "the key a occurs twice. Remove one of them .line 2, column 1"),
        ('{"a": 1, "a": 2}', "the key a occurs twice"),
        ("1: a", "the key 1 is not a string. Put it in quotes"),
        ("a: 2026-05-01", "JSON does not have this YAML type, such as a date. Put the value in quotes"),
        ("a: &x {}\nb:\n  <<: *x", "merge keys"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
    ],
)
def test_what_is_no_spec_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(SpecFileError, match=message):
        read_spec(text, "bad.yaml")


def test_values_are_set_by_their_paths_without_changing_the_spec_that_was_read() -> None:
    changed = set_values(
        SPEC,
        [
            "policy.deadline=P2D",
            "policy.budgets.expired_waits=20",
            "training_job.HyperParameters.num_round=200",
            "training_job.Tags.0.Value=b",
            "name=churn=2",
        ],
    )
    assert changed["policy"] == {"deadline": "P2D", "budgets": {"expired_waits": 20}}
    assert changed["training_job"]["HyperParameters"] == {"num_round": "200"}
    assert changed["training_job"]["Tags"] == [{"Key": "a", "Value": "b"}]
    assert changed["name"] == "churn=2"
    assert "policy" not in SPEC


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("name", "expected key=value"),
        ("a..b=1", "expected key=value"),
        ("name.first=1", "name is text, which has no keys"),
        ("training_job.Tags.7=1", "expected a number from 0 to 0, but found 7"),
        ("training_job.Tags.x.Value=1", "expected a number from 0 to 0, but found x"),
        ("name=[", "not valid YAML"),
    ],
)
def test_an_assignment_that_does_not_fit_is_refused(assignment: str, message: str) -> None:
    with pytest.raises(SpecFileError, match=message):
        set_values(SPEC, [assignment])
