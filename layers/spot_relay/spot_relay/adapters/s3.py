"""What Spot Relay reads and writes in S3.

Checkpoints, status documents, uploaded specs and their error reports, the input data of training jobs, a price file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ParamValidationError

from spot_relay.domain.run.prices import PriceList, UnusablePricesError, read_prices
from spot_relay.domain.sagemaker.job import Checkpoint
from spot_relay.domain.shown.report import iso

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mypy_boto3_s3 import S3Client

    from spot_relay.adapters.inbound import Upload

# Marker files that SageMaker's containers leave beside checkpoints, such as xgboost-checkpoint.3.sagemaker-uploaded.
_MARKER = ".sagemaker-"
_MAX_KEY_BYTES = 1024
# Why these can't be listed proves nothing of the data: the job itself will tell.
_UNLISTED = frozenset({"AccessDenied", "AuthorizationHeaderMalformed", "NoSuchBucket", "PermanentRedirect"})
_MAX_LISTED = 1000
# Some 4000 instance types, and an item of the table, where the list is kept, has 400 KB.
_MAX_PRICE_FILE_BYTES = 256 * 1024


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
class S3InputFiles:
    """The input data of training jobs, where the function may list it."""

    client: S3Client

    def count(self, uri: str, at_most: int) -> int | None:
        """Count the objects under a prefix, up to a bound; folders do not count. None where they may not be listed."""
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        # One more than is asked for: the prefix is often a folder that is an object, too.
        size = min(at_most + 1, _MAX_LISTED)
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix, PaginationConfig={"PageSize": size}
        )
        files = (item for page in pages for item in page.get("Contents", []) if not item["Key"].endswith("/"))
        try:
            return sum(1 for _ in islice(files, at_most))
        except ParamValidationError:
            return None
        except ClientError as error:
            if error.response["Error"]["Code"] in _UNLISTED:
                return None
            raise


@dataclass(frozen=True)
class S3PriceFile:
    """A price file of the operator's own."""

    client: S3Client
    uri: str

    def fetch(self, now: datetime) -> PriceList:
        """Read the file; UnusablePricesError if it can't be read, or tells what field of it is wrong."""
        bucket, _, key = self.uri.removeprefix("s3://").partition("/")
        try:
            answer = self.client.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            why = f"it can't be read ({error}); see that it is there, and that the function may read it"
            raise self._unusable(why) from error
        with answer["Body"] as body:
            content = body.read(_MAX_PRICE_FILE_BYTES + 1)
        if len(content) > _MAX_PRICE_FILE_BYTES:
            raise self._unusable(f"it has more than {_MAX_PRICE_FILE_BYTES} bytes")
        try:
            return PriceList(self.uri, now, read_prices(content.decode("utf-8")))
        except UnicodeDecodeError as error:
            raise self._unusable(f"it is no UTF-8 ({error})") from None
        except UnusablePricesError as error:
            raise self._unusable(str(error)) from None

    def _unusable(self, why: str) -> UnusablePricesError:
        return UnusablePricesError(f"the price file {self.uri} can't be used: {why}")


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
