"""The items by which open runs hold their checkpoint prefixes, so that no prefix lies inside another one.

``checkpoints#<prefix>`` names the run that holds a prefix, and stays when that run has ended. ``folders#<folder>`` is
about one folder: ``owner`` is the open run whose prefix the folder is, and ``inside`` counts the open runs whose
prefixes lie inside it. A run that opens checks and changes the item of its prefix and of each folder above it in the
transaction that stores the run, and one that ends does the same backwards. So of two runs that open at the same moment,
one inside the other, one meets the other's item. The work depends on the depth of the prefix alone.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from spot_relay.domain.run.run import ENDED_RUNS
from spot_relay.domain.values import dataclass
from spot_relay.ports import ConflictError, PrefixTakenError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# A transaction has at most 100 actions, and those of the run and of a prefix taken over are among them.
_MAX_FOLDERS = 90
_MAX_PREFIX_BYTES = 1024
# Every DynamoDB, the local ones too, reads as many items in one call.
_MAX_READS = 25


@dataclass(frozen=True)
class Prefixes:
    """The checkpoint prefixes that the runs of one table hold."""

    client: DynamoDBClient
    table: str

    def build_ownership(self, uri: str, run_id: str, earlier: str | None = None) -> dict[str, Any]:
        """Return the write that makes a run the owner of a prefix, which is free so far or owned by ``earlier``."""
        is_free = {
            "ConditionExpression": "attribute_not_exists(id) OR run_id = :owner",
            "ExpressionAttributeValues": {":owner": {"S": earlier or run_id}},
        }
        return {
            "Put": {"TableName": self.table, "Item": {**_build_prefix_key(uri), "run_id": {"S": run_id}}, **is_free}
        }

    def load_owner(self, uri: str) -> str:
        """Return the run that a prefix names as its owner."""
        answer = self.client.get_item(TableName=self.table, Key=_build_prefix_key(uri), ConsistentRead=True)
        return answer["Item"]["run_id"]["S"]

    def build_claims(self, uri: str, run_id: str) -> list[dict[str, Any]]:
        """Return the writes by which a run takes its prefix: no open run may hold a folder above it, or one inside."""
        *above, own = _list_folders(uri)
        values = {":run": {"S": run_id}, ":zero": {"N": "0"}}
        taken = {
            "TableName": self.table,
            "Key": _build_folder_key(own),
            "UpdateExpression": "SET #owner = :run",
            "ConditionExpression": "(attribute_not_exists(#owner) OR #owner = :run) AND "
            "(attribute_not_exists(inside) OR inside <= :zero)",
            "ExpressionAttributeNames": {"#owner": "owner"},
            "ExpressionAttributeValues": values,
        }
        counted = (self._build_count(folder, run_id, must_be_free=True) for folder in above)
        return [{"Update": taken}, *({"Update": count} for count in counted)]

    def build_late_claims(self, uri: str, run_id: str) -> list[dict[str, Any]]:
        """Return the writes that count an open run stored by an earlier release, whatever others hold."""
        *above, own = _list_folders(uri)
        held = {
            "TableName": self.table,
            "Key": _build_folder_key(own),
            "UpdateExpression": "SET #owner = :run",
            "ExpressionAttributeNames": {"#owner": "owner"},
            "ExpressionAttributeValues": {":run": {"S": run_id}},
        }
        return [
            {"Update": held},
            *({"Update": self._build_count(folder, run_id, must_be_free=False)} for folder in above),
        ]

    def build_releases(self, uri: str) -> list[dict[str, Any]]:
        """Return the writes by which a run that ends gives its prefix back."""
        *above, own = _list_folders(uri)
        freed = {
            "TableName": self.table,
            "Key": _build_folder_key(own),
            "UpdateExpression": "REMOVE #owner",
            "ExpressionAttributeNames": {"#owner": "owner"},
        }
        return [{"Update": freed}, *({"Update": self._build_discount(folder)} for folder in above)]

    def check_earlier_owners(self, uri: str, run_id: str) -> None:
        """Raise PrefixTakenError if a run stored by an earlier release, which claimed no folders, holds one above."""
        above = _list_folders(uri)[:-1]
        for start in range(0, len(above), _MAX_READS):
            folders = above[start : start + _MAX_READS]
            reads: Any = [{"Get": {"TableName": self.table, "Key": _build_prefix_key(folder)}} for folder in folders]
            answers = self.client.transact_get_items(TransactItems=reads)["Responses"]
            for folder, answer in zip(folders, answers, strict=True):
                owner = answer["Item"]["run_id"]["S"] if answer.get("Item") else None
                if owner is not None and owner != run_id and self._find_open(owner):
                    raise PrefixTakenError(uri, owner, f"lies inside {folder}, which")

    def check_free(self, uri: str, run_id: str) -> None:
        """Raise PrefixTakenError if an open run other than this one holds the prefix, or one above or inside it."""
        found = self.client.get_item(TableName=self.table, Key=_build_prefix_key(uri), ConsistentRead=True).get("Item")
        owner = found["run_id"]["S"] if found else run_id
        if owner != run_id and self._find_open(owner):
            raise PrefixTakenError(uri, owner)
        self.check_earlier_owners(uri, run_id)
        for claim in range(len(_list_folders(uri))):
            folder, item = self._load_folder(uri, claim)
            holder = item["owner"]["S"] if "owner" in item else run_id
            if holder != run_id and self._find_open(holder):
                raise PrefixTakenError(uri, holder, f"lies inside {folder}, which")
            if claim == 0 and int(item.get("inside", {"N": "0"})["N"]) > 0:
                raise PrefixTakenError(uri, self._find_open(item["newest"]["S"]), "contains a prefix that")

    def find_stale_owner(self, uri: str, claim: int) -> tuple[str, str] | None:
        """Return the folder of a claim that has failed, and its owner, if that run has ended or its item is gone."""
        folder, item = self._load_folder(uri, claim)
        owner = item["owner"]["S"] if "owner" in item else None
        return None if owner is None or self._find_open(owner) else (folder, owner)

    def build_owner_removal(self, folder: str, owner: str) -> dict[str, Any]:
        """Return the write that takes a folder from a run that still holds it."""
        removal = {
            "TableName": self.table,
            "Key": _build_folder_key(folder),
            "UpdateExpression": "REMOVE #owner",
            "ConditionExpression": "#owner = :owner",
            "ExpressionAttributeNames": {"#owner": "owner"},
            "ExpressionAttributeValues": {":owner": {"S": owner}},
        }
        return {"Update": removal}

    def build_overlap_error(self, uri: str, claim: int) -> Exception:
        """Return the error for a prefix whose claim has failed at its own folder (0) or at one above it."""
        folder, item = self._load_folder(uri, claim)
        if "owner" in item:
            return PrefixTakenError(uri, item["owner"]["S"], f"lies inside {folder}, which")
        if "newest" in item:
            return PrefixTakenError(uri, self._find_open(item["newest"]["S"]), "contains a prefix that")
        return ConflictError(uri)

    def _build_count(self, folder: str, run_id: str, *, must_be_free: bool) -> dict[str, Any]:
        condition = {"ConditionExpression": "attribute_not_exists(#owner)"} if must_be_free else {}
        names = {"ExpressionAttributeNames": {"#owner": "owner"}} if must_be_free else {}
        return {
            "TableName": self.table,
            "Key": _build_folder_key(folder),
            "UpdateExpression": "SET newest = :run ADD inside :one",
            "ExpressionAttributeValues": {":run": {"S": run_id}, ":one": {"N": "1"}},
            **condition,
            **names,
        }

    def _build_discount(self, folder: str) -> dict[str, Any]:
        return {
            "TableName": self.table,
            "Key": _build_folder_key(folder),
            "UpdateExpression": "ADD inside :less",
            "ExpressionAttributeValues": {":less": {"N": "-1"}},
        }

    def _load_folder(self, uri: str, claim: int) -> tuple[str, dict[str, Any]]:
        *above, own = _list_folders(uri)
        folder = own if claim == 0 else above[claim - 1]
        answer = self.client.get_item(TableName=self.table, Key=_build_folder_key(folder), ConsistentRead=True)
        return folder, dict(answer.get("Item", {}))

    def _find_open(self, run_id: str) -> str | None:
        """Return a run's id if it is open, else None."""
        answer = self.client.get_item(
            TableName=self.table,
            Key={"id": {"S": run_id}},
            ConsistentRead=True,
            ProjectionExpression="#status",
            ExpressionAttributeNames={"#status": "status"},
        )
        is_open = "Item" in answer and answer["Item"]["status"]["S"] not in ENDED_RUNS
        return run_id if is_open else None


def _list_folders(uri: str) -> tuple[str, ...]:
    """Return the folders above a prefix and, last, the folder that stands for it.

    Beyond `_MAX_FOLDERS` levels that is the deepest folder counted, as if the run held all of it.
    """
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    parts = prefix.removesuffix("/").split("/")[:_MAX_FOLDERS]
    return tuple(f"s3://{bucket}/{'/'.join(parts[:depth])}/" for depth in range(1, len(parts) + 1))


def _build_prefix_key(uri: str) -> dict[str, Any]:
    """Return the key of the item that names a prefix's run; no run's name contains a #."""
    return {"id": {"S": f"checkpoints#{_fit_key(uri)}"}}


def _build_folder_key(folder: str) -> dict[str, Any]:
    """Return the key of a folder's item."""
    return {"id": {"S": f"folders#{_fit_key(folder)}"}}


def _fit_key(uri: str) -> str:
    """Return a URI, or its digest if it could be too long for a key, which has at most 2,048 bytes."""
    return uri if len(uri.encode()) <= _MAX_PREFIX_BYTES else hashlib.sha256(uri.encode()).hexdigest()
