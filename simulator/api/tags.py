"""Tags: the rules that botocore's model does not contain, and the form in which the API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.api.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST_TAGS: Final = 50


def check_tags(tags: Sequence[Mapping[str, str]]) -> None:
    """Raise a ValidationException for tag keys that are repeated or reserved."""
    keys = [tag["Key"] for tag in tags]
    if len(keys) != len(set(keys)):
        raise invalid("Duplicate tag keys are not allowed")
    if any(key.lower().startswith("aws:") for key in keys):
        raise invalid("Tag keys that begin with aws: are reserved")


def add_tags(tags: Mapping[str, str], more: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the tags of a resource with those of a request, after checking these."""
    check_tags(more)
    together = {**tags, **{tag["Key"]: tag["Value"] for tag in more}}
    if len(together) > _MOST_TAGS:
        raise invalid(f"A resource has at most {_MOST_TAGS} tags")
    return together


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as the API shows them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
