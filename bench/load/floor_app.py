"""A minimal function behind a queue: for each message it does nothing, or reads and writes one item."""

import json
import os
import time
from typing import Any

from botocore.session import get_session

TABLE, DOCUMENT = os.environ.get("TABLE_NAME"), os.environ.get("DOCUMENT", "")
dynamodb: Any = get_session().create_client("dynamodb") if TABLE else None


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Handle a batch, and log the time at which each message was done."""
    for record in event["Records"]:
        if TABLE:
            read_and_write(json.loads(record["body"])["detail"]["item"])
        print(json.dumps({"done": time.time()}))
    return {"batchItemFailures": []}


def read_and_write(name: str) -> None:
    """Read an item and write it back, on condition that nobody else has changed it."""
    found = dynamodb.get_item(TableName=TABLE, Key={"id": {"S": name}}, ConsistentRead=True).get("Item")
    version = int(found["version"]["N"]) if found else 0
    dynamodb.put_item(
        TableName=TABLE,
        Item={"id": {"S": name}, "version": {"N": str(version + 1)}, "document": {"S": DOCUMENT}},
        ConditionExpression="attribute_not_exists(id) OR version = :version",
        ExpressionAttributeValues={":version": {"N": str(version)}},
    )
