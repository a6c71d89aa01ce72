"""A folder of checkpoints: which of them are complete, and how a new one gets there in one step."""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HISTORY = "spot-relay-history.json"
"""The file beside the checkpoints that is none. Spot Relay knows the folder by it."""

_LIST = "spot-relay-{count}-files.json"
_LIST_PATTERN = re.compile(r"spot-relay-\d+-files\.json")
_STEP = "{step}"
_MARKER = ".sagemaker-"
_UPLOADING = ".sagemaker-uploading"
_UPLOADED = ".sagemaker-uploaded"
# Neither SageMaker, as far as it skips folders by this suffix, nor Spot Relay takes what is in here for a checkpoint.
_UNFINISHED = ".tmp-unfinished.sagemaker-ignore"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint: a file or a folder, and the number of steps after which it was saved."""

    step: int
    path: Path


class CheckpointFolder:
    """The checkpoints with names of one form, such as ``step-{step}.pt``, in one folder."""

    def __init__(self, path: Path, name: str) -> None:
        before, step, after = name.partition(_STEP)
        if not step or _STEP in after or "/" in name or not before[:1].isalnum():
            raise ValueError(
                f"name is {name!r}. It must contain {_STEP} once and no slash, and begin with a letter or digit, "
                f"like 'checkpoint-step-{_STEP}'."
            )
        self.path = path
        self._name = name
        self._pattern = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))

    def list_complete(self) -> list[Checkpoint]:
        """Return all complete checkpoints, that with the most steps first."""
        return [found for found in self._list() if _is_complete(found.path)]

    def locate(self, step: int) -> Path:
        """Return where the checkpoint of a step belongs."""
        if step < 0:
            raise ValueError(f"step is {step}. It is the number of steps that the checkpoint holds: 0 or more.")
        return self.path / self._name.replace(_STEP, str(step))

    def put(self, step: int, write: Callable[[Path], object]) -> None:
        """Let ``write`` make a file or a folder, and move it to its place in one step when it is whole."""
        with self._unfinished() as unfinished:
            made = unfinished / self.locate(step).name
            write(made)
            _check_written(made)
            if made.is_dir():
                _list_files_in(made, unfinished)
            _flush(made)
            _move(made, self.locate(step), unfinished)

    def seal(self, step: int) -> None:
        """List the files of a folder that is already in its place, so that it is complete."""
        folder = self.locate(step)
        if not folder.is_dir() or not _measure_files(folder):
            raise ValueError(f"There is no folder with files at {folder}. Seal what was written there, after it was.")
        with self._unfinished() as unfinished:
            _flush(folder)
            _list_files_in(folder, unfinished)

    def delete_old(self, step: int, keep: int | None) -> None:
        """Delete all but ``keep`` complete checkpoints up to a step that was just saved, and incomplete ones.

        SageMaker deletes in S3 what is deleted here. What it is uploading now is left for the next time.
        """
        until = [found for found in self._list() if found.step <= step]
        complete = [found for found in until if _is_complete(found.path)]
        kept = complete if keep is None else complete[:keep]
        for found in until:
            if found not in kept and not _is_uploading(found.path):
                _delete(found.path)

    def read_history(self) -> str | None:
        """Return what was stored as the history, or None."""
        try:
            return (self.path / HISTORY).read_text("utf-8", errors="replace")
        except FileNotFoundError:
            return None

    def write_history(self, text: str) -> None:
        """Store the history."""
        with self._unfinished() as unfinished:
            _write(self.path / HISTORY, text, unfinished)

    def _list(self) -> list[Checkpoint]:
        """Return what has the name of a checkpoint, whether complete or not, that with the most steps first."""
        paths = self.path.iterdir() if self.path.is_dir() else ()
        named = ((self._pattern.fullmatch(path.name), path) for path in paths)
        found = [Checkpoint(int(match[1]), path) for match, path in named if match]
        return sorted(found, key=lambda one: (one.step, one.path.name), reverse=True)

    @contextmanager
    def _unfinished(self) -> Iterator[Path]:
        """Make a new folder for what is not finished, from which files can be renamed into this one.

        SageMaker does not see it beside the checkpoint folder. That can be another file system, so a rename is tried.
        If it fails, the new folder is inside.
        """
        beside, inside = self.path.parent / f".{self.path.name}-unfinished", self.path / _UNFINISHED
        for earlier in (beside, inside):
            shutil.rmtree(earlier, ignore_errors=True)
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            beside.mkdir()
            beside.rename(inside)
            inside.rename(beside)
            chosen = beside
        except OSError:
            inside.mkdir(exist_ok=True)
            chosen = inside
        try:
            yield chosen
        finally:
            for left in (beside, inside):
                shutil.rmtree(left, ignore_errors=True)


def _is_complete(path: Path) -> bool:
    """Whether a file is not empty, or a folder has all files of its list in their sizes."""
    try:
        if path.is_dir():
            return any(_has_all(path, found) for found in path.iterdir() if _LIST_PATTERN.fullmatch(found.name))
        return path.stat().st_size > 0
    except OSError:
        return False  # deleted in the meantime by the process that writes


def _has_all(folder: Path, listed: Path) -> bool:
    try:
        sizes: dict[str, int] = json.loads(listed.read_text("utf-8"))["files"]
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _is_uploading(path: Path) -> bool:
    """Whether SageMaker's markers say that a file, or one in a folder, is being uploaded."""
    marked = path.rglob(f"*{_UPLOADING}") if path.is_dir() else (path.with_name(path.name + _UPLOADING),)
    uploaded = (Path(str(one).removesuffix(_UPLOADING) + _UPLOADED) for one in marked if one.exists())
    return not all(one.exists() for one in uploaded)


def _measure_files(folder: Path) -> dict[str, int]:
    """Return the sizes of a folder's files, without the empty ones, links, lists and markers."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.stat().st_size > 0 and not _is_about_files(path.name)
    }


def _is_about_files(name: str) -> bool:
    return _MARKER in name or _LIST_PATTERN.fullmatch(name) is not None


def _list_files_in(folder: Path, unfinished: Path) -> None:
    """Put the list of its files into a folder, in place of an earlier one. Its name says how many there are."""
    files = _measure_files(folder)
    name = _LIST.format(count=len(files))
    earlier = [path for path in folder.iterdir() if _LIST_PATTERN.fullmatch(path.name) and path.name != name]
    _write(folder / name, json.dumps({"files": files}, indent=1), unfinished)
    for path in earlier:
        path.unlink()


def _check_written(made: Path) -> None:
    """Raise ValueError if a write has left nothing at its path."""
    others = ", ".join(sorted(path.name for path in made.parent.iterdir() if path != made))
    if not made.exists():
        instead = f"but {others}: give the name the ending that it wants" if others else "and nothing else either"
        raise ValueError(f"write() has not made the file or folder {made.name}, {instead}.")
    if not (_measure_files(made) if made.is_dir() else made.stat().st_size):
        raise ValueError(f"write() has made {made.name}, but it is empty.")


def _write(path: Path, text: str, unfinished: Path) -> None:
    made = unfinished / path.name
    made.write_text(text, "utf-8")
    _flush(made)
    _move(made, path, unfinished)


def _flush(path: Path) -> None:
    """Bring a file, or a folder with all that is in it, to the disk."""
    for one in (*path.rglob("*"), path) if path.is_dir() else (path,):
        if not one.is_symlink():
            _flush_one(one)


def _flush_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _move(made: Path, target: Path, unfinished: Path) -> None:
    """Move what is whole to its place. A folder can't be replaced in one step: what is there is moved away first."""
    if target.is_dir() or (made.is_dir() and target.exists()):
        target.rename(unfinished / f"replaced-{target.name}")
    made.replace(target)
    _flush_one(target.parent)


def _delete(path: Path) -> None:
    """Delete a checkpoint. What is left of a folder is incomplete, so it is deleted with the next ones."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
