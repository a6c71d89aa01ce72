"""Where the policy of a job comes from: the session or a file for all of its jobs, and tags for one of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from spot_relay_client.errors import SpotRelayError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

TAG_PREFIX: Final = "spot-relay:"


class InvalidPolicyError(SpotRelayError):
    """A policy cannot be read."""


def read_policy(given: Mapping[str, Any] | str | PathLike[str] | None) -> dict[str, Any]:
    """Return a policy that is given as it is, or as the path of a file in YAML or JSON; raise `InvalidPolicyError`."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return dict(given)
    import yaml  # only where a file is used

    try:
        found = yaml.safe_load(Path(given).read_text("utf-8"))
        json.dumps(found)
    except TypeError as error:
        raise InvalidPolicyError(f"The policy {given} has a value that JSON lacks. Put dates in quotes.") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InvalidPolicyError(f"The policy {given} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise InvalidPolicyError(f"The policy {given} is no mapping. Write its keys as under `policy` in a spec.")
    return found


def policy_of_tags(tags: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    """Return the policy in the tags whose keys begin with ``spot-relay:``.

    A dot leads to a key within another, as in ``spot-relay:budgets.expired_waits``.
    """
    policy: dict[str, Any] = {}
    for tag in tags:
        if is_policy_tag(tag):
            *outer, last = tag["Key"].removeprefix(TAG_PREFIX).split(".")
            nested: Any = {last: _read_value(tag.get("Value", ""))}
            for key in reversed(outer):
                nested = {key: nested}
            policy = merge(policy, nested)
    return policy


def is_policy_tag(tag: Mapping[str, str]) -> bool:
    """Whether a tag belongs to the policy rather than to the training job."""
    return tag.get("Key", "").startswith(TAG_PREFIX)


def merge(policy: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy with the keys of another put over it, also within keys that hold others."""
    merged = dict(policy)
    for key, value in more.items():
        earlier = merged.get(key)
        merged[key] = merge(earlier, value) if isinstance(earlier, Mapping) and isinstance(value, Mapping) else value
    return merged


def _read_value(text: str) -> Any:
    """Return a number, true or false as such, and any other text as it is."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, (bool, int, float)) else text
