"""Read and write objects in S3.

Checkpoints, status documents, uploaded specs and their error reports, the input data of training jobs, and a price
file.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import field
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, ParamValidationError

from spot_relay.adapters.inbound import SUFFIXES, TEMPLATES, Upload
from spot_relay.domain.rules.checkpoints import CheckpointSearch, StoredObject, find_newest
from spot_relay.domain.run.prices import PriceList, UnusablePricesError, read_prices
from spot_relay.domain.shown.report import iso
from spot_relay.domain.values import No, dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from mypy_boto3_s3 import S3Client

# One call of a function, which may look at several runs, takes no longer than this.
_LONGEST_CALL_SECONDS = 60
_MAX_KEY_BYTES = 1024
# If data cannot be listed for one of these reasons, the job may still be able to read it.
_NOT_LISTABLE = frozenset({"AccessDenied", "AuthorizationHeaderMalformed", "NoSuchBucket", "PermanentRedirect"})
_MAX_PAGE = 1000
# Room for about 4000 instance types; the list must fit into one DynamoDB item of 400 KB.
_MAX_PRICE_FILE_BYTES = 256 * 1024


@dataclass(frozen=True)
class CallTime:
    """The seconds that one call of a function may spend on checkpoints, perhaps on those of several runs."""

    seconds: float
    monotonic: Callable[[], float] = time.monotonic
    recent: deque[tuple[float, float]] = field(default_factory=deque)
    """When the most recent work began, and how long it took."""

    @contextmanager
    def spend(self) -> Iterator[float]:
        """Yield when the time is over, by what may have been spent in the same call, and count what is spent now."""
        began = self.monotonic()
        while self.recent and self.recent[0][0] < began - _LONGEST_CALL_SECONDS:
            self.recent.popleft()
        try:
            yield began + self.seconds - sum(took for _, took in self.recent)
        finally:
            self.recent.append((began, self.monotonic() - began))


@dataclass(frozen=True)
class S3Checkpoints:
    """Finds checkpoints under any prefix that the function may list, within a number of seconds for each of its calls.

    S3 lists by key, never by time, so that the newest checkpoint is only known when all objects have been listed.
    """

    client: S3Client
    time: CallTime = field(default_factory=lambda: CallTime(40))
    max_objects: int = 250_000
    """About what the memory of a function can hold."""

    def find_newest(self, uri: str, pattern: str | None = None) -> CheckpointSearch | No:
        """Return the newest checkpoint under ``s3://bucket/prefix/``, or No if not all objects could be listed.

        A bucket that does not exist contains none. An error that may pass raises: nothing is known.
        """
        listed = self.list_objects(uri)
        prefix = uri.removeprefix("s3://").partition("/")[2]
        return listed if isinstance(listed, No) else find_newest(prefix, listed, pattern)

    def list_objects(self, uri: str) -> list[StoredObject] | No:
        """Return all objects under a prefix, or No if not all of them could be listed; errors are those of a search."""
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        try:
            with self.time.spend() as end:
                return self._list(bucket, prefix, end)
        except self.client.exceptions.NoSuchBucket:
            return []
        except ClientError as error:
            if (code := error.response["Error"]["Code"]) not in _NOT_LISTABLE:
                raise
            return No(
                f"The checkpoints cannot be listed: S3 answers {code} for the bucket {bucket}. Let the stack list it, "
                "with its parameter AllowedCheckpointBuckets and the bucket's policy."
            )

    def _list(self, bucket: str, prefix: str, end: float) -> list[StoredObject] | No:
        """Return all objects under a prefix, or No when the time is over or there are too many."""
        objects: list[StoredObject] = []
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            objects.extend(
                StoredObject(item["Key"][len(prefix) :], item["LastModified"], item["Size"])
                for item in page.get("Contents", [])
            )
            if page.get("IsTruncated") and (self.time.monotonic() >= end or len(objects) >= self.max_objects):
                return No(
                    f"The checkpoints cannot be found: {len(objects)} objects under the prefix were listed, and then "
                    "time or memory was used up. Delete old checkpoints, or move logs and data out of the prefix."
                )
        return objects


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


@dataclass(frozen=True)
class S3TemplateFiles:
    """Reads templates in the bucket for specs, of which it reads no more than ``limit`` bytes and one."""

    client: S3Client
    bucket: str
    limit: int

    def list(self) -> Iterator[tuple[str, str]]:
        """Yield the key and the entity tag of each template."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=TEMPLATES)
        for page in pages:
            for item in page.get("Contents", []):
                if item["Key"].lower().endswith(SUFFIXES):
                    yield item["Key"], item["ETag"]

    def read(self, key: str) -> bytes | None:
        """Return the beginning of a template as it is now, or None if it is gone."""
        return self._specs.read(Upload(self.bucket, key, None), self.limit)

    def report(self, key: str, errors: Sequence[dict[str, str]], now: datetime) -> None:
        """Write ``errors/<key>.json``."""
        self._specs.report(Upload(self.bucket, key, None), errors, now)

    def clear(self, key: str) -> None:
        """Delete ``errors/<key>.json``."""
        self._specs.clear(Upload(self.bucket, key, None))

    @property
    def _specs(self) -> SpecFiles:
        return SpecFiles(self.client)


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
