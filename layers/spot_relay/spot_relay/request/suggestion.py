"""Guess which known key an unknown one was intended to be."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from spot_relay.request.sdk_options import ALGORITHM, OPTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_CHARACTERS = 64

# Options of the SageMaker Python SDK (versions 1, 2 and 3), and their places in a CreateTrainingJob request.
SDK_OPTIONS = {
    name: option.place.partition("[")[0]
    for option in OPTIONS
    for name in option[1:]
    if name is not None and "." not in name and name != ALGORITHM
}
_SDK_PLACES = {option.replace("_", ""): place for option, place in SDK_OPTIONS.items()}


def squeeze(key: str) -> str:
    """Return a key without case and punctuation, so that all spellings of a name are equal."""
    return "".join(character for character in key.casefold() if character.isalnum())


def find_nearest(key: str, known: Iterable[str]) -> str | None:
    """Return the known key that is most similar to ``key``, or None if none is similar."""
    if len(key) > _MAX_CHARACTERS:
        return None
    by_squeezed = {squeeze(name): name for name in known}
    matches = get_close_matches(squeeze(key), by_squeezed, n=1, cutoff=0.7)
    return by_squeezed[matches[0]] if matches else None


def find_sdk_option(key: str) -> str | None:
    """Return the place in a CreateTrainingJob request of an option of the SageMaker Python SDK."""
    return _SDK_PLACES.get(squeeze(key)) if len(key) <= _MAX_CHARACTERS else None
