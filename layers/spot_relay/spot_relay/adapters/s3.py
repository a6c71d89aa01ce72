"""What Spot Relay reads and writes in S3: checkpoints, status documents, uploaded specs and their error reports."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from spot_relay.domain.job import Checkpoint
from spot_relay.domain.report import iso

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mypy_boto3_s3 import S3Client

    from spot_relay.adapters.inbound import Upload

# Marker files that SageMaker's containers leave beside checkpoints, such as xgboost-checkpoint.3.sagemaker-uploaded.
_MARKER = ".sagemaker-"
_MAX_KEY_BYTES = 1024


@dataclass(frozen=True)
class S3Checkpoints:
    """Checkpoints under any prefix that the function may list."""

    client: S3Client

    def newest(self, uri: str) -> Checkpoint | None:
        """Find the newest checkpoint under ``s3://bucket/prefix/``, or None; markers and folders do not count.

        A bucket that does not exist holds none. One that can't be read proves nothing, and raises.
        """
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        found = (
            Checkpoint(item["Key"], item["LastModified"])
            for page in pages
            for item in page.get("Contents", [])
            if not item["Key"].endswith("/") and _MARKER not in item["Key"].rpartition("/")[2]
        )
        try:
            # S3 tells seconds only: of two in one second the longer key is the later round, then the greater.
            return max(found, key=lambda c: (c.last_modified, len(c.key), c.key), default=None)
        except self.client.exceptions.NoSuchBucket:
            return None


@dataclass(frozen=True)
class S3StatusDocuments:
    """Status documents in the bucket of specs."""

    client: S3Client
    bucket: str

    def write(self, run_id: str, document: dict[str, Any]) -> None:
        """Write ``status/<run-id>.json``."""
        _write(self.client, self.bucket, f"status/{run_id}.json", document)


@dataclass(frozen=True)
class SpecFiles:
    """Uploaded specs, and the reports of what is wrong with them."""

    client: S3Client

    def read(self, upload: Upload, limit: int) -> bytes | None:
        """Read an uploaded object, at most ``limit`` + 1 bytes of it; None if it is gone."""
        version: dict[str, Any] = {"VersionId": upload.version_id} if upload.version_id else {}
        try:
            answer = self.client.get_object(Bucket=upload.bucket, Key=upload.key, **version)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"NoSuchKey", "NoSuchVersion"}:
                return None
            raise
        with answer["Body"] as body:
            return body.read(limit + 1)

    def report(self, upload: Upload, errors: Sequence[dict[str, str]], now: datetime) -> None:
        """Write ``errors/<key>.json`` beside a spec that was refused, with every problem found."""
        document = {
            "key": upload.key,
            "version_id": upload.version_id,
            "reported_at": iso(now),
            "errors": list(errors),
        }
        _write(self.client, upload.bucket, report_key(upload.key), document)

    def clear(self, upload: Upload) -> None:
        """Remove the report of an earlier upload of the same key, now that its spec is accepted."""
        self.client.delete_object(Bucket=upload.bucket, Key=report_key(upload.key))


def report_key(key: str) -> str:
    """Name the error report of a spec's key; one that would be too long for S3 is cut and ends in a digest."""
    name = f"errors/{key}.json"
    if len(name.encode()) <= _MAX_KEY_BYTES:
        return name
    digest = hashlib.sha256(key.encode()).hexdigest()
    kept = key.encode()[: _MAX_KEY_BYTES - len(f"errors/-{digest}.json")].decode(errors="ignore")
    return f"errors/{kept}-{digest}.json"


def _write(client: S3Client, bucket: str, key: str, document: dict[str, Any]) -> None:
    body = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    client.put_object(Bucket=bucket, Key=key, Body=body.encode(), ContentType="application/json")
