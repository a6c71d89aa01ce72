"""What `template.yaml` says of the stack, so that no test repeats it."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's YAML; intrinsic functions become ``{tag: argument}``."""


def _intrinsic(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    match node:
        case yaml.ScalarNode():
            return {suffix: loader.construct_scalar(node)}
        case yaml.SequenceNode():
            return {suffix: loader.construct_sequence(node, deep=True)}
        case yaml.MappingNode():
            return {suffix: loader.construct_mapping(node, deep=True)}
        case _:
            raise TypeError(type(node))


_Loader.add_multi_constructor("!", _intrinsic)


@cache
def _resources() -> dict[str, Any]:
    resources: dict[str, Any] = yaml.load(TEMPLATE.read_text("utf-8"), _Loader)["Resources"]  # noqa: S506 (a SafeLoader)
    return resources


def properties_of(resource: str) -> dict[str, Any]:
    """Give a resource's properties as the template has them."""
    properties: dict[str, Any] = copy.deepcopy(_resources()[resource]["Properties"])
    return properties


def create_runs_table(client: DynamoDBClient, name: str) -> None:
    """Create the table of runs as CloudFormation would, but for its backups, its encryption and its time to live.

    Its users see nothing of those, and moto makes a real key for each encrypted table, which takes longer than a test.
    """
    properties = properties_of("RunsTable")
    for unseen in ("PointInTimeRecoverySpecification", "SSESpecification", "TimeToLiveSpecification"):
        del properties[unseen]
    client.create_table(TableName=name, **properties)
