"""Copy checkpoints within S3, in calls that are bounded in time: a large copy takes several of them."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from spot_relay.domain.rules.checkpoints import find_newest, list_copied
from spot_relay.domain.run.checkpoint_copy import Copied, CopyPaused, Uncopied
from spot_relay.domain.sagemaker.job import Checkpoint
from spot_relay.domain.values import No

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

    from spot_relay.adapters.s3 import S3Checkpoints
    from spot_relay.domain.rules.checkpoints import StoredObject
    from spot_relay.domain.run.checkpoint_copy import CheckpointCopy, CopyAnswer

# Both prefixes are listed in each call, which must leave time to copy.
MOST_OBJECTS = 10_000
# S3 copies at most 5 GB at once, and a call of a function has to know soon that it goes on.
PART_BYTES = 32 * 1024**2
_MOST_PARTS = 10_000
_PASSING = frozenset({"NoSuchKey", "NoSuchUpload", "RequestTimeout", "SlowDown", "Throttling", "ThrottlingException"})
_SERVER_ERROR = 500
_DENIED = "AccessDenied"

_One = TypeVar("_One")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class S3CheckpointCopies:
    """Copies what a run needs of another one's prefix to its own, within a number of seconds for each call."""

    client: S3Client
    checkpoints: S3Checkpoints
    seconds: float = 25
    part_bytes: int = PART_BYTES
    threads: int = 8

    def copy(self, copy: CheckpointCopy, destination: str) -> CopyAnswer:
        """Copy the next objects; whatever a call before may have copied already is copied once more."""
        found, there = (self.checkpoints.list_objects(uri) for uri in (copy.source, destination))
        if isinstance(found, No) or isinstance(there, No):
            return Uncopied(next(one.because for one in (found, there) if isinstance(one, No)), passes=True)
        wanted, newest = list_copied(found), find_newest("", found, copy.pattern).newest
        if obstacle := _find_obstacle(copy, destination, wanted, there, newest):
            return obstacle
        work, clock = _Work(self, copy, destination, wanted), self.checkpoints.time
        with clock.spend() as end:
            answer = work.run(min(end, clock.monotonic() + self.seconds))
        return answer or self._complete(destination, wanted, newest)

    def _complete(self, destination: str, wanted: Sequence[StoredObject], newest: Checkpoint | None) -> CopyAnswer:
        """Return the newest checkpoint among the copies, after a look at whether they are all there."""
        there = self.checkpoints.list_objects(destination)
        if isinstance(there, No) or newest is None:
            return CopyPaused(len(wanted), wanted[-1].key)
        sizes = {one.key: one.size for one in there}
        if missing := next((one.key for one in wanted if sizes.get(one.key) != one.size), None):
            return Uncopied(
                f"{missing} was copied to {destination}, and is not there any more as it was. Find out who changes the "
                "files under that prefix.",
                passes=False,
            )
        prefix = destination.removeprefix("s3://").partition("/")[2]
        return Copied(Checkpoint(prefix + newest.key, max(one.last_modified for one in there), newest.size))


def _find_obstacle(
    copy: CheckpointCopy,
    destination: str,
    wanted: Sequence[StoredObject],
    there: Sequence[StoredObject],
    newest: Checkpoint | None,
) -> Uncopied | None:
    """Return why these objects cannot be copied at all."""
    if newest is None:
        return Uncopied(f"there is no complete checkpoint under {copy.source}.", passes=False)
    if len(wanted) > MOST_OBJECTS:
        return Uncopied(
            f"there are {len(wanted)} files under {copy.source}, and at most {MOST_OBJECTS} can be copied. Delete old "
            "checkpoints, or move logs and data out of the prefix.",
            passes=False,
        )
    keys = {one.key for one in wanted}
    others = [one.key for one in there if one.key and not one.key.endswith("/") and one.key not in keys]
    if others:
        return Uncopied(
            f"{destination} has other files, such as {others[0]}, and the training could take them for its newest "
            "checkpoint. Use an empty prefix.",
            passes=False,
        )
    return None


@dataclass
class _Work:
    """The work of one call: ``done`` and ``upload`` are how far it is, and ``moves`` whether that is any further."""

    copies: S3CheckpointCopies
    copy: CheckpointCopy
    destination: str
    wanted: Sequence[StoredObject]
    done: int = 0
    upload: str | None = None
    moves: bool = False

    def __post_init__(self) -> None:
        self.client, self.now = self.copies.client, self.copies.checkpoints.time.monotonic
        self.source, self.source_prefix = _split(self.copy.source)
        self.bucket, self.prefix = _split(self.destination)
        done = self.copy.done
        if 0 < done <= len(self.wanted) and self.wanted[done - 1].key == self.copy.after:
            self.done = done
        if self.done == done:
            self.upload = self.copy.upload

    def run(self, end: float) -> CopyPaused | Uncopied | None:
        """Copy until the time is up; return None once everything is copied."""
        with ThreadPoolExecutor(self.copies.threads) as pool:
            try:
                while self.done < len(self.wanted):
                    if self.now() >= end or not self._copy_next(pool, end):
                        return self._pause()
            except (ClientError, BotoCoreError) as error:
                return self._follow_error(error)
        return None

    def _copy_next(self, pool: ThreadPoolExecutor, end: float) -> bool:
        """Copy the next objects, or all parts of the next one; return whether there was time for that."""
        size, most = self.copies.part_bytes, 4 * self.copies.threads
        if self.wanted[self.done].size > size:
            if not self._copy_parts(self.wanted[self.done], pool, end):
                return False
            self.done, self.upload, self.moves = self.done + 1, None, True
            return True
        rest = self.wanted[self.done : self.done + most]
        count = next((index for index, one in enumerate(rest) if one.size > size), len(rest))
        _do_all(pool, self._copy_whole, rest[:count])
        self.done, self.upload, self.moves = self.done + count, None, True
        return True

    def _copy_whole(self, one: StoredObject) -> None:
        # The tags of an object would need more rights.
        self.client.copy_object(
            Bucket=self.bucket,
            Key=self.prefix + one.key,
            CopySource={"Bucket": self.source, "Key": self.source_prefix + one.key},
            TaggingDirective="REPLACE",
        )

    def _copy_parts(self, one: StoredObject, pool: ThreadPoolExecutor, end: float) -> bool:
        """Copy the parts of an object that are not copied yet; return whether it is complete."""
        key = self.prefix + one.key
        known = self._list_parts(key)
        if self.upload is None:
            self.upload = self.client.create_multipart_upload(Bucket=self.bucket, Key=key)["UploadId"]
        upload, size = self.upload, max(self.copies.part_bytes, ceil(one.size / _MOST_PARTS))

        def copy_part(number: int) -> tuple[int, str]:
            last = min(number * size, one.size) - 1
            answer = self.client.upload_part_copy(
                Bucket=self.bucket,
                Key=key,
                UploadId=upload,
                PartNumber=number,
                CopySource={"Bucket": self.source, "Key": self.source_prefix + one.key},
                CopySourceRange=f"bytes={(number - 1) * size}-{last}",
            )
            self.moves = True
            return number, answer["CopyPartResult"]["ETag"]

        missing = [number for number in range(1, ceil(one.size / size) + 1) if number not in known]
        for first in range(0, len(missing), self.copies.threads):
            if self.now() >= end:
                return False
            known.update(_do_all(pool, copy_part, missing[first : first + self.copies.threads]))
        parts: list[CompletedPartTypeDef] = [{"PartNumber": number, "ETag": known[number]} for number in sorted(known)]
        self.client.complete_multipart_upload(
            Bucket=self.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
        )
        return True

    def _list_parts(self, key: str) -> dict[int, str]:
        """Return the parts that an upload has already; one that is gone is forgotten."""
        if self.upload is None:
            return {}
        try:
            pages = list(
                self.client.get_paginator("list_parts").paginate(Bucket=self.bucket, Key=key, UploadId=self.upload)
            )
        except self.client.exceptions.NoSuchUpload:
            self.upload = None
            return {}
        return {part["PartNumber"]: part["ETag"] for page in pages for part in page.get("Parts", [])}

    def _pause(self) -> CopyPaused:
        return CopyPaused(self.done, self.wanted[self.done - 1].key if self.done else None, self.upload)

    def _follow_error(self, error: ClientError | BotoCoreError) -> CopyPaused | Uncopied:
        """Keep what was copied before an error that may pass; else leave nothing behind that costs money unseen."""
        passes, told = _judge(error, self.copy.source, self.destination)
        if passes and self.moves:
            return self._pause()
        if self.upload is not None and self.done < len(self.wanted):
            with suppress(ClientError, BotoCoreError):
                key = self.prefix + self.wanted[self.done].key
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=key, UploadId=self.upload)
        return Uncopied(told, passes)


def _do_all(pool: ThreadPoolExecutor, do: Callable[[_One], _Result], ones: Sequence[_One]) -> list[_Result]:
    """Do something with each of several; after an error, begin no more, wait for those under way, and raise it."""
    doing = [pool.submit(do, one) for one in ones]
    done = wait(doing, return_when=FIRST_EXCEPTION).done
    error = next((error for one in done if (error := one.exception())), None)
    if error is not None:
        for one in doing:
            one.cancel()
        wait(doing)
        raise error
    return [one.result() for one in doing]


def _judge(error: ClientError | BotoCoreError, source: str, destination: str) -> tuple[bool, str]:
    """Return whether an error may pass, and what to say about it."""
    if not isinstance(error, ClientError):
        return True, str(error)
    code, status = error.response["Error"]["Code"], error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    told = f"S3 answers {code} to {error.operation_name}."
    if code == _DENIED:
        told += (
            f" The function observe has to read {source} and to write {destination}. Check the stack's parameters "
            "AllowCheckpointCopies and AllowedCheckpointBuckets, the policies of the buckets and, if they are "
            "encrypted with KMS, those of the keys. Then resume this run."
        )
    return code in _PASSING or status >= _SERVER_ERROR, told


def _split(uri: str) -> tuple[str, str]:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return bucket, prefix
