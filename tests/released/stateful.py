"""What a stack keeps from one update to the next, and what an update from one template to another would do to it.

A resource is stateful if it holds data, or if others know it by an address that a new one would not have. What a
template renames, CloudFormation deletes without a question. Some changes of a table's indexes it refuses.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

STATEFUL: Final = (
    "AWS::ApiGateway::RestApi",
    "AWS::DynamoDB::Table",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
)
_KEPT: Final = ("Type", "Condition", "DeletionPolicy", "UpdateReplacePolicy", "Properties")
_POLICIES: Final = ("DeletionPolicy", "UpdateReplacePolicy")


def list_releases(changelog: str) -> list[str]:
    """Return the versions that a changelog lists as released, the newest first."""
    return re.findall(r"^## \[(\d+\.\d+\.\d+)\]", changelog, re.MULTILINE)


def select_stateful(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what matters of the stateful resources of a CloudFormation template, by their logical ids."""
    found = {
        name: {key: copy.deepcopy(entry[key]) for key in _KEPT if key in entry}
        for name, entry in sorted(template["Resources"].items())
        if entry["Type"] in STATEFUL
    }
    for entry in found.values():
        entry["Properties"].pop("Body", None)  # the routes of an API change with the code, and the API stays
    return found


def find_losses(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> list[str]:
    """Return a sentence for each thing that an update would lose, or for which CloudFormation would refuse it."""
    found: list[str] = []
    for name, old in before.items():
        new = after.get(name)
        if new is None or new["Type"] != old["Type"]:
            found.append(f"{name} is gone: a resource keeps its logical id")
            continue
        found += [f"{name}: {loss}" for loss in _losses_of(old, new)]
        if old["Type"] == "AWS::DynamoDB::Table":
            found += [f"{name}: {loss}" for loss in _losses_of_table(old["Properties"], new["Properties"])]
    return found


def _losses_of(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    if old.get("Condition") != new.get("Condition"):
        yield f"its condition was {old.get('Condition')}: under another one, a stack could lose it"
    for policy in _POLICIES:
        if policy in old and new.get(policy) != old[policy]:
            yield f"its {policy} was {old[policy]}, which protects what a stack keeps"
    # Not at the top: cfn-lint takes long to import, and most who import this module need none of it.
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # type: ignore[import-untyped]

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", old["Type"]).schema
    for path in schema.get("createOnlyProperties", []):
        keys = path.removeprefix("/properties/").split("/")
        if _value_at(old["Properties"], keys) != _value_at(new["Properties"], keys):
            yield f"with another {'.'.join(keys)}, CloudFormation replaces it"


def _value_at(properties: dict[str, Any], keys: list[str]) -> Any:
    value: Any = properties
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _losses_of_table(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    if old["KeySchema"] != new["KeySchema"]:
        yield "with another KeySchema, CloudFormation replaces it"
    types = [
        {entry["AttributeName"]: entry["AttributeType"] for entry in one["AttributeDefinitions"]} for one in (old, new)
    ]
    for attribute in sorted(types[0].keys() & types[1].keys()):
        if types[0][attribute] != types[1][attribute]:
            yield f"the key {attribute} has another type"
    indexes = [{entry["IndexName"]: entry for entry in one.get("GlobalSecondaryIndexes", [])} for one in (old, new)]
    changed = sorted(indexes[0].keys() ^ indexes[1].keys())
    if len(changed) > 1:
        yield f"CloudFormation adds or removes one index per update, and these differ: {', '.join(changed)}"
    for index in sorted(indexes[0].keys() & indexes[1].keys()):
        for part in ("KeySchema", "Projection"):
            if indexes[0][index][part] != indexes[1][index][part]:
                yield f"the {part} of the index {index} can't change: add an index of another name"
    expiry = [one.get("TimeToLiveSpecification", {}).get("AttributeName") for one in (old, new)]
    if expiry[0] is not None and expiry[0] != expiry[1]:
        yield "DynamoDB can't switch to another attribute for the time to live in one update"
