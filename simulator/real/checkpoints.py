"""A checkpoint folder kept like its S3 prefix: copied in at the start, then copied out as it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.real.s3 import Place, checkpoint_name_of, fetch

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client

# Marker files around a checkpoint that is being written or uploaded; they say something, they hold nothing.
_MARKERS: Final = (".sagemaker-ignore", ".sagemaker-uploading", ".sagemaker-uploaded")


class CheckpointSync:
    """The two ways between one folder and one prefix; used by one thread."""

    def __init__(self, s3: S3Client, place: Place, folder: Path) -> None:
        self._s3 = s3
        self._place = place
        self._folder = folder
        self._synced: dict[str, tuple[int, int]] = {}

    def restore(self) -> int:
        """Copy what lies in S3 into the folder, and say how many files that were."""
        self._folder.mkdir(parents=True, exist_ok=True)
        names = fetch(self._s3, self._place, self._folder, lambda key: checkpoint_name_of(key, self._place.key))
        found = self._files()
        self._synced = {name: found[name] for name in names if name in found}
        return len(names)

    def push(self) -> int:
        """Copy new and changed files to S3, delete there what was deleted here; say how many were new."""
        new = 0
        found = self._files()
        for name, state in found.items():
            if self._synced.get(name) != state and self._upload(name):
                new += name not in self._synced
                self._synced[name] = state
        for name in [name for name in self._synced if name not in found]:
            target = self._place.below(name)
            self._s3.delete_object(Bucket=target.bucket, Key=target.key)
            del self._synced[name]
        return new

    def _upload(self, name: str) -> bool:
        target = self._place.below(name)
        try:
            content = (self._folder / name).read_bytes()
        except FileNotFoundError:
            return False  # deleted since it was seen
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
                continue  # deleted since it was listed
        return found
