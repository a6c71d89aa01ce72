"""Checkpoints of a network after N epochs, named as SageMaker's image algorithms name them: ``PREFIX-000N.params``.

Only the names are Apache MXNet's. The content is NumPy's, and has the state of the optimizer as well.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from examples.images.toolkit.container import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    Arrays = Sequence[np.ndarray[Any, Any]]


def pack(arrays: Arrays) -> bytes:
    """Return arrays as the content of a file."""
    packed = io.BytesIO()
    np.savez(packed, *arrays)
    return packed.getvalue()


def unpack(content: bytes) -> list[np.ndarray[Any, Any]]:
    """Return the arrays in a file; ValueError if it is cut off."""
    try:
        with np.load(io.BytesIO(content)) as arrays:
            return [arrays[f"arr_{number}"] for number in range(len(arrays.files))]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"not a complete file of parameters: {error}") from None


@dataclass(frozen=True)
class EpochCheckpoints:
    """The checkpoints in a folder, by the number of epochs that they contain."""

    folder: Path
    prefix: str

    def newest(self) -> tuple[int, list[np.ndarray[Any, Any]]] | None:
        """Return the epochs and the arrays of the newest checkpoint that is complete."""
        for epochs in sorted(self._list(), reverse=True):
            path = self.path(epochs)
            try:
                return epochs, unpack(path.read_bytes())
            except ValueError as error:
                print(f"Ignoring {path.name}: {error}")
        return None

    def save(self, epochs: int, arrays: Arrays) -> None:
        """Save what the network has learned in so many epochs."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path(epochs), pack(arrays))

    def path(self, epochs: int) -> Path:
        """Return the file of a checkpoint."""
        return self.folder / f"{self.prefix}-{epochs:04}.params"

    def _list(self) -> list[int]:
        pattern = re.compile(rf"{re.escape(self.prefix)}-(\d{{4,}})\.params")
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        return [int(match[1]) for path in found if (match := pattern.fullmatch(path.name))]
