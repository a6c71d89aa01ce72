"""Places in S3, and folders copied from and to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Place:
    """A bucket and a key, or the beginning of keys."""

    bucket: str
    key: str

    @staticmethod
    def parse(uri: str) -> Place:
        """Read ``s3://bucket/key``."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        if not uri.startswith("s3://") or not bucket:
            raise ValueError(f"not an s3:// address: {uri}")
        return Place(bucket, key)

    def below(self, name: str) -> Place:
        """Give the place of a file in this folder."""
        folder = self.key if not self.key or self.key.endswith("/") else f"{self.key}/"
        return Place(self.bucket, folder + name)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def keys_at(s3: S3Client, place: Place) -> Iterator[str]:
    """List the keys that begin as ``place`` does, folders left out; as S3 does, ``run-1`` finds ``run-10``."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=place.key)
    for page in pages:
        for found in page.get("Contents", []):
            if not found["Key"].endswith("/"):
                yield found["Key"]


def fetch(s3: S3Client, place: Place, folder: Path, named: Callable[[str], str]) -> list[str]:
    """Download all objects at ``place`` into ``folder`` under the names that ``named`` gives their keys."""
    names: list[str] = []
    for key in keys_at(s3, place):
        name = named(key)
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"the key {key} leads out of its folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(place.bucket, key, str(path))
        names.append(name)
    return names


def channel_name_of(key: str, prefix: str) -> str:
    """Name the file for an object of an input channel, as the File mode does.

    What follows a prefix that is a folder is kept; a prefix that is an object, or part of a name, leaves the
    last part of the name.
    """
    if not prefix or prefix.endswith("/"):
        return key[len(prefix) :]
    if key.startswith(f"{prefix}/"):
        return key[len(prefix) + 1 :]
    return key[prefix.rfind("/") + 1 :]


def checkpoint_name_of(key: str, prefix: str) -> str:
    """Name the file for a checkpoint: what follows the prefix."""
    return key[len(prefix) :].lstrip("/") or key.rpartition("/")[2]
