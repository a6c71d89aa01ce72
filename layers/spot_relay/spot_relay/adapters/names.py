"""Keep names of runs that differ only in case from being used twice, in the table of runs.

SageMaker's ARNs have names in lower case. A run's key is its name as it was submitted. If that has upper-case letters,
an item under the name in lower case leads to the run. It stays when the run expires, and its name is free again then.

If a run's name is too long for its jobs' names, an item under its short id leads to the name in lower case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spot_relay.domain.sagemaker.job import short_id_of
from spot_relay.domain.values import dataclass

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True)
class Names:
    """The names of one table's runs."""

    client: DynamoDBClient
    table: str

    def load_spelling(self, run_id: str) -> str | None:
        """Return the name with upper-case letters under which a run was created, or None if no run had any."""
        return self._load(run_id)

    def load_whole(self, short_id: str) -> str | None:
        """Return the name, in lower case, for which a short id stands, or None if there was no such run."""
        return self._load(short_id)

    def _load(self, name: str) -> str | None:
        answer = self.client.get_item(TableName=self.table, Key=_build_key(name), ConsistentRead=True)
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
        others = [{"ConditionCheck": self._require_absent(other)} for other in absent] + self._keep_short_id(run_id)
        if run_id == lower:
            return [{"ConditionCheck": {"TableName": self.table, "Key": _build_key(run_id), **is_free}}, *others]
        item = {**_build_key(run_id), "run_id": {"S": run_id}}
        return [{"Put": {"TableName": self.table, "Item": item, **is_free}}, *others]

    def _keep_short_id(self, run_id: str) -> list[dict[str, Any]]:
        """Return the write of the item under a run's short id, if it has one; no two names can have the same."""
        short_id, whole = short_id_of(run_id), {"S": run_id.lower()}
        if short_id is None:
            return []
        put = {
            "TableName": self.table,
            "Item": {**_build_key(short_id), "run_id": whole},
            "ConditionExpression": "attribute_not_exists(id) OR run_id = :whole",
            "ExpressionAttributeValues": {":whole": whole},
        }
        return [{"Put": put}]

    def _require_absent(self, run_id: str) -> dict[str, Any]:
        key = {"id": {"S": run_id}}
        return {"TableName": self.table, "Key": key, "ConditionExpression": "attribute_not_exists(id)"}


def _build_key(run_id: str) -> dict[str, Any]:
    return {"id": {"S": f"names#{run_id.lower()}"}}
