"""What else a spec has: the policy of a session or of a file for all of its jobs, and the tags of one of them."""

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
# Keys of a spec beside its policy that a tag may set.
_BESIDE_POLICY: Final = ("start_at", "after", "continue_from", "on_success", "notify")


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


def keys_of_tags(tags: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    """Return the keys of a spec in the tags whose keys begin with ``spot-relay:``.

    They belong to its policy, except for those of ``start_at``, ``after``, ``continue_from``, ``on_success`` and
    ``notify``. A dot leads to a key within another, as in ``spot-relay:budgets.expired_waits``.
    """
    spec: dict[str, Any] = {}
    for tag in tags:
        if is_spec_tag(tag):
            path = tag["Key"].removeprefix(TAG_PREFIX).split(".")
            *outer, last = path if path[0] in _BESIDE_POLICY else ["policy", *path]
            nested: Any = {last: _read_value(tag.get("Value", ""))}
            for key in reversed(outer):
                nested = {key: nested}
            spec = merge(spec, nested)
    return spec


def is_spec_tag(tag: Mapping[str, str]) -> bool:
    """Whether a tag belongs to the spec rather than to the training job."""
    return tag.get("Key", "").startswith(TAG_PREFIX)


def merge(mapping: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping with the keys of another put over it, also within keys that hold others."""
    merged = dict(mapping)
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
