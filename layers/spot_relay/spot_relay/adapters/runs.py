"""Runs in DynamoDB: one item a run, one conditional write a step.

Beside them lies an item for each checkpoint prefix: it names the run that has it. (`slots` keeps items there, too.)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from spot_relay.domain.run.run import ENDED_RUNS, Run, RunStatus, Waiting
from spot_relay.domain.sagemaker.refusal import Refusal
from spot_relay.ports import ConflictError, NewerSchemaError, PrefixTakenError, RunExistsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_dynamodb import DynamoDBClient

    from spot_relay.domain.sagemaker.job import Pool

# Raised with each change of what is stored of a run, also by a field that has a default: an earlier release reads what
# it knows, and its next save would drop the rest. What has been stored with a version is in tests/integration/stored/.
SCHEMA_VERSION = 4
# The one partition of the sparse index `due`: it holds open runs only.
OPEN = "open"
_MAX_PREFIX_BYTES = 1024
_MAX_KEY_BYTES = 2048
# So many entries of the index of waiting runs are looked at, at most, for one that is true.
_LOOKED_AT = 20

_decoder = msgspec.json.Decoder(Run)


def _stamp(moment: datetime) -> str:
    """Write a moment so that text order is time order."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _created(run: Run) -> str:
    """Write a run's place among all runs, by age."""
    return f"{_stamp(run.created_at)}#{run.id}"


@dataclass(frozen=True)
class DynamoDBRunStore:
    """Runs in one table; ended ones expire ``retention`` after their end."""

    client: DynamoDBClient
    table: str
    retention: timedelta = timedelta(days=90)

    def create(self, run: Run) -> Run:
        """Store a new run and give it with its version; RunExistsError if its id is taken, PrefixTakenError."""
        try:
            return self._open(run, self._put(run, "attribute_not_exists(id)"))
        except ConflictError:
            if self.load(run.id) is None:
                raise
            raise RunExistsError(run.id) from None

    def reopen(self, run: Run) -> Run:
        """Store a run that had ended and goes on, as `save` does; PrefixTakenError if its prefix is held by now."""
        return self._open(run, self._put(run, *_unchanged(run)))

    def load(self, run_id: str) -> Run | None:
        """Read a run, consistently; None if there is none, NewerSchemaError if a newer release has stored it."""
        # DynamoDB answers a key that is too long with an error, and IAM one of what lies beside the runs.
        if len(run_id.encode()) > _MAX_KEY_BYTES or "#" in run_id:
            return None
        answer = self.client.get_item(
            TableName=self.table,
            Key={"id": {"S": run_id}},
            ConsistentRead=True,
            ProjectionExpression="document, schema_version",
        )
        item = answer.get("Item")
        return None if item is None else _read(run_id, item)

    def save(self, run: Run) -> Run:
        """Store a run on condition that its version is unchanged, and give it with the next; else ConflictError."""
        put = self._put(run, *_unchanged(run))
        try:
            self.client.put_item(**put)
        except (self._errors.ConditionalCheckFailedException, self._errors.TransactionConflictException):
            raise ConflictError(run.id) from None
        return replace(run, version=run.version + 1)

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

    def oldest_waiting(self, *pools: Pool) -> dict[Pool, Waiting]:
        """Give the oldest run that waits for room in each of these pools, where one does.

        The index lags behind: whoever has just found room wakes the next one, and must not be found there himself. Nor
        does a run count that a newer release has stored: none of today's functions can launch it.
        """
        entries = self._waiting_in(pools)
        return {pool: oldest for pool in pools if (oldest := self._oldest(pool, entries)) is not None}

    def _waiting_in(self, pools: tuple[Pool, ...]) -> Iterable[dict[str, Any]]:
        """Give the entries of the index for some pools or more, the oldest first.

        The index is sparse, and an entry takes some hundred bytes: for several pools all of it is read, which is one
        call as long as no more than some thousand runs wait, and so fewer than one for each pool.
        """
        if len(pools) != 1:
            pages = self.client.get_paginator("scan").paginate(TableName=self.table, IndexName="waiting")
            return sorted((item for page in pages for item in page["Items"]), key=lambda item: item["waits_since"]["S"])
        queried = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName="waiting",
            KeyConditionExpression="waits_for = :pool",
            ExpressionAttributeValues={":pool": {"S": pools[0].key}},
            PaginationConfig={"PageSize": 2, "MaxItems": _LOOKED_AT},
        )
        return (item for page in queried for item in page["Items"])

    def _oldest(self, pool: Pool, entries: Iterable[dict[str, Any]]) -> Waiting | None:
        listed = islice((item for item in entries if item["waits_for"]["S"] == pool.key), _LOOKED_AT)
        return next((_waiting(item) for item in listed if self._waits_for(item["id"]["S"]) == pool.key), None)

    def _waits_for(self, run_id: str) -> str | None:
        answer = self.client.get_item(
            TableName=self.table,
            Key={"id": {"S": run_id}},
            ConsistentRead=True,
            ProjectionExpression="waits_for, schema_version",
        )
        item = answer.get("Item")
        if item is None or int(item["schema_version"]["N"]) > SCHEMA_VERSION:
            return None
        return item.get("waits_for", {}).get("S")

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

    @property
    def _errors(self) -> Any:
        return self.client.exceptions

    def _open(self, run: Run, put: dict[str, Any]) -> Run:
        """Write a run that opens and, in the same step, its hold on the checkpoint prefix.

        A run that has ended keeps its hold until another open run takes it over.
        """
        uri = run.checkpoint_uri
        holds = [] if uri is None else [self._hold(run, uri)]
        failed = self._transact([{"Put": put}, *holds])
        if failed == {1} and uri is not None:
            owner = self._owner(uri)
            ended = self._ended(owner)
            failed = self._transact([{"Put": put}, self._hold(run, uri, owner), {"ConditionCheck": ended}])
            if failed and 0 not in failed:
                raise PrefixTakenError(uri, owner)
        if failed:
            raise ConflictError(run.id)
        return replace(run, version=run.version + 1)

    def _transact(self, writes: list[dict[str, Any]]) -> set[int]:
        """Write all or nothing; give the numbers of the writes whose conditions failed, or ConflictError."""
        try:
            self.client.transact_write_items(TransactItems=writes)  # type: ignore[arg-type]
        except self._errors.TransactionCanceledException as error:
            codes = [reason["Code"] for reason in error.response["CancellationReasons"]]
            if "TransactionConflict" in codes:
                raise ConflictError from None
            failed = {number for number, code in enumerate(codes) if code == "ConditionalCheckFailed"}
            if not failed:
                raise
            return failed
        return set()

    def _put(self, run: Run, condition: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
        stored = self._item(replace(run, version=run.version + 1))
        return {"TableName": self.table, "Item": stored, **_condition(condition, values)}

    def _hold(self, run: Run, uri: str, earlier: str | None = None) -> dict[str, Any]:
        """Build the write of the item that says which run has a prefix, free so far or held by ``earlier``."""
        holder = {":holder": {"S": earlier or run.id}}
        free = _condition("attribute_not_exists(id) OR run_id = :holder", holder)
        return {"Put": {"TableName": self.table, "Item": {**_prefix_key(uri), "run_id": {"S": run.id}}, **free}}

    def _owner(self, uri: str) -> str:
        answer = self.client.get_item(TableName=self.table, Key=_prefix_key(uri), ConsistentRead=True)
        return answer["Item"]["run_id"]["S"]

    def _ended(self, run_id: str) -> dict[str, Any]:
        """Build the check that a run has ended or is forgotten."""
        names = {f":{status.lower()}": {"S": str(status)} for status in sorted(ENDED_RUNS)}
        condition = _condition(f"attribute_not_exists(id) OR #status IN ({', '.join(names)})", names)
        return {
            "TableName": self.table,
            "Key": {"id": {"S": run_id}},
            "ExpressionAttributeNames": {"#status": "status"},
            **condition,
        }

    def _item(self, run: Run) -> dict[str, Any]:
        item: dict[str, Any] = {
            "id": {"S": run.id},
            "version": {"N": str(run.version)},
            "schema_version": {"N": str(SCHEMA_VERSION)},
            "status": {"S": str(run.status)},
            "created": {"S": _created(run)},
            "updated_at": {"S": _stamp(run.updated_at)},
            "reason": {"S": run.reason},
            "attempts": {"N": str(len(run.attempts))},
            "document": {"S": msgspec.json.encode(run).decode()},
        }
        if run.waits_for is not None:
            item |= {"waits_for": {"S": run.waits_for.key}, "waits_since": {"S": _created(run)}}
        if run.due_at is not None:
            item |= {"open": {"S": OPEN}, "check_at": {"S": _stamp(run.due_at)}}
        elif run.ended_at is not None:
            item["expires_at"] = {"N": str(int((run.ended_at + self.retention).timestamp()))}
        return item


def _read(run_id: str, item: dict[str, Any]) -> Run:
    """Read a run in the form of its schema version: fields that an earlier one lacks have their defaults."""
    version = int(item["schema_version"]["N"])
    if version > SCHEMA_VERSION:
        raise NewerSchemaError(run_id, version, SCHEMA_VERSION)
    run = _decoder.decode(item["document"]["S"])
    return run if version == SCHEMA_VERSION else _upgrade(_completed(run))


def _upgrade(run: Run) -> Run:
    """Return a run that was stored before version 4, whose canaries kept their refusal as their phase."""
    refusals = set(Refusal)
    canaries = tuple(
        replace(canary, phase=None, refusal=Refusal(canary.phase)) if canary.phase in refusals else canary
        for canary in run.canaries
    )
    return replace(run, canaries=canaries)


def _completed(value: Any) -> Any:
    """Give a value with each field that it lacks: msgspec leaves the default of such a one to the class.

    Then it reads as if it were there, but is neither copied nor stored.
    """
    match value:
        case tuple():
            return tuple(_completed(one) for one in value)
        case dict():
            return {key: _completed(one) for key, one in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            return type(value)(**{field.name: _completed(getattr(value, field.name)) for field in fields(value)})
        case _:
            return value


def _waiting(item: dict[str, Any]) -> Waiting:
    stamp, _, run_id = item["waits_since"]["S"].partition("#")
    return Waiting(datetime.fromisoformat(stamp), run_id)


def _unchanged(run: Run) -> tuple[str, dict[str, Any]]:
    return "version = :loaded", {":loaded": {"N": str(run.version)}}


def _condition(expression: str, values: dict[str, Any] | None) -> dict[str, Any]:
    return {"ConditionExpression": expression} | ({"ExpressionAttributeValues": values} if values else {})


def _prefix_key(uri: str) -> dict[str, Any]:
    """Give the key of a checkpoint prefix's item; no run's name holds a #, and no key more than 2048 bytes."""
    name = uri if len(uri.encode()) <= _MAX_PREFIX_BYTES else hashlib.sha256(uri.encode()).hexdigest()
    return {"id": {"S": f"checkpoints#{name}"}}


def _summary(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "run_id": item["id"]["S"],
        "status": item["status"]["S"],
        "reason": item["reason"]["S"],
        "attempts": int(item["attempts"]["N"]),
        "created_at": _shown(item["created"]["S"]),
        "updated_at": _shown(item["updated_at"]["S"]),
    }


def _shown(stamp: str) -> str:
    """Give the moment of a stamp as users see it everywhere else, in milliseconds."""
    return stamp[: len("2026-01-01T00:00:00.000")] + "Z"
