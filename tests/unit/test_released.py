"""An update from the last release to this template loses nothing, and CloudFormation can do it."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.released.__main__ import main
from tests.released.stateful import STATEFUL, find_losses, list_releases, select_stateful
from tests.security.translated import translated
from tests.template import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FOLDER = ROOT / "tests" / "released"
NOW = select_stateful(translated())
VERSIONS = list_releases((ROOT / "CHANGELOG.md").read_text("utf-8"))


def released(version: str) -> dict[str, dict[str, Any]]:
    """Return what a release's template kept."""
    kept: dict[str, dict[str, Any]] = json.loads((FOLDER / f"{version}.json").read_text("utf-8"))
    return kept


def test_each_release_has_left_what_it_keeps() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(VERSIONS)


def test_an_update_from_the_last_release_loses_nothing() -> None:
    assert find_losses(released(VERSIONS[0]), NOW) == []


def a_project(folder: Path, *releases: str) -> Path:
    """Write what is asked of a project with the version 0.2.0."""
    (folder / "pyproject.toml").write_text('[project]\nversion = "0.2.0"\n', "utf-8")
    changelog = "\n".join(f"## [{version}] - 2026-11-23" for version in releases)
    (folder / "CHANGELOG.md").write_text(f"## [Unreleased]\n{changelog}\n", "utf-8")
    return folder


def test_what_a_release_has_left_is_not_written_again(tmp_path: Path) -> None:
    (tmp_path / "0.2.0.json").write_text("{}", "utf-8")
    assert "0.2.0.json is what 0.2.0 left" in str(main(a_project(tmp_path, "0.2.0", "0.1.0"), tmp_path))
    assert (tmp_path / "0.2.0.json").read_text("utf-8") == "{}"


@pytest.mark.parametrize("releases", [["0.1.0"], ["0.2.0", "0.1.0"]], ids=["before-the-release", "at-the-release"])
def test_what_the_template_keeps_is_written_until_its_version_is_released(tmp_path: Path, releases: list[str]) -> None:
    if releases[0] == "0.1.0":
        (tmp_path / "0.2.0.json").write_text("{}", "utf-8")
    assert main(a_project(tmp_path, *releases), tmp_path) is None
    written = json.loads((tmp_path / "0.2.0.json").read_text("utf-8"))
    assert written.keys() == NOW.keys()


def test_each_kind_of_stateful_resource_is_looked_at() -> None:
    assert {entry["Type"] for entry in NOW.values()} == set(STATEFUL)


def rename(name: str) -> Callable[[dict[str, Any]], None]:
    """Return the change that gives a resource another logical id."""
    return lambda template: template.update({f"{name}2": template.pop(name)})


def put(value: Any, name: str, *keys: str) -> Callable[[dict[str, Any]], None]:
    """Return the change that puts a value somewhere into a resource."""

    def change(template: dict[str, Any]) -> None:
        place = template[name]
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


def drop(name: str, key: str) -> Callable[[dict[str, Any]], None]:
    """Return the change that removes an attribute of a resource."""
    return lambda template: template[name].pop(key)


def change_index(name: str, **parts: Any) -> Callable[[dict[str, Any]], None]:
    """Return the change of some parts of an index."""
    return lambda template: next(index for index in indexes(template) if index["IndexName"] == name).update(parts)


def add_indexes(*names: str) -> Callable[[dict[str, Any]], None]:
    """Return the change that adds indexes."""
    return lambda template: indexes(template).extend({**indexes(template)[0], "IndexName": name} for name in names)


def indexes(template: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the indexes of the table of runs."""
    given: list[dict[str, Any]] = template["RunsTable"]["Properties"]["GlobalSecondaryIndexes"]
    return given


@pytest.mark.parametrize(
    ("change", "loss"),
    [
        (rename("RunsTable"), "RunsTable is gone: a resource keeps its logical id"),
        (rename("SpecsBucket"), "SpecsBucket is gone: a resource keeps its logical id"),
        (rename("SubmitQueue"), "SubmitQueue is gone: a resource keeps its logical id"),
        (rename("ObserveDeadLetterQueue"), "ObserveDeadLetterQueue is gone: a resource keeps its logical id"),
        (rename("TickLogs"), "TickLogs is gone: a resource keeps its logical id"),
        (rename("NewsTopic"), "NewsTopic is gone: a resource keeps its logical id"),
        (rename("Api"), "Api is gone: a resource keeps its logical id"),
        (
            drop("RunsTable", "DeletionPolicy"),
            "RunsTable: its DeletionPolicy was RetainExceptOnCreate, which protects what a stack keeps",
        ),
        (
            put("Delete", "SpecsBucket", "UpdateReplacePolicy"),
            "SpecsBucket: its UpdateReplacePolicy was Retain, which protects what a stack keeps",
        ),
        (
            drop("SpecsBucket", "Condition"),
            "SpecsBucket: its condition was OwnsSpecsBucket: under another one, a stack could lose it",
        ),
        (
            put("runs", "RunsTable", "Properties", "TableName"),
            "RunsTable: with another TableName, CloudFormation replaces it",
        ),
        (
            put("/logs", "ApiLogs", "Properties", "LogGroupName"),
            "ApiLogs: with another LogGroupName, CloudFormation replaces it",
        ),
        (
            put([], "RunsTable", "Properties", "KeySchema"),
            "RunsTable: with another KeySchema, CloudFormation replaces it",
        ),
        (
            put("expires", "RunsTable", "Properties", "TimeToLiveSpecification", "AttributeName"),
            "RunsTable: DynamoDB can't switch to another attribute for the time to live in one update",
        ),
        (
            put([{"AttributeName": "id", "AttributeType": "N"}], "RunsTable", "Properties", "AttributeDefinitions"),
            "RunsTable: the key id has another type",
        ),
        (
            change_index("due", Projection={"ProjectionType": "ALL"}),
            "RunsTable: the Projection of the index due can't change: add an index of another name",
        ),
        (
            change_index("by_status", KeySchema=[]),
            "RunsTable: the KeySchema of the index by_status can't change: add an index of another name",
        ),
        (
            add_indexes("by_name", "by_owner"),
            "RunsTable: CloudFormation adds or removes one index per update, and these differ: by_name, by_owner",
        ),
        (
            change_index("due", IndexName="due_at"),  # one is removed and one is added
            "RunsTable: CloudFormation adds or removes one index per update, and these differ: due, due_at",
        ),
    ],
)
def test_an_update_that_would_lose_something_is_noticed(change: Callable[[dict[str, Any]], None], loss: str) -> None:
    after = copy.deepcopy(NOW)
    change(after)
    assert find_losses(NOW, after) == [loss]


def test_an_update_may_add_one_index_and_may_protect_more() -> None:
    after = copy.deepcopy(NOW)
    add_indexes("by_name")(after)
    put("Retain", "SubmitQueue", "DeletionPolicy")(after)
    put(7, "ApiLogs", "Properties", "RetentionInDays")(after)
    assert find_losses(NOW, after) == []
