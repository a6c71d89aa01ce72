"""Check the name of a run."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from spot_relay.domain.sagemaker.job import MAX_JOB_NAME
from spot_relay.request.problem import Problems, describe

# Whatever SageMaker allows, so that scripts can keep the names that they give their jobs.
MAX_NAME = MAX_JOB_NAME
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", re.ASCII)
# The second form is that of shortened names.
_RESERVED_END = re.compile(r"(-relay-[0-9]+|-relay-[0-9a-f]{12}-[0-9]{2})+\Z", re.IGNORECASE)
_DIGEST = 6


def check_name(name: Any, path: str, problems: Problems) -> None:
    """Report every reason why ``name`` cannot be the name of a run."""
    if not isinstance(name, str):
        advice = "Write one." if name is None or isinstance(name, (dict, list)) else "Put it in quotes."
        problems.add(path, f"Expected the name of the run as a string, but found {describe(name)}. {advice}")
        return
    suggestion = suggest_name(name)
    if len(name) > MAX_NAME:
        example = f', for example to "{suggestion}"' if suggestion else ""
        problems.add(
            path,
            f"The name has {len(name)} characters, but at most {MAX_NAME} are allowed, as for a training job. Shorten "
            f"it{example}.",
        )
    elif not _NAME.fullmatch(name):
        example = f', such as "{suggestion}"' if suggestion else ""
        problems.add(
            path,
            f"Found {describe(name)}. Use only letters, digits and hyphens, and begin and end with a letter or a "
            f"digit{example}.",
        )
    if _RESERVED_END.search(name[-MAX_NAME:]):
        message = f"Found {describe(name)}, but names that end in -relay-NN are reserved for attempts. Choose another."
        problems.add(path, message)


def suggest_name(name: str) -> str:
    """Return a valid name like ``name``; a digest distinguishes long names with the same beginning."""
    valid = re.sub(r"[^a-zA-Z0-9]+", "-", name[:256]).strip("-")
    valid = _RESERVED_END.sub("", valid)
    if len(valid) <= MAX_NAME:
        return valid
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{valid[: MAX_NAME - _DIGEST - 1].rstrip('-')}-{digest}"
