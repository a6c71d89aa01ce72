"""What models are made of, outside the simulator's memory: images and data."""

from __future__ import annotations

from typing import Protocol


class Materials(Protocol):
    """Knows which images and which model data exist."""

    def has_image(self, image: str) -> bool:
        """Whether there is such an image."""

    def has_data(self, uri: str, *, folder: bool) -> bool:
        """Whether there is an object at ``uri``, or, in a folder, any object below it."""


class Anything:
    """Materials of a simulator that can reach neither images nor S3: whatever a request names exists."""

    def has_image(self, image: str) -> bool:  # noqa: ARG002 (the protocol's)
        """Believe it."""
        return True

    def has_data(self, uri: str, *, folder: bool) -> bool:  # noqa: ARG002 (the protocol's)
        """Believe it."""
        return True
