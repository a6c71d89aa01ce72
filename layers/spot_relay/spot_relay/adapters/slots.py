"""The stack's limits on attempts in DynamoDB: one item an instance type, which holds the names of those that live."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spot_relay.domain.rules.limits import all_slots_held, needs_no_slot
from spot_relay.ports import NewerSchemaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from spot_relay.domain.rules.limits import Limits
    from spot_relay.domain.run.run import Run
    from spot_relay.domain.values import No

# So many holders are looked up, at most, when all slots are held: a launch must not read a thousand runs.
LOOKED_UP = 25


@dataclass(frozen=True)
class DynamoDBSlots:
    """Slots in the table of runs; ``find`` reads a run, consistently."""

    client: DynamoDBClient
    table: str
    limits: Limits
    find: Callable[[str], Run | None]

    def limit(self, instance_type: str) -> int | None:
        """Give the limit on attempts of an instance type, or None for no limit."""
        return self.limits.of(instance_type)

    def take(self, instance_type: str, holder: str) -> No | None:
        """Take a slot for a training job, or keep the one it has. No if all slots of the limit are held.

        A slot that a crash has left behind is found then, and taken.
        """
        limit = self.limit(instance_type)
        if limit is None:
            return None
        full = self._taken(instance_type, holder, limit)
        if full is None or (self._freed(instance_type, full) and self._taken(instance_type, holder, limit) is None):
            return None
        return all_slots_held(instance_type, limit)

    def give_back(self, instance_type: str, holder: str) -> None:
        """Give back the slot of a training job, if it has one."""
        if self.limit(instance_type) is not None:
            self.client.update_item(
                TableName=self.table,
                Key=_key(instance_type),
                UpdateExpression="DELETE holders :holder",
                ExpressionAttributeValues={":holder": {"SS": [holder]}},
            )

    def _taken(self, instance_type: str, holder: str, limit: int) -> dict[str, Any] | None:
        """Take a slot in one step; where there is none, give the item as it is."""
        try:
            self.client.update_item(
                TableName=self.table,
                Key=_key(instance_type),
                # The version changes although the holder may be there already: see `_freed`.
                UpdateExpression="ADD holders :holders, version :one",
                ConditionExpression=(
                    "attribute_not_exists(holders) OR size(holders) < :limit OR contains(holders, :holder)"
                ),
                ExpressionAttributeValues={
                    ":holders": {"SS": [holder]},
                    ":holder": {"S": holder},
                    ":limit": {"N": str(limit)},
                    ":one": {"N": "1"},
                },
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._refused as error:
            item: dict[str, Any] = error.response["Item"]
            return item
        return None

    def _freed(self, instance_type: str, full: dict[str, Any]) -> bool:
        """Drop the holders that are over, and tell whether there may be room now.

        They are dropped only if nobody has taken a slot since ``full`` was read: one whose run was found to have ended
        may have been resumed by now, and hold its slot again.
        """
        holders: list[str] = full["holders"]["SS"]
        looked_up = random.sample(holders, min(LOOKED_UP, len(holders)))
        over = [holder for holder in looked_up if self._is_over(holder)]
        if not over:
            return False
        # Whoever took a slot meanwhile may have dropped more holders than one: then there may be room, too.
        with suppress(self._refused):
            self.client.update_item(
                TableName=self.table,
                Key=_key(instance_type),
                UpdateExpression="DELETE holders :over",
                ConditionExpression="version = :version",
                ExpressionAttributeValues={":over": {"SS": over}, ":version": full["version"]},
            )
        return True

    def _is_over(self, holder: str) -> bool:
        """Tell whether a training job needs its slot no more; one whose run can't be read keeps it."""
        try:
            return needs_no_slot(holder, self.find)
        except NewerSchemaError:
            return False

    @property
    def _refused(self) -> Any:
        return self.client.exceptions.ConditionalCheckFailedException


def _key(instance_type: str) -> dict[str, Any]:
    """Give the key of an instance type's item; no run's name holds a #."""
    return {"id": {"S": f"slots#{instance_type}"}}
