"""Runs in DynamoDB: one item a run, one conditional write a step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from botocore.exceptions import ClientError

from spot_relay.domain.run import Run, RunStatus
from spot_relay.ports import ConflictError, RunExistsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mypy_boto3_dynamodb import DynamoDBClient

# Raised whenever a stored document of an earlier version needs to be read in another way.
SCHEMA_VERSION = 1
# The one partition of the sparse index `due`: it holds open runs only.
OPEN = "open"

_decoder = msgspec.json.Decoder(Run)


def _stamp(moment: datetime) -> str:
    """Write a moment so that text order is time order."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass(frozen=True)
class DynamoDBRunStore:
    """Runs in one table; ended ones expire ``retention`` after their end."""

    client: DynamoDBClient
    table: str
    retention: timedelta = timedelta(days=90)

    def create(self, run: Run) -> Run:
        """Store a new run and give it with its version; RunExistsError if its id is taken."""
        try:
            return self._put(run, "attribute_not_exists(id)", {})
        except ConflictError:
            raise RunExistsError(run.id) from None

    def load(self, run_id: str) -> Run | None:
        """Read a run, consistently; None if there is none."""
        answer = self.client.get_item(
            TableName=self.table,
            Key={"id": {"S": run_id}},
            ConsistentRead=True,
            ProjectionExpression="document",
        )
        item = answer.get("Item")
        return _decoder.decode(item["document"]["S"]) if item else None

    def save(self, run: Run) -> Run:
        """Store a run on condition that its version is unchanged, and give it with the next; else ConflictError."""
        return self._put(run, "version = :loaded", {":loaded": {"N": str(run.version)}})

    def due(self, now: datetime) -> Iterable[str]:
        """Give the ids of the runs whose `due_at` has come, the longest due first; reads no other item."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName="due",
            KeyConditionExpression="#open = :open AND check_at <= :now",
            ExpressionAttributeNames={"#open": "open"},
            ExpressionAttributeValues={":open": {"S": OPEN}, ":now": {"S": _stamp(now)}},
        )
        for page in pages:
            for item in page["Items"]:
                yield item["id"]["S"]

    def page(
        self, status: RunStatus | None, limit: int, created_before: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """List runs, newest first. Without a status, the pages of all statuses are merged."""
        statuses = [status] if status else list(RunStatus)
        found = [item for one in statuses for item in self._newest(one, limit + 1, created_before)]
        found.sort(key=lambda item: item["created"]["S"], reverse=True)
        page = found[:limit]
        following = page[-1]["created"]["S"] if len(found) > limit else None
        return [_summary(item) for item in page], following

    def _newest(self, status: RunStatus, limit: int, before: str | None) -> list[dict[str, Any]]:
        condition = "#status = :status" + (" AND created < :before" if before else "")
        values = {":status": {"S": str(status)}} | ({":before": {"S": before}} if before else {})
        answer = self.client.query(
            TableName=self.table,
            IndexName="by_status",
            KeyConditionExpression=condition,
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues=values,
            ScanIndexForward=False,
            Limit=limit,
        )
        return list(answer["Items"])

    def _put(self, run: Run, condition: str, values: dict[str, Any]) -> Run:
        stored = replace(run, version=run.version + 1)
        put: dict[str, Any] = {"TableName": self.table, "Item": self._item(stored), "ConditionExpression": condition}
        if values:
            put["ExpressionAttributeValues"] = values
        try:
            self.client.put_item(**put)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                raise ConflictError(run.id) from None
            raise
        return stored

    def _item(self, run: Run) -> dict[str, Any]:
        item: dict[str, Any] = {
            "id": {"S": run.id},
            "version": {"N": str(run.version)},
            "schema_version": {"N": str(SCHEMA_VERSION)},
            "status": {"S": str(run.status)},
            "created": {"S": f"{_stamp(run.created_at)}#{run.id}"},
            "updated_at": {"S": _stamp(run.updated_at)},
            "reason": {"S": run.reason},
            "attempts": {"N": str(len(run.attempts))},
            "document": {"S": msgspec.json.encode(run).decode()},
        }
        if run.due_at is not None:
            item |= {"open": {"S": OPEN}, "check_at": {"S": _stamp(run.due_at)}}
        elif run.ended_at is not None:
            item["expires_at"] = {"N": str(int((run.ended_at + self.retention).timestamp()))}
        return item


def _summary(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "run_id": item["id"]["S"],
        "status": item["status"]["S"],
        "reason": item["reason"]["S"],
        "attempts": int(item["attempts"]["N"]),
        "created_at": item["created"]["S"].partition("#")[0],
        "updated_at": item["updated_at"]["S"],
    }
