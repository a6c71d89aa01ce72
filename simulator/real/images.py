"""The images that run on this machine: ``local/<name>``, one folder each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.api.rules import LOCAL_IMAGE

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Images:
    """The images in a folder; without a folder there are none."""

    folder: Path | None

    def run_here(self, image: str) -> bool:
        """Whether an image runs as a real process; any other is simulated."""
        return image.startswith(LOCAL_IMAGE)

    def folder_of(self, image: str) -> Path:
        """Return the folder of an image ``local/<name>[:tag]``.

        Raises
        ------
        LookupError
            If there is no such folder.
        """
        name = image.removeprefix(LOCAL_IMAGE).partition(":")[0]
        usable = self.run_here(image) and name not in ("", ".", "..") and "/" not in name
        if self.folder is None or not usable or not (self.folder / name).is_dir():
            raise LookupError(f"Requested image {image} not found.")
        return self.folder.resolve() / name
