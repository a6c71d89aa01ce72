"""Read and write objects in S3.

Checkpoints, status documents, uploaded specs and their error reports, the input data of training jobs, and a price
file.
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
# If data cannot be listed for one of these reasons, the job may still be able to read it.
_NOT_LISTABLE = frozenset({"AccessDenied", "AuthorizationHeaderMalformed", "NoSuchBucket", "PermanentRedirect"})
_MAX_PAGE = 1000
# Room for about 4000 instance types; the list must fit into one DynamoDB item of 400 KB.
_MAX_PRICE_FILE_BYTES = 256 * 1024


@dataclass(frozen=True)
class S3Checkpoints:
    """Finds checkpoints under any prefix that the function may list."""

    client: S3Client

    def find_newest(self, uri: str) -> Checkpoint | None:
        """Return the newest checkpoint under ``s3://bucket/prefix/``, or None; markers and folders do not count.

        A bucket that does not exist contains none. A bucket that cannot be listed raises: nothing is known about it.
        """
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        checkpoints = (
            Checkpoint(item["Key"], item["LastModified"])
            for page in pages
            for item in page.get("Contents", [])
            if not item["Key"].endswith("/") and _MARKER not in item["Key"].rpartition("/")[2]
        )
        try:
            # S3 has a resolution of one second. Within one, prefer the longer key (a later round), then the greater.
            return max(checkpoints, key=lambda c: (c.last_modified, len(c.key), c.key), default=None)
        except self.client.exceptions.NoSuchBucket:
            return None


@dataclass(frozen=True)
class S3InputFiles:
    """Counts the input files of training jobs, where the function may list them."""

    client: S3Client

    def count(self, uri: str, at_most: int) -> int | None:
        """Return the number of objects under a prefix without folders, up to a limit; None if they cannot be listed."""
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        # Request one more, because the prefix is often a folder with an object of its own.
        size = min(at_most + 1, _MAX_PAGE)
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=prefix, PaginationConfig={"PageSize": size}
        )
        files = (item for page in pages for item in page.get("Contents", []) if not item["Key"].endswith("/"))
        try:
            return sum(1 for _ in islice(files, at_most))
        except ParamValidationError:
            return None
        except ClientError as error:
            if error.response["Error"]["Code"] in _NOT_LISTABLE:
                return None
            raise


@dataclass(frozen=True)
class S3PriceFile:
    """Reads the operator's own price file."""

    client: S3Client
    uri: str

    def fetch(self, now: datetime) -> PriceList:
        """Read the file; raise UnusablePricesError if it cannot be read, or with every field that is wrong."""
        bucket, _, key = self.uri.removeprefix("s3://").partition("/")
        try:
            answer = self.client.get_object(Bucket=bucket, Key=key)
        except ClientError as error:
            why = f"it cannot be read ({error}). Check that it exists and that the function may read it."
            raise self._refuse(why) from error
        with answer["Body"] as body:
            content = body.read(_MAX_PRICE_FILE_BYTES + 1)
        if len(content) > _MAX_PRICE_FILE_BYTES:
            raise self._refuse(f"it has more than {_MAX_PRICE_FILE_BYTES} bytes.")
        try:
            return PriceList(self.uri, now, read_prices(content.decode("utf-8")))
        except UnicodeDecodeError as error:
            raise self._refuse(f"it is not UTF-8 ({error}).") from None
        except UnusablePricesError as error:
            raise self._refuse(str(error)) from None

    def _refuse(self, why: str) -> UnusablePricesError:
        return UnusablePricesError(f"The price file {self.uri} cannot be used: {why}")


@dataclass(frozen=True)
class S3StatusDocuments:
    """Writes status documents to the bucket for specs."""

    client: S3Client
    bucket: str

    def write(self, run_id: str, document: dict[str, Any]) -> None:
        """Write ``status/<run-id>.json``."""
        _write(self.client, self.bucket, f"status/{run_id}.json", document)


@dataclass(frozen=True)
class SpecFiles:
    """Reads uploaded specs, and writes reports of their problems."""

    client: S3Client

    def read(self, upload: Upload, limit: int) -> bytes | None:
        """Return at most ``limit`` + 1 bytes of an uploaded object, or None if it no longer exists."""
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
        """Write ``errors/<key>.json`` with every problem of a spec that was refused."""
        document = {
            "key": upload.key,
            "version_id": upload.version_id,
            "reported_at": iso(now),
            "errors": list(errors),
        }
        _write(self.client, upload.bucket, build_report_key(upload.key), document)

    def clear(self, upload: Upload) -> None:
        """Delete the report of an earlier upload with the same key, because its spec is now accepted."""
        self.client.delete_object(Bucket=upload.bucket, Key=build_report_key(upload.key))


def build_report_key(key: str) -> str:
    """Return the key of the error report for a spec; if it is too long for S3, it is cut and ends in a digest."""
    name = f"errors/{key}.json"
    if len(name.encode()) <= _MAX_KEY_BYTES:
        return name
    digest = hashlib.sha256(key.encode()).hexdigest()
    beginning = key.encode()[: _MAX_KEY_BYTES - len(f"errors/-{digest}.json")].decode(errors="ignore")
    return f"errors/{beginning}-{digest}.json"


def _write(client: S3Client, bucket: str, key: str, document: dict[str, Any]) -> None:
    body = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    client.put_object(Bucket=bucket, Key=key, Body=body.encode(), ContentType="application/json")
