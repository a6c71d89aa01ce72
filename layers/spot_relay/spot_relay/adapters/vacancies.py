"""Read from the table of runs what stands in the way of a run that is not submitted yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spot_relay.adapters.prefixes import Prefixes
from spot_relay.adapters.run_items import read_waiting
from spot_relay.adapters.slots import build_slots_key
from spot_relay.domain.values import dataclass

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from spot_relay.domain.run.run import Waiting
    from spot_relay.domain.sagemaker.job import Pool

MOST_LISTED = 100


@dataclass(frozen=True)
class DynamoDBVacancies:
    """Reads the index of waiting runs, the slots of attempts, and the prefixes that runs hold."""

    client: DynamoDBClient
    table: str

    def list_waiting(self, pool: Pool) -> tuple[Waiting, ...]:
        """Return the runs that wait for room in a pool, the oldest first; the first 100 of them."""
        answer = self.client.query(
            TableName=self.table,
            IndexName="waiting",
            KeyConditionExpression="waits_for = :pool",
            ExpressionAttributeValues={":pool": {"S": pool.key}},
            Limit=MOST_LISTED,
        )
        return tuple(read_waiting(item) for item in answer["Items"])

    def count_attempts(self, instance_type: str) -> int:
        """Return how many attempts hold a slot of an instance type; 0 if the stack does not limit it."""
        answer = self.client.get_item(TableName=self.table, Key=build_slots_key(instance_type))
        return len(answer.get("Item", {}).get("holders", {}).get("SS", []))

    def check_prefix(self, uri: str, run_id: str) -> None:
        """Raise PrefixTakenError if an open run other than this one keeps it from taking a checkpoint prefix."""
        Prefixes(self.client, self.table).check_free(uri, run_id)
