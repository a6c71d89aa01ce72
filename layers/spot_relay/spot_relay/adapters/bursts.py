"""Store bursts of objects in the table of runs: one item per template and folder."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from spot_relay.adapters.run_items import format_sortable
from spot_relay.domain.run.template import Burst
from spot_relay.domain.values import dataclass

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The longest that SQS keeps a message, so that no event of a burst comes later.
_LATEST_EVENT = timedelta(days=14)


@dataclass(frozen=True)
class DynamoDBBursts:
    """Stores the newest burst of each folder that a template waits for, for longer than its run is kept."""

    client: DynamoDBClient
    table: str
    retention: timedelta

    def load(self, template: str, bucket: str, folder: str) -> Burst | None:
        """Return the newest burst, read consistently, or None if none is known."""
        answer = self.client.get_item(
            TableName=self.table, Key=_build_key(template, bucket, folder), ConsistentRead=True
        )
        item = answer.get("Item")
        return None if item is None else Burst(item["run_id"]["S"], datetime.fromisoformat(item["opened_at"]["S"]))

    def open(self, template: str, bucket: str, folder: str, burst: Burst, instead_of: Burst | None) -> bool:
        """Store a burst in place of ``instead_of``; return False, and store nothing, if another one is there by now."""
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(id)"}
        if instead_of is not None:
            condition = {
                "ConditionExpression": "run_id = :known",
                "ExpressionAttributeValues": {":known": {"S": instead_of.run_id}},
            }
        expires_at = burst.opened_at + self.retention + _LATEST_EVENT
        item: dict[str, Any] = {
            **_build_key(template, bucket, folder),
            "run_id": {"S": burst.run_id},
            "opened_at": {"S": format_sortable(burst.opened_at)},
            "expires_at": {"N": str(int(expires_at.timestamp()))},
        }
        try:
            self.client.put_item(TableName=self.table, Item=item, **condition)
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True


def _build_key(template: str, bucket: str, folder: str) -> dict[str, Any]:
    """Return the key of an item: a digest, because two keys of S3 would be too long. No run's name contains a #."""
    digest = hashlib.sha256("\0".join((template, bucket, folder)).encode()).hexdigest()
    return {"id": {"S": f"bursts#{digest}"}}
