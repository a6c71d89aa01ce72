"""API destinations and their connections as resources of a template: MiniStack has both, but not in CloudFormation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from ministack.services import eventbridge  # type: ignore[import-untyped]
from ministack.services.cloudformation import provisioners  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_NAME: Final = 64


def install() -> None:
    """Add both types to the resources that a template may have."""
    connection = {"create": create_connection, "delete": delete_connection}
    destination = {"create": create_destination, "delete": delete_destination}
    provisioners._RESOURCE_HANDLERS["AWS::Events::Connection"] = connection  # noqa: SLF001 (there is no setting)
    provisioners._RESOURCE_HANDLERS["AWS::Events::ApiDestination"] = destination  # noqa: SLF001


def create_connection(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, str]]:
    """Create a connection, or replace it, and return its name and ARN."""
    name = _name(logical_id, properties, stack)
    delete_connection(name, properties)
    answer = _ask(eventbridge._create_connection, {**properties, "Name": name})  # noqa: SLF001
    return name, {"Arn": answer["ConnectionArn"]}


def delete_connection(name: str, _properties: dict[str, Any]) -> None:
    """Delete a connection, if it is still there."""
    eventbridge._connections.pop(name, None)  # noqa: SLF001


def create_destination(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, str]]:
    """Create an API destination, or replace it, and return its name and ARN."""
    name = _name(logical_id, properties, stack)
    delete_destination(name, properties)
    answer = _ask(eventbridge._create_api_destination, {**properties, "Name": name})  # noqa: SLF001
    return name, {"Arn": answer["ApiDestinationArn"]}


def delete_destination(name: str, _properties: dict[str, Any]) -> None:
    """Delete an API destination, if it is still there."""
    eventbridge._api_destinations.pop(name, None)  # noqa: SLF001


def _name(logical_id: str, properties: dict[str, Any], stack: str) -> str:
    given: str = properties.get("Name") or provisioners._physical_name(stack, logical_id, max_len=LONGEST_NAME)  # noqa: SLF001
    return given


def _ask(create: Callable[[dict[str, Any]], tuple[int, dict[str, str], bytes]], request: dict[str, Any]) -> Any:
    status, _, body = create(request)
    answer = json.loads(body)
    if status != 200:
        raise ValueError(answer["message"])
    return answer
