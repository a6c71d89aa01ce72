"""Which of the objects under a run's prefix is its newest checkpoint: complete, and not still being written."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING

from spot_relay.domain.rules.checkpoint_files import is_checkpoint_file, is_unfinished
from spot_relay.domain.rules.checkpoint_parts import find_partial_folders, judge_parts
from spot_relay.domain.rules.checkpoint_pattern import matches_pattern
from spot_relay.domain.sagemaker.job import Checkpoint
from spot_relay.domain.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_EMPTY_FOLDER = "_$folder$"
_UPLOADING = ".sagemaker-uploading"
_UPLOADED = ".sagemaker-uploaded"
_UNFINISHED = "-unfinished"


@dataclass(frozen=True)
class StoredObject:
    """An object in S3, with its key below the prefix and its size in bytes."""

    key: str
    last_modified: datetime
    size: int


@dataclass(frozen=True)
class CheckpointSearch:
    """What all the objects under a prefix showed."""

    newest: Checkpoint | None
    """The last object of the newest complete checkpoint."""
    ignored: int = 0
    """How many objects are not checkpoints, or belong to one that is incomplete."""


def find_newest(prefix: str, objects: Iterable[StoredObject], pattern: str | None = None) -> CheckpointSearch:
    """Return the last object of the newest complete checkpoint among all objects under a prefix.

    With a pattern, the objects that match it are the checkpoints, whatever their names. Markers, empty objects, files
    that are still being written, and checkpoints with missing parts count in neither case.
    """
    listed = tuple(objects)
    files = _drop_unwritten(listed)
    parts = judge_parts({file.key: file.size for file in files})
    if pattern is None:
        counted = [file for file in files if parts.get(file.key, is_checkpoint_file(file.key, file.size))]
    else:
        counted = [file for file in files if matches_pattern(pattern, file.key) and parts.get(file.key, True)]
    last = max(counted, key=_age, default=None)
    newest = None if last is None else Checkpoint(prefix + last.key, last.last_modified, last.size)
    return CheckpointSearch(newest, len(listed) - len(counted))


def list_copied(objects: Iterable[StoredObject]) -> list[StoredObject]:
    """Return the objects that a copy of the checkpoints under a prefix consists of, the oldest first.

    Those are all that the next attempt of a run would find there and could use: other files as well, because only the
    training code knows which ones belong to its checkpoints, but no markers, files that are still being written, or
    checkpoints with missing parts.
    """
    listed = tuple(objects)
    files = _drop_unwritten(listed, keep_empty=True)
    parts = judge_parts({file.key: file.size for file in files if file.size > 0})
    return sorted((file for file in files if parts.get(file.key, True)), key=_age)


def _age(file: StoredObject) -> tuple[datetime, int, str]:
    """Return a key that sorts objects by age. S3 has a resolution of one second.

    Within one, the longer key is newer (a later round), then the greater.
    """
    return file.last_modified, len(file.key), file.key


def _drop_unwritten(listed: Sequence[StoredObject], *, keep_empty: bool = False) -> list[StoredObject]:
    """Return the objects without folders, markers, and files that are empty or not yet written completely."""
    uploading = _find_uploading(listed) | find_partial_folders({file.key: file.size for file in listed})
    files = [
        file
        for file in listed
        if file.key
        and (file.size > 0 or keep_empty)
        and not file.key.endswith(("/", _EMPTY_FOLDER))
        and not is_unfinished(file.key)
    ]
    return [file for file in files if not _is_inside(file.key, uploading)] if uploading else files


def _find_uploading(listed: Iterable[StoredObject]) -> set[str]:
    """Return the files, and the folders with their slash, whose markers say that they are still being written."""
    marked: dict[str, dict[str, datetime]] = defaultdict(dict)
    for one in listed:
        for marker in (_UPLOADING, _UPLOADED, _UNFINISHED):
            if one.key.endswith(marker):
                marked[one.key.removesuffix(marker)][marker] = one.last_modified
    return {
        key
        for key, markers in marked.items()
        if key
        and (
            _UNFINISHED in markers or (_UPLOADING in markers and _is_newer(markers[_UPLOADING], markers.get(_UPLOADED)))
        )
    }


def _is_newer(moment: datetime, other: datetime | None) -> bool:
    return other is None or moment > other


def _is_inside(key: str, marked: set[str]) -> bool:
    """Whether a file, or a folder that it is in, is one of those."""
    if key in marked:
        return True
    ends = (index for index, character in enumerate(key) if character == "/")
    return any(key[:end] in marked or key[: end + 1] in marked for end in ends)
