"""Enforce limits in DynamoDB: one item per instance type lists the jobs that hold a slot.

One item per template lists its runs that are under way, in the same way.
"""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from spot_relay.domain.rules.limits import needs_no_place, needs_no_slot, refuse_slot
from spot_relay.domain.values import dataclass
from spot_relay.ports import NewerSchemaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_dynamodb import DynamoDBClient

    from spot_relay.domain.rules.limits import Limits
    from spot_relay.domain.run.run import Run
    from spot_relay.domain.values import No

    _IsOver = Callable[[str, Callable[[str], Run | None]], bool]

# When all slots are taken, check at most this many holders: a launch must not read a thousand runs.
MAX_LOOKUPS = 25


@dataclass(frozen=True)
class DynamoDBSlots:
    """Stores slots in the table of runs; ``find`` reads a run consistently."""

    client: DynamoDBClient
    table: str
    limits: Limits
    find: Callable[[str], Run | None]

    def limit(self, instance_type: str) -> int | None:
        """Return the limit on attempts of an instance type, or None if there is no limit."""
        return self.limits.of(instance_type)

    def take(self, instance_type: str, holder: str) -> No | None:
        """Take a slot for a training job unless it already holds one. Return No if all slots are taken.

        Before that, slots that a crash left behind are freed.
        """
        limit = self.limit(instance_type)
        if limit is None:
            return None
        has_slot = self._take(instance_type, holder, limit, needs_no_slot)
        return None if has_slot else refuse_slot(instance_type, limit)

    def take_place(self, template: str, run_id: str, most: int) -> bool:
        """Take a place for a run among those of its template that are under way; return whether it has one.

        Before that, the places of runs that have ended are freed.
        """
        return self._take(template, run_id, most, needs_no_place)

    def give_back(self, instance_type: str, holder: str) -> None:
        """Release the slot of a training job, if it holds one."""
        if self.limit(instance_type) is not None:
            self.client.update_item(
                TableName=self.table,
                Key=build_slots_key(instance_type),
                UpdateExpression="DELETE holders :holder",
                ExpressionAttributeValues={":holder": {"SS": [holder]}},
            )

    def _take(self, limited: str, holder: str, limit: int, is_over: _IsOver) -> bool:
        full = self._try_take(limited, holder, limit)
        if full is None:
            return True
        return self._free(limited, full, is_over) and self._try_take(limited, holder, limit) is None

    def _try_take(self, limited: str, holder: str, limit: int) -> dict[str, Any] | None:
        """Take a slot atomically; if there is none, return the item as it is."""
        try:
            self.client.update_item(
                TableName=self.table,
                Key=build_slots_key(limited),
                # The version changes even if the holder is listed already: see `_free`.
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
        except self._condition_failed as error:
            item: dict[str, Any] = error.response["Item"]
            return item
        return None

    def _free(self, limited: str, full: dict[str, Any], is_over: _IsOver) -> bool:
        """Remove holders that have ended, and return whether there may be room now.

        They are removed only if nobody has taken a slot since ``full`` was read, because a run that had ended then
        may have been resumed since, and hold its slot again.
        """
        holders: list[str] = full["holders"]["SS"]
        looked_up = random.sample(holders, min(MAX_LOOKUPS, len(holders)))
        ended = [holder for holder in looked_up if self._has_ended(holder, is_over)]
        if not ended:
            return False
        # Whoever took a slot in the meantime may have removed several holders, so there may be room in any case.
        with suppress(self._condition_failed):
            self.client.update_item(
                TableName=self.table,
                Key=build_slots_key(limited),
                UpdateExpression="DELETE holders :ended",
                ConditionExpression="version = :version",
                ExpressionAttributeValues={":ended": {"SS": ended}, ":version": full["version"]},
            )
        return True

    def _has_ended(self, holder: str, is_over: _IsOver) -> bool:
        """Whether a holder no longer needs its slot; it keeps the slot if its run cannot be read."""
        try:
            return is_over(holder, self.find)
        except NewerSchemaError:
            return False

    @property
    def _condition_failed(self) -> Any:
        return self.client.exceptions.ConditionalCheckFailedException


def build_slots_key(limited: str) -> dict[str, Any]:
    """Return the key of the item of an instance type or a template; no run's name contains a #."""
    return {"id": {"S": f"slots#{limited}"}}
