"""The template as AWS gets to see it: resolved from SAM to CloudFormation, with its parameters put in.

SAM's own translator does the first. The second is done by MiniStack, as it does it for the embedded stack.

    python -m tests.security.translated > stack.json

writes the whole of it, parameters still open, for tools that know CloudFormation better than SAM.
"""

from __future__ import annotations

import json
import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ministack.services.cloudformation import engine  # type: ignore[import-untyped]
from samtranslator.translator.transform import transform  # type: ignore[import-untyped]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Mapping

TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
REGION = "us-east-1"
ACCOUNT = "000000000000"
# What SAM uploads: its place in the bucket of artifacts tells the file or folder that it comes from.
_SOURCES = {
    "CodeUri": "s3://artifacts",
    "ContentUri": "s3://artifacts",
    "TemplateURL": "https://artifacts.s3.amazonaws.com",
}
# Such as arn:aws:sqs:us-east-1:000000000000:<name>; a resource that stands here has an ARN that policies name.
_ARNS = {
    "AWS::CloudWatch::Alarm": "arn:aws:cloudwatch:{region}:{account}:alarm:{name}",
    "AWS::CloudWatch::CompositeAlarm": "arn:aws:cloudwatch:{region}:{account}:alarm:{name}",
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:{region}:{account}:table/{name}",
    "AWS::Events::Rule": "arn:aws:events:{region}:{account}:rule/{name}",
    "AWS::IAM::Role": "arn:aws:iam::{account}:role/{name}",
    "AWS::Lambda::Function": "arn:aws:lambda:{region}:{account}:function:{name}",
    "AWS::Logs::LogGroup": "arn:aws:logs:{region}:{account}:log-group:{name}:*",
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::SNS::Topic": "arn:aws:sns:{region}:{account}:{name}",
    "AWS::SQS::Queue": "arn:aws:sqs:{region}:{account}:{name}",
}
# An output of the one stack inside the stack.
_DESTINATION = f"arn:aws:events:{REGION}:{ACCOUNT}:api-destination/slack/00000000-0000-0000-0000-000000000000"
# What a reference to them returns is their ARN, too.
_KNOWN_BY_ARN = {"AWS::SNS::Topic"}


class _NoManagedPolicies:
    """Stands for AWS's list of managed policies: the template names them by their ARNs, if at all."""

    def load(self) -> dict[str, str]:
        return {}


@cache
def translated() -> dict[str, Any]:
    """Resolve SAM to CloudFormation, as CloudFormation's own transform does."""
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)  # SAM's translator asks boto3 for one
    template = yaml_parse(TEMPLATE.read_text("utf-8"))
    everyone = template["Globals"]["Function"]
    for properties in [everyone, *(resource["Properties"] for resource in template["Resources"].values())]:
        for key in _SOURCES.keys() & properties.keys():
            properties[key] = f"{_SOURCES[key]}/{properties[key]}"
    defaults = {name: given["Default"] for name, given in template["Parameters"].items() if "Default" in given}
    found: dict[str, Any] = transform(template, defaults, _NoManagedPolicies(), passthrough_metadata=True)
    return found


def resources(names: Mapping[str, str], **parameters: str) -> dict[str, dict[str, Any]]:
    """Return each resource that exists under the parameters, its properties without any function left in them.

    ``names`` are the names of resources, by what the template calls them; one that is not among them is called
    what the template calls it.
    """
    template = translated()
    given = engine._resolve_parameters(template, [{"Key": name, "Value": value} for name, value in parameters.items()])
    conditions = engine._evaluate_conditions(template, given)
    known = {
        logical: {
            "PhysicalResourceId": arn if resource["Type"] in _KNOWN_BY_ARN else name,
            "Attributes": {"Arn": arn, "QueueName": name, "Outputs.DestinationArn": _DESTINATION},
        }
        for logical, resource in template["Resources"].items()
        for name in (names.get(logical, logical),)
        for arn in (_arn(resource["Type"], name),)
    }
    return {
        logical: resource
        | {"Properties": engine._resolve_refs(resource["Properties"], known, given, conditions, {}, "spot-relay", "")}
        for logical, resource in template["Resources"].items()
        if conditions.get(resource.get("Condition"), True)
    }


def _arn(kind: str, name: str) -> str:
    return _ARNS[kind].format(region=REGION, account=ACCOUNT, name=name) if kind in _ARNS else name


def _with_remarks() -> dict[str, Any]:
    """Return the translation, and each resource that SAM made of another the metadata of that one.

    Without it a remark beside the API would not be found beside the API's stage, which is where it belongs.
    """
    template = translated()
    stated = {name: entry["Metadata"] for name, entry in template["Resources"].items() if "Metadata" in entry}
    stated |= {"Apiv1Stage": yaml_parse(TEMPLATE.read_text("utf-8"))["Resources"]["Api"].get("Metadata", {})}
    for name, metadata in stated.items():
        template["Resources"][name].setdefault("Metadata", metadata)
    return template


if __name__ == "__main__":
    json.dump(_with_remarks(), sys.stdout, indent=1, default=str)
