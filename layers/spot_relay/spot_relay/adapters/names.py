"""Keep names of runs that differ only in case from being used twice, in the table of runs.

SageMaker's ARNs have names in lower case. A run's key is its name as it was submitted. If that has upper-case letters,
an item under the name in lower case leads to the run. It stays when the run expires, and its name is free again then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class Names:
    """The names of one table's runs."""

    client: DynamoDBClient
    table: str

    def load_spelling(self, run_id: str) -> str | None:
        """Return the name with upper-case letters under which a run was created, or None if no run had any."""
        answer = self.client.get_item(TableName=self.table, Key=_build_key(run_id), ConsistentRead=True)
        return answer["Item"]["run_id"]["S"] if "Item" in answer else None

    def build_writes(self, run_id: str, expired: str | None = None) -> list[dict[str, Any]]:
        """Return what a new run's transaction needs, so that its name is used in no other spelling.

        ``expired`` is the spelling whose run no longer exists.
        """
        lower, owner = run_id.lower(), {":owner": {"S": expired or run_id}}
        is_free = {
            "ConditionExpression": "attribute_not_exists(id) OR run_id = :owner",
            "ExpressionAttributeValues": owner,
        }
        absent = [other for other in (lower, expired) if other is not None and other != run_id]
        checks = [{"ConditionCheck": self._require_absent(other)} for other in absent]
        if run_id == lower:
            return [{"ConditionCheck": {"TableName": self.table, "Key": _build_key(run_id), **is_free}}, *checks]
        item = {**_build_key(run_id), "run_id": {"S": run_id}}
        return [{"Put": {"TableName": self.table, "Item": item, **is_free}}, *checks]

    def _require_absent(self, run_id: str) -> dict[str, Any]:
        key = {"id": {"S": run_id}}
        return {"TableName": self.table, "Key": key, "ConditionExpression": "attribute_not_exists(id)"}


def _build_key(run_id: str) -> dict[str, Any]:
    return {"id": {"S": f"names#{run_id.lower()}"}}
