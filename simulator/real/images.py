"""The images that run on this machine: ``local/<name>``, one folder each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.api.rules import LOCAL_IMAGE

if TYPE_CHECKING:
    from pathlib import Path


def is_local_image(image: str) -> bool:
    """Whether an image runs as a real process; any other is simulated."""
    return image.startswith(LOCAL_IMAGE)


def image_folder(image: str, images: Path | None) -> Path:
    """Return the folder of an image ``local/<name>[:tag]``.

    Raises
    ------
    LookupError
        If there is no such folder.
    """
    name = image.removeprefix(LOCAL_IMAGE).partition(":")[0]
    usable = is_local_image(image) and name not in ("", ".", "..") and "/" not in name
    if images is None or not usable or not (images / name).is_dir():
        raise LookupError(f"Requested image {image} not found.")
    return images.resolve() / name
