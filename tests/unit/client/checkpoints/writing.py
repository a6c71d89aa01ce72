"""What tests of checkpoints write and read, and a clock that moves when it is told to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from spot_relay_client.checkpoints import Checkpoints, History

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HISTORY: Final = "spot-relay-history.json"


@dataclass
class Clock:
    """Returns the seconds that were set."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def write(content: str) -> Callable[[Path], object]:
    """Return a function that writes a file."""
    return lambda path: path.write_text(content)


def write_folder(**files: str) -> Callable[[Path], None]:
    """Return a function that writes a folder of files."""

    def make(path: Path) -> None:
        (path / "parts").mkdir(parents=True)
        for name, content in files.items():
            (path / "parts" / name).write_text(content)

    return make


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {HISTORY}


def steps(checkpoints: Checkpoints) -> list[int]:
    return [found.step for found in checkpoints.complete()]


def stored(folder: Path) -> History:
    return History.from_json((folder / HISTORY).read_text())
