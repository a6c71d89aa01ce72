"""What template.yaml says of the stack, so that no test repeats it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ROOT = Path(__file__).parents[1]


class Loader(yaml.CSafeLoader):
    """Reads CloudFormation's short forms as their long ones: ``!Ref x`` is ``{"Ref": "x"}``."""


def long_form(loader: Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    """Return the long form of ``!tag node``."""
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        value = value.split(".") if tag == "GetAtt" else value
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        raise TypeError(f"!{tag} has a mapping")
    return {tag if tag == "Ref" else f"Fn::{tag}": value}


Loader.add_multi_constructor("!", long_form)
TEMPLATE: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Loader)  # noqa: S506 (a safe loader)
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]


def properties_of(resource: str) -> dict[str, Any]:
    """Return a copy of a resource's properties."""
    properties: dict[str, Any] = copy.deepcopy(RESOURCES[resource]["Properties"])
    return properties


def create_runs_table(client: DynamoDBClient, name: str) -> None:
    """Create the table of runs as CloudFormation would, but without backups, encryption and time to live.

    Its users see nothing of those, and moto makes a real key for each encrypted table, which takes longer than a test.
    """
    properties = properties_of("RunsTable")
    for unseen in ("PointInTimeRecoverySpecification", "SSESpecification", "TimeToLiveSpecification"):
        del properties[unseen]
    client.create_table(TableName=name, **properties)
