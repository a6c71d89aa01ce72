"""Locations in S3, and downloads from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Location:
    """A bucket and a key, or a bucket and a prefix."""

    bucket: str
    key: str

    @staticmethod
    def parse(uri: str) -> Location:
        """Read ``s3://bucket/key``."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket:
            raise ValueError(f"not an s3:// address: {uri}")
        return Location(bucket, key)

    def below(self, name: str) -> Location:
        """Return the location of a file in this folder."""
        folder = self.key if not self.key or self.key.endswith("/") else f"{self.key}/"
        return Location(self.bucket, folder + name)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def list_keys(s3: S3Client, location: Location) -> Iterator[str]:
    """List the keys with the prefix of ``location``, without folders; as in S3, ``run-1`` also finds ``run-10``."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=location.bucket, Prefix=location.key)
    for page in pages:
        for found in page.get("Contents", []):
            if not found["Key"].endswith("/"):
                yield found["Key"]


def download(s3: S3Client, bucket: str, keys: Iterable[str], folder: Path, name_of: Callable[[str], str]) -> list[str]:
    """Download objects of a bucket into ``folder``; ``name_of`` returns the file name for a key."""
    names: list[str] = []
    for key in keys:
        name = name_of(key)
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"the key {key} points outside its folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(bucket, key, str(path))
        names.append(name)
    return names


def channel_name_of(key: str, prefix: str) -> str:
    """Return the file name for an object of an input channel, as in the File mode.

    If the prefix is a folder, that is the part of the key below it; if the prefix is an object or part of a name, it is
    the last part of the key.
    """
    if not prefix or prefix.endswith("/"):
        return key[len(prefix) :]
    if key.startswith(f"{prefix}/"):
        return key[len(prefix) + 1 :]
    return key[prefix.rfind("/") + 1 :]


def checkpoint_name_of(key: str, prefix: str) -> str:
    """Return the file name for a checkpoint: the part of the key after the prefix."""
    return key[len(prefix) :].lstrip("/") or key.rpartition("/")[2]
