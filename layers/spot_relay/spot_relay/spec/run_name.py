"""Check the name of a run, to which each attempt adds -relay-NN within SageMaker's limit."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from spot_relay.spec.problem import Problems, describe

# SageMaker allows 63 characters; -relay-NN takes 9 of them, -canary-NN takes 10.
MAX_NAME = 54
MAX_NAME_WITH_CANARY = 53
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", re.ASCII)
_RESERVED_END = re.compile(r"-relay-[0-9]+\Z", re.IGNORECASE)
_DIGEST = 6


def check_name(name: Any, path: str, problems: Problems) -> None:
    """Report every reason why ``name`` cannot be the name of a run."""
    if not isinstance(name, str):
        problems.add(path, f"Expected the name of the run as a string, but found {describe(name)}. Put it in quotes.")
        return
    if len(name) > MAX_NAME:
        problems.add(
            path,
            f"The name has {len(name)} characters, but at most {MAX_NAME} are allowed, because each attempt adds "
            f'-relay-NN to it. Shorten it, for example to "{suggest_name(name)}".',
        )
    elif not _NAME.fullmatch(name):
        suggestion = suggest_name(name)
        example = f', such as "{suggestion}"' if suggestion else ""
        problems.add(
            path,
            f"Found {describe(name)}. Use only letters, digits and hyphens, and begin and end with a letter or a "
            f"digit{example}.",
        )
    if _RESERVED_END.search(name[-MAX_NAME:]):
        message = f"Found {describe(name)}, but names that end in -relay-NN are reserved for attempts. Choose another."
        problems.add(path, message)


def check_canary_name(name: Any, path: str, problems: Problems) -> None:
    """Report a name that is valid for a run but too long for its canaries."""
    if isinstance(name, str) and MAX_NAME_WITH_CANARY < len(name) <= MAX_NAME:
        problems.add(
            path,
            f"The name has {len(name)} characters, but at most {MAX_NAME_WITH_CANARY} are allowed, because the canary "
            f"that tests for spot capacity adds -canary-NN to it. Shorten it, for example to "
            f'"{suggest_name(name, MAX_NAME_WITH_CANARY)}", or set policy.return_to_spot to blind or never.',
        )


def suggest_name(name: str, limit: int = MAX_NAME) -> str:
    """Return a valid name like ``name``; a digest distinguishes long names with the same beginning."""
    valid = re.sub(r"[^a-zA-Z0-9]+", "-", name[:256]).strip("-")
    valid = re.sub(r"(-relay-[0-9]+)+$", "", valid, flags=re.IGNORECASE)
    if len(valid) <= limit:
        return valid
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{valid[: limit - _DIGEST - 1].rstrip('-')}-{digest}"
