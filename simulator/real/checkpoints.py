"""Keeps a checkpoint folder in sync with S3: downloads it at the start, then uploads what changes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from simulator.real.s3 import Location, checkpoint_name_of, download, list_keys

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

# Marker files that tools put beside a checkpoint while it is written or uploaded.
_MARKERS: Final = (".sagemaker-ignore", ".sagemaker-uploading", ".sagemaker-uploaded")


class CheckpointSync:
    """Syncs one folder with one prefix; used by a single thread."""

    def __init__(self, s3: S3Client, location: Location, folder: Path) -> None:
        self._s3 = s3
        self._location = location
        self._folder = folder
        self._synced: dict[str, tuple[int, int]] = {}

    def restore(self) -> int:
        """Download the checkpoints into the folder; return how many files there were."""
        self._folder.mkdir(parents=True, exist_ok=True)
        name_of = partial(checkpoint_name_of, prefix=self._location.key)
        keys = list_keys(self._s3, self._location)
        names = download(self._s3, self._location.bucket, keys, self._folder, name_of)
        found = self._files()
        self._synced = {name: found[name] for name in names if name in found}
        return len(names)

    def push(self) -> int:
        """Upload new and changed files, and delete what was deleted in the folder; return how many files were new."""
        new = 0
        found = self._files()
        for name, state in found.items():
            if self._synced.get(name) != state and self._upload(name):
                new += name not in self._synced
                self._synced[name] = state
        for name in [name for name in self._synced if name not in found]:
            target = self._location.below(name)
            self._s3.delete_object(Bucket=target.bucket, Key=target.key)
            del self._synced[name]
        return new

    def _upload(self, name: str) -> bool:
        target = self._location.below(name)
        try:
            content = (self._folder / name).read_bytes()
        except FileNotFoundError:
            return False  # deleted in the meantime
        self._s3.put_object(Bucket=target.bucket, Key=target.key, Body=content)
        return True

    def _files(self) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        for path in sorted(self._folder.rglob("*")):
            if path.name.endswith(_MARKERS):
                continue
            try:
                if path.is_file():
                    state = path.stat()
                    found[path.relative_to(self._folder).as_posix()] = (state.st_mtime_ns, state.st_size)
            except FileNotFoundError:
                continue  # deleted in the meantime
        return found
