"""A user's own definition of checkpoints: a glob relative to the prefix, such as checkpoint-*/**."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import cache
from typing import TYPE_CHECKING

from spot_relay.domain.values import No

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PATTERN = 256
_ANY_FOLDERS = "**"


def check_pattern(pattern: str) -> No | None:
    """Return what is wrong with a pattern, or None."""
    segments = pattern.split("/")
    if not pattern.isprintable():
        return No("It contains unprintable characters. Remove them.")
    if pattern.startswith(("s3:", "/")):
        return No("It is relative to the prefix in CheckpointConfig.S3Uri. Leave out the bucket and the prefix.")
    if "\\" in pattern:
        return No("It contains a backslash. Separate folders with /.")
    if pattern.endswith("/"):
        return No(f"It matches no object, because it ends in /. For all objects in the folder, write {pattern}**.")
    if not all(segments) or {".", ".."} & set(segments):
        return No("It contains a folder name that is empty or only dots, which matches nothing. Remove it.")
    if any(_ANY_FOLDERS in segment and segment != _ANY_FOLDERS for segment in segments):
        return No("It contains ** next to other characters. Write ** between slashes, for any number of folders, or *.")
    if pattern.startswith("!") or re.search(r"\{[^{}]*,[^{}]*\}", pattern):
        return No("It begins with ! or contains {…,…}, which mean nothing here. Write one pattern of *, ? and [].")
    # A class is closed by the first ] that is not its first character. What is left has an open [ or none.
    if any("[" in rest for segment in segments for rest in re.split(r"\[!?\]?[^\]]*\]", segment)):
        return No("It contains a [ that is not closed. Write [[] for the character itself.")
    return None


def matches_pattern(pattern: str, key: str) -> bool:
    """Whether a key below the prefix matches; * and ? match within one folder's name, ** any number of folders."""
    return _match(_compile(pattern), key.split("/"))


@cache
def _compile(pattern: str) -> tuple[re.Pattern[str] | None, ...]:
    """Return an expression for each segment, and None for each **."""
    return tuple(None if segment == _ANY_FOLDERS else re.compile(translate(segment)) for segment in pattern.split("/"))


def _match(expressions: Sequence[re.Pattern[str] | None], segments: Sequence[str]) -> bool:
    """Whether the segments of a key match, by the set of expressions that may come next after each segment.

    The work is bounded by the product of both lengths, whatever the pattern.
    """
    places = _skip(expressions, {0})
    for segment in segments:
        places = _skip(expressions, {after for place in places for after in _step(expressions, place, segment)})
        if not places:
            return False
    return len(expressions) in places


def _skip(expressions: Sequence[re.Pattern[str] | None], places: set[int]) -> set[int]:
    """Return the places, and those after each **, which may match nothing."""
    reached = set(places)
    for place in sorted(places):
        while place < len(expressions) and expressions[place] is None:
            place += 1
            reached.add(place)
    return reached


def _step(expressions: Sequence[re.Pattern[str] | None], place: int, segment: str) -> tuple[int, ...]:
    """Return the places after a segment that is matched at a place."""
    if place == len(expressions):
        return ()
    expression = expressions[place]
    if expression is None:
        return (place,)
    return (place + 1,) if expression.match(segment) else ()
