"""Resources for monitoring that MiniStack's CloudFormation lacks: composite alarms and saved queries.

A composite alarm works as on AWS, because MiniStack's CloudWatch has them. A saved query is only a text for the
console, so there is nothing to create for it.
"""

from __future__ import annotations

import json
from typing import Any, Final

from ministack.services import cloudwatch  # type: ignore[import-untyped]
from ministack.services.cloudformation import provisioners  # type: ignore[import-untyped]

LONGEST_NAME: Final = 255


def install() -> None:
    """Add both types to the resources that a template may have."""
    composite = {"create": create_composite_alarm, "delete": delete_composite_alarm}
    query = {"create": create_query, "delete": delete_query}
    provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::CompositeAlarm"] = composite  # noqa: SLF001 (there is no setting)
    provisioners._RESOURCE_HANDLERS["AWS::Logs::QueryDefinition"] = query  # noqa: SLF001


def create_composite_alarm(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, str]]:
    """Create a composite alarm, or change it, and return its name and ARN."""
    name = properties.get("AlarmName") or provisioners._physical_name(stack, logical_id, max_len=LONGEST_NAME)  # noqa: SLF001
    request = {**properties, "AlarmName": name}
    status, _, answer = cloudwatch._put_composite_alarm({}, request, is_cbor=False, is_json=True)  # noqa: SLF001
    if status != 200:
        raise ValueError(json.loads(answer)["message"])
    return name, {"Arn": cloudwatch._composite_alarms[name]["AlarmArn"]}  # noqa: SLF001


def delete_composite_alarm(name: str, _properties: dict[str, Any]) -> None:
    """Delete a composite alarm, if it is still there."""
    cloudwatch._composite_alarms.pop(name, None)  # noqa: SLF001


def create_query(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, str]]:
    """Accept a saved query that has a name and a text, and return an id for it."""
    missing = [name for name in ("Name", "QueryString") if not properties.get(name)]
    if missing:
        raise ValueError(f"{', '.join(missing)} is required for AWS::Logs::QueryDefinition {logical_id}")
    return f"{stack}-{logical_id}", {}


def delete_query(_query: str, _properties: dict[str, Any]) -> None:
    """Do nothing, because there is nothing to delete."""
