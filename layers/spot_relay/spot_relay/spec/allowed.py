"""What an operator's patterns let through: `*` stands for any characters, `?` for one, and nothing else is special.

An image is not one name but two, a registry's and that of what lies in it. A star that could stand for both would let
``evil.example/1.dkr.ecr.us-east-1.amazonaws.com/x`` pass for an image in Amazon ECR.
"""

from __future__ import annotations

import re
from functools import lru_cache

_HOST = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
# The grammar of the distribution specification, by which ECR and Docker read a reference: no .., no //, ASCII alone.
_REFERENCE = re.compile(
    rf"(?:{_HOST}(?:\.{_HOST})*(?::[0-9]+)?/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?",
    re.ASCII,
)
_LONGEST = 255


def is_image(name: str) -> bool:
    """Tell whether a name has the form of an image's: ``registry/repository``, with a tag or a digest."""
    return len(name) <= _LONGEST and _REFERENCE.fullmatch(name) is not None


def fits(name: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether one of the patterns stands for the name."""
    return any(_stands_for(pattern, name) for pattern in patterns)


def image_fits(name: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether one of the patterns stands for an image, or an algorithm.

    A ``*`` alone stands for every image. Otherwise what stands before the first ``/`` is held against what stands
    there in the name, and there a star stands for one part of a registry's name, as in a certificate: for no dot.
    """
    registry, slash, repository = name.partition("/")
    for pattern in patterns:
        of_registry, split, of_repository = pattern.partition("/")
        if pattern == "*" or (
            split == slash
            and (of_registry == "*" or _stands_for(of_registry, registry, but="."))
            and _stands_for(of_repository, repository)
        ):
            return True
    return False


def _stands_for(pattern: str, name: str, but: str = "") -> bool:
    return _compiled(pattern, but).fullmatch(name) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str, but: str) -> re.Pattern[str]:
    one = f"[^{re.escape(but)}]" if but else "."
    special = {"*": f"{one}*", "?": one}
    return re.compile("".join(special.get(character, re.escape(character)) for character in pattern), re.DOTALL)
