"""Match names against an operator's patterns: ``*`` is any text, ``?`` any character, and nothing else is special.

An image name has two parts: a registry and a repository in it. If a star could match across both,
``evil.example/1.dkr.ecr.us-east-1.amazonaws.com/x`` would pass for an image in Amazon ECR.
"""

from __future__ import annotations

import re
from functools import lru_cache

_HOST = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
# The grammar of the distribution specification, which ECR and Docker use for references: no .., no //, only ASCII.
_REFERENCE = re.compile(
    rf"(?:{_HOST}(?:\.{_HOST})*(?::[0-9]+)?/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?",
    re.ASCII,
)
_MAX_IMAGE_CHARACTERS = 255


def is_image_name(name: str) -> bool:
    """Whether a name has the form ``registry/repository``, with an optional tag or digest."""
    return len(name) <= _MAX_IMAGE_CHARACTERS and _REFERENCE.fullmatch(name) is not None


def matches_any(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether a name matches one of the patterns."""
    return any(_matches(pattern, name) for pattern in patterns)


def image_matches_any(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether the name of an image or an algorithm matches one of the patterns.

    A lone ``*`` matches everything. Otherwise the parts before the first ``/`` are compared with each other, and
    there a star matches only one label of the registry's host name: it matches no dot, as in a certificate.
    """
    registry, slash, repository = name.partition("/")
    for pattern in patterns:
        registry_pattern, pattern_slash, repository_pattern = pattern.partition("/")
        if pattern == "*" or (
            pattern_slash == slash
            and (registry_pattern == "*" or _matches(registry_pattern, registry, except_for="."))
            and _matches(repository_pattern, repository)
        ):
            return True
    return False


def _matches(pattern: str, name: str, except_for: str = "") -> bool:
    return _compile(pattern, except_for).fullmatch(name) is not None


@lru_cache(maxsize=256)
def _compile(pattern: str, except_for: str) -> re.Pattern[str]:
    one = f"[^{re.escape(except_for)}]" if except_for else "."
    special = {"*": f"{one}*", "?": one}
    return re.compile("".join(special.get(character, re.escape(character)) for character in pattern), re.DOTALL)
