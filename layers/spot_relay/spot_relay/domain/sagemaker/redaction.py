"""Keep secrets out of everything that is stored, shown and logged."""

from __future__ import annotations

import json
from base64 import b64encode
from itertools import takewhile
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from spot_relay.domain.text import MAX_TEXT_BYTES, clean_text, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The values of these members may be secrets, wherever in a training job they appear.
SECRET_MEMBERS = frozenset(
    {
        "CollectionParameters",
        "ContainerArguments",
        "ContainerEntrypoint",
        "Environment",
        "HookParameters",
        "HyperParameters",
        "ProfilingParameters",
        "RuleParameters",
    }
)
HIDDEN = "[hidden]"
# Shorter values, such as a depth of 5, are not secret, and hiding them would make any text unreadable.
_SHORTEST = 8
# JSON in JSON in JSON: the SageMaker Python SDK encodes a text even if it is JSON already.
_DEEPEST = 3
# How truncated text ends: the training toolkit puts it between quotes.
_CUTS = ("...", "…", '"')


def hide_secrets(text: str, training_job: dict[str, Any]) -> str:
    """Return a text from SageMaker with the values of the job's SECRET_MEMBERS hidden, cleaned and shortened.

    A value is found as it was given, decoded or escaped, as a single line or part of it, and where it was truncated.
    """
    secrets = {form for value in _secret_values(training_job) for form in _forms(value) if len(form) >= _SHORTEST}
    hidden = _hide(secrets, text)
    clean = clean_text(hidden)
    # What was between the characters of a secret is gone by now.
    return shorten(_hide(secrets, clean) if clean != hidden else hidden, MAX_TEXT_BYTES)


def _hide(secrets: Iterable[str], text: str) -> str:
    shown, end = "", 0
    # Sorted, so that overlapping spans are merged.
    for first, last in sorted(span for secret in secrets for span in _spans(secret, text)):
        shown += text[end:first] + HIDDEN if first >= end else ""
        end = max(end, last)
    return shown + text[end:]


def _secret_values(training_job: dict[str, Any]) -> Iterator[str]:
    """Yield all values that may be secrets."""
    open_values: list[tuple[Any, bool]] = [(training_job, False)]
    while open_values:
        match open_values.pop():
            case str() as text, True:
                yield text
            case list() as items, secret:
                open_values += ((item, secret) for item in items)
            case dict() as members, secret:
                open_values += ((item, secret or key in SECRET_MEMBERS) for key, item in members.items())


def _forms(value: str) -> Iterator[str]:
    """Yield the ways in which a value may be printed."""
    # The SageMaker Python SDK writes hyperparameters as JSON, and the training prints them decoded.
    decoded, newest = {value}, {value}
    for _ in range(_DEEPEST):
        newest = {inner for outer in newest for inner in _texts(outer)} - decoded
        decoded |= newest
    for text in {part for whole in decoded for part in _parts(whole)}:
        yield text
        yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1])
        data = text.encode("utf-8", "replace")
        yield from (quote(data, safe=""), quote(data), b64encode(data).decode())


def _parts(text: str) -> Iterator[str]:
    """Yield a text and what programs extract from it: lines, the value of an option, the secret parts of a URL."""
    yield from (text, text.strip(), *text.splitlines())
    option, is_option, value = text.partition("=")
    if is_option and option.startswith("-"):
        yield value
    scheme, is_address, rest = text.partition("://")
    if is_address and scheme.isalnum() and scheme != "s3":
        place, slash, path = rest.partition("/")
        yield slash + path
        yield place.rpartition("@")[0].partition(":")[2]


def _texts(value: str) -> list[str]:
    """Return the texts and numbers in a value that is JSON."""
    try:
        document = json.loads(value, parse_int=str, parse_float=str) if value.lstrip()[:1] in {'"', "[", "{"} else None
    except (ValueError, RecursionError):
        return []
    found, open_values = [], [document]
    while open_values:
        match open_values.pop():
            case str() as text:
                found.append(text)
            case list() as items:
                open_values += items
            case dict() as members:
                open_values += members.values()
    return found


def _spans(secret: str, text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of a text that hold a secret, or the part of it that was not cut off."""
    at = text.find(secret)
    while at >= 0:
        yield at, at + len(secret)
        at = text.find(secret, at + 1)
    yield from _beginnings(secret, text)
    yield from ((len(text) - last, len(text) - first) for first, last in _beginnings(secret[::-1], text[::-1]))


def _beginnings(secret: str, text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans that hold the beginning of a secret: most of it, or the part before a mark of truncation."""
    head = secret[:_SHORTEST]
    at = text.find(head)
    while at >= 0:
        alike = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(secret, text[at:], strict=False)))
        end = at + alike
        if 4 * alike >= 3 * len(secret) or end == len(text) or text.startswith(_CUTS, end):
            yield at, end
        at = text.find(head, end - _SHORTEST + 1)
