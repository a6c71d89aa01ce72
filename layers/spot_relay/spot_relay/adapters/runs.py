"""Store runs in DynamoDB: one item per run, one conditional write per step.

The same table has the items of `prefixes`, by which runs hold their checkpoint prefixes, and those of `names`,
`followers`, `slots`, `turns` and `prices`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from spot_relay.adapters.followers import build_entries, name_follower
from spot_relay.adapters.item_size import MAX_ITEM_BYTES, measure_item, says_too_large
from spot_relay.adapters.names import Names
from spot_relay.adapters.prefixes import Prefixes
from spot_relay.adapters.run_items import (
    OPEN,
    SCHEMA_VERSION,
    build_item,
    format_sortable,
    name_followed,
    name_queue,
    read_run,
    read_waiting,
    summarise_item,
)
from spot_relay.domain.run.history import drop_history
from spot_relay.domain.run.run import ENDED_RUNS, DueRun, Run, RunStatus, Waiting
from spot_relay.domain.sagemaker.job import MAX_JOB_NAME, is_short_id
from spot_relay.domain.values import dataclass
from spot_relay.ports import ConflictError, PrefixTakenError, RunExistsError, RunTooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from spot_relay.domain.sagemaker.job import Pool

_MAX_KEY_BYTES = 2048
# Runs whose prefixes are in one folder change the same item when they open and end. A collision passes at once.
_MAX_COLLISIONS = 10
# Check at most this many entries in the index of waiting runs for one that is up to date.
_MAX_CHECKED = 20


@dataclass(frozen=True)
class DynamoDBRunStore:
    """Stores runs in one table; they expire ``retention`` after they have ended."""

    client: DynamoDBClient
    table: str
    retention: timedelta = timedelta(days=90)
    max_item_bytes: int = MAX_ITEM_BYTES

    def create(self, run: Run) -> Run:
        """Store a new run, and return it with its version.

        Raises
        ------
        RunExistsError
            If the id is taken, in any spelling.
        PrefixTakenError
            If another open run owns the checkpoint prefix, a folder above it, or a prefix inside it.
        """
        run, item = self._fit(run)
        put = self._build_put(item, "attribute_not_exists(id)")
        entries = build_entries(self.table, run, item["created"]["S"])
        try:
            return self._open(run, put, [*self._names.build_writes(run.id), *entries])
        except ConflictError:
            if (existing := self.load(run.id)) is not None:
                raise RunExistsError(existing.id) from None
            if (expired := self._names.load_spelling(run.id)) is None:
                raise
        return self._open(run, put, [*self._names.build_writes(run.id, expired), *entries])

    def reopen(self, run: Run) -> Run:
        """Store a run that had ended and continues, as `save` does.

        Raises
        ------
        PrefixTakenError
            If another open run owns its checkpoint prefix by now, a folder above it, or a prefix inside it.
        """
        run, item = self._fit(run)
        return self._open(run, self._build_put(item, *_require_unchanged(run)))

    def load(self, run_id: str) -> Run | None:
        """Return a run, read consistently, or None if there is none.

        If there is none of exactly this name, the run whose name differs only in case is returned. Of a short id, the
        run that it stands for is returned.

        Raises
        ------
        NewerSchemaError
            If a newer release has stored it.
        """
        # DynamoDB refuses a key that is too long, and IAM refuses one of the other items in the table.
        if len(run_id.encode()) > _MAX_KEY_BYTES or "#" in run_id:
            return None
        if is_short_id(run_id):
            whole = self._names.load_whole(run_id)
            return None if whole is None else self.load(whole)
        run = self._load_exactly(run_id)
        # Nothing longer than a job's name can be the name of a run in another case.
        return self._load_otherwise_spelt(run_id) if run is None and len(run_id) <= MAX_JOB_NAME else run

    def _load_otherwise_spelt(self, run_id: str) -> Run | None:
        lower, spelling = run_id.lower(), self._names.load_spelling(run_id)
        if lower != run_id and (run := self._load_exactly(lower)) is not None:
            return run
        return None if spelling in {None, run_id} else self._load_exactly(str(spelling))

    def _load_exactly(self, run_id: str) -> Run | None:
        answer = self.client.get_item(
            TableName=self.table,
            Key={"id": {"S": run_id}},
            ConsistentRead=True,
            ProjectionExpression="document, schema_version",
        )
        item = answer.get("Item")
        return None if item is None else read_run(run_id, item)

    def save(self, run: Run) -> Run:
        """Store a run if its version is unchanged, and return it with the next version; else raise ConflictError."""
        run, item = self._fit(run)
        put = self._build_put(item, *_require_unchanged(run))
        uri, holds = run.checkpoint_uri, _holds_prefix(run)
        if uri is not None and holds != run.holds_prefix:
            late = self._prefixes.build_late_claims(uri, run.id) if holds else self._prefixes.build_releases(uri)
            if self._transact([{"Put": put}, *late]):
                raise ConflictError(run.id)
            return _stored(run)
        try:
            self.client.put_item(**put)
        except (self._errors.ConditionalCheckFailedException, self._errors.TransactionConflictException):
            raise ConflictError(run.id) from None
        except ClientError as error:
            if says_too_large(error.response["Error"]):
                raise RunTooLargeError(run.id) from error
            raise
        return _stored(run)

    def list_due(self, until: datetime) -> Iterable[DueRun]:
        """Yield the runs whose `due_at` has passed by then, the earliest first; no other item is read."""
        pages = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName="due",
            KeyConditionExpression="#open = :open AND check_at <= :until",
            ExpressionAttributeNames={"#open": "open"},
            ExpressionAttributeValues={":open": {"S": OPEN}, ":until": {"S": format_sortable(until)}},
        )
        for page in pages:
            for item in page["Items"]:
                yield DueRun(item["id"]["S"], datetime.fromisoformat(item["check_at"]["S"]))

    def oldest_waiting(self, *pools: Pool) -> dict[Pool, Waiting]:
        """Return the oldest run that waits for room in each of these pools, if there is one.

        Each entry of the index is checked against its run, because the index lags behind: a run that has just found
        room wakes the next one, and must not find itself. Runs stored by a newer release do not count, because no
        function of this release can launch them.
        """
        return {pool: oldest for pool in pools if (oldest := self._find_oldest(pool)) is not None}

    def _find_oldest(self, pool: Pool) -> Waiting | None:
        queried = self.client.get_paginator("query").paginate(
            TableName=self.table,
            IndexName="waiting",
            KeyConditionExpression="waits_for = :pool",
            ExpressionAttributeValues={":pool": {"S": pool.key}},
            PaginationConfig={"PageSize": 2, "MaxItems": _MAX_CHECKED},
        )
        listed = (item for page in queried for item in page["Items"])
        return next((read_waiting(item) for item in listed if self._load_pool(item["id"]["S"]) == pool.key), None)

    def _load_pool(self, run_id: str) -> str | None:
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

    def list_followers(self, run_id: str, told: str, at_most: int) -> tuple[tuple[str, ...], str | None]:
        """Return runs that wait for the end of this one, the oldest first, by the index, which may lag behind.

        Also return the age of the last one, after which the list goes on, or None if it does not. Some of them may wait
        no more.
        """
        return self._query_followers(name_followed(run_id), told, at_most)

    def list_queued(self, template: str, most: int) -> tuple[str, ...]:
        """Return the oldest runs that wait for others of their template, by the index, which may lag behind."""
        return self._query_followers(name_queue(template), "", most)[0]

    def _query_followers(self, followed: str, told: str, at_most: int) -> tuple[tuple[str, ...], str | None]:
        values = {":followed": {"S": followed}} | ({":told": {"S": told}} if told else {})
        answer = self.client.query(
            TableName=self.table,
            IndexName="waiting",
            KeyConditionExpression="waits_for = :followed" + (" AND waits_since > :told" if told else ""),
            ExpressionAttributeValues=values,
            Limit=at_most,
        )
        items = answer["Items"]
        goes_on = items and "LastEvaluatedKey" in answer
        names = tuple(dict.fromkeys(name_follower(item["id"]["S"]) for item in items))
        return names, items[-1]["waits_since"]["S"] if goes_on else None

    def page(
        self, status: RunStatus | None, limit: int, created_before: str | None
    ) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of runs, newest first, and the token of the next page, or None after the last one.

        Without a status, the pages of all statuses are merged.
        """
        statuses = [status] if status else list(RunStatus)
        items = [item for one in statuses for item in self._query_newest(one, limit + 1, created_before)]
        items.sort(key=lambda item: item["created"]["S"], reverse=True)
        page = items[:limit]
        next_token = page[-1]["created"]["S"] if len(items) > limit else None
        return [summarise_item(item) for item in page], next_token

    def _query_newest(self, status: RunStatus, limit: int, before: str | None) -> list[dict[str, Any]]:
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
    def _names(self) -> Names:
        return Names(self.client, self.table)

    @property
    def _prefixes(self) -> Prefixes:
        return Prefixes(self.client, self.table)

    @property
    def _errors(self) -> Any:
        return self.client.exceptions

    def _open(self, run: Run, put: dict[str, Any], others: Sequence[dict[str, Any]] = ()) -> Run:
        """Write a run that becomes open and, in the same transaction, its ownership of the checkpoint prefix.

        ``others`` are more writes and checks of the transaction.

        A run that has ended is named as the owner of its prefix until another run takes it over.
        """
        uri = run.checkpoint_uri
        if uri is None:
            writes = [{"Put": put}]
        else:
            self._prefixes.check_earlier_owners(uri, run.id)
            claims = self._prefixes.build_claims(uri, run.id) if _holds_prefix(run) else []
            writes = [{"Put": put}, self._prefixes.build_ownership(uri, run.id), *claims]
        failed, of_prefix = self._transact([*writes, *others]), set(range(1, len(writes)))
        if uri is not None and 1 in failed and failed <= of_prefix:
            owner, ended = self._prefixes.load_owner(uri), len(writes)
            writes[1] = self._prefixes.build_ownership(uri, run.id, owner)
            writes += [{"ConditionCheck": self._build_ended_check(owner)}, *others]
            # A transaction has at most one check of an item: the one in ``others`` is the stricter.
            failed = self._transact(list({_get_key(write): write for write in writes}.values()))
            if failed & {1, ended} and failed <= {*of_prefix, ended}:
                raise PrefixTakenError(uri, owner)
        if uri is not None and failed and failed <= of_prefix:
            claim = min(failed) - 2
            stale = self._prefixes.find_stale_owner(uri, claim)
            if stale is None:
                raise self._prefixes.build_overlap_error(uri, claim)
            folder, owner = stale
            is_gone = {"ConditionCheck": self._build_ended_check(owner)}
            self._transact([is_gone, self._prefixes.build_owner_removal(folder, owner)])
            return self._open(run, put, others)
        if failed:
            raise ConflictError(run.id)
        return _stored(run)

    def _transact(self, writes: list[dict[str, Any]]) -> set[int]:
        """Write all or nothing; return the indexes of the writes whose conditions failed, or raise ConflictError."""
        for _ in range(_MAX_COLLISIONS):
            try:
                self.client.transact_write_items(TransactItems=writes)  # type: ignore[arg-type]
            except self._errors.TransactionCanceledException as error:
                reasons = error.response["CancellationReasons"]
                codes = [reason["Code"] for reason in reasons]
                if "TransactionConflict" in codes:
                    continue
                if any(map(says_too_large, reasons)):
                    raise RunTooLargeError from error
                failed = {index for index, code in enumerate(codes) if code == "ConditionalCheckFailed"}
                if not failed:
                    raise
                return failed
            except ClientError as error:
                if says_too_large(error.response["Error"]):
                    raise RunTooLargeError from error
                raise
            return set()
        raise ConflictError

    def _fit(self, run: Run) -> tuple[Run, dict[str, Any]]:
        """Return a run and the item of its next version, without the oldest part of its history if it is too large.

        Raises
        ------
        RunTooLargeError
            If it is too large without any history.
        """
        for smaller in chain((run,), drop_history(run)):
            item = build_item(_stored(smaller), self.retention)
            if measure_item(item) <= self.max_item_bytes:
                return smaller, item
        raise RunTooLargeError(run.id)

    def _build_put(self, item: dict[str, Any], condition: str, values: dict[str, Any] | None = None) -> dict[str, Any]:
        return {"TableName": self.table, "Item": item, **_build_condition(condition, values)}

    def _build_ended_check(self, run_id: str) -> dict[str, Any]:
        """Return the check that a run has ended or expired."""
        names = {f":{status.lower()}": {"S": str(status)} for status in sorted(ENDED_RUNS)}
        condition = _build_condition(f"attribute_not_exists(id) OR #status IN ({', '.join(names)})", names)
        return {
            "TableName": self.table,
            "Key": {"id": {"S": run_id}},
            "ExpressionAttributeNames": {"#status": "status"},
            **condition,
        }


def _holds_prefix(run: Run) -> bool:
    return run.checkpoint_uri is not None and not run.has_ended


def _stored(run: Run) -> Run:
    """Return a run as it is once it has been written."""
    return replace(run, version=run.version + 1, holds_prefix=_holds_prefix(run))


def _require_unchanged(run: Run) -> tuple[str, dict[str, Any]]:
    return "version = :loaded", {":loaded": {"N": str(run.version)}}


def _build_condition(expression: str, values: dict[str, Any] | None) -> dict[str, Any]:
    return {"ConditionExpression": expression} | ({"ExpressionAttributeValues": values} if values else {})


def _get_key(write: dict[str, Any]) -> str:
    (body,) = write.values()
    key: str = body.get("Key", body.get("Item"))["id"]["S"]
    return key
