"""The name of a run: each attempt adds -relay-NN to it, and SageMaker's limit must hold after that."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from spot_relay.spec.problem import Problems, shown

# SageMaker allows 63 characters, and -relay-NN takes 9, -canary-NN 10.
MAX_NAME = 54
MAX_NAME_WITH_CANARY = 53
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", re.ASCII)
_RESERVED_END = re.compile(r"-relay-[0-9]+\Z")
_DIGEST = 6


def check_name(name: Any, path: str, problems: Problems) -> None:
    """Note every way in which ``name`` cannot be a run's."""
    if not isinstance(name, str):
        problems.add(path, f"Found {shown(name)} where a string is needed: write the run's name in quotes.")
        return
    if len(name) > MAX_NAME:
        problems.add(
            path,
            f"Found {len(name)} characters, and at most {MAX_NAME} are allowed, because -relay-NN is added for each "
            f'attempt: shorten it, for example to "{suggested(name)}".',
        )
    elif not _NAME.fullmatch(name):
        guess = suggested(name)
        hint = f', such as "{guess}"' if guess else ""
        message = f"Found {shown(name)}: use letters, digits and single hyphens between them{hint}."
        problems.add(path, message)
    if _RESERVED_END.search(name[-MAX_NAME:]):
        message = f"Found {shown(name)}: names that end in -relay-NN are those of attempts. Choose another."
        problems.add(path, message)


def check_canary_name(name: Any, path: str, problems: Problems) -> None:
    """Note a name that is right for a run but leaves no room for its canaries'."""
    if isinstance(name, str) and MAX_NAME_WITH_CANARY < len(name) <= MAX_NAME:
        guess = suggested(name, MAX_NAME_WITH_CANARY)
        problems.add(
            path,
            f"Found {len(name)} characters, and at most {MAX_NAME_WITH_CANARY} are allowed, because -canary-NN is "
            f'added for the way back to spot: shorten it, for example to "{guess}", or set policy.return_to_spot to '
            "blind or never.",
        )


def suggested(name: str, limit: int = MAX_NAME) -> str:
    """Give a name like ``name`` that fits; a digest keeps two long names with one beginning apart."""
    fitting = re.sub(r"[^a-zA-Z0-9]+", "-", name[:256]).strip("-")
    fitting = re.sub(r"(-relay-[0-9]+)+$", "", fitting)
    if len(fitting) <= limit:
        return fitting
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{fitting[: limit - _DIGEST - 1].rstrip('-')}-{digest}"
