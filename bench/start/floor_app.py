"""The floor: import boto3, create the clients that the event needs, and make the calls that the function makes."""

import json
import os
from pathlib import Path
from typing import Any

import boto3

calls: list[tuple[str, str, dict[str, Any]]] = json.loads(Path(os.environ["FLOOR_CALLS"]).read_text("utf-8"))
clients: dict[str, Any] = {name: boto3.client(name) for name in dict.fromkeys(call[0] for call in calls)}  # type: ignore[call-overload]


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Make the calls, and read the bodies of their answers."""
    for service, method, parameters in calls:
        try:
            answer = getattr(clients[service], method)(**parameters)
        except clients[service].exceptions.ClientError:
            continue
        if "Body" in answer:
            answer["Body"].read()
    return {}
