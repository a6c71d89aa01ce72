"""Keeps what may be secret out of what is stored, shown and logged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

HIDDEN = "[hidden]"
# Shorter values, such as a depth of 5, are no secrets, and blanking them would make any text unreadable.
_SHORTEST = 8
# SageMaker's own limit for a FailureReason; an item of the table has to hold fifty of them, whatever their script.
MAX_TEXT_BYTES = 1024


def without_secrets(text: str, training_job: dict[str, Any]) -> str:
    """Blank the values of the job's HyperParameters and Environment in a text that SageMaker wrote, and shorten it.

    They are found as they were given, decoded, escaped, line by line, and where the text ends within one.
    """
    given = [*training_job.get("HyperParameters", {}).values(), *training_job.get("Environment", {}).values()]
    secrets = {form for value in given for form in _forms(value) if len(form) >= _SHORTEST}
    told, end = "", 0
    # In order, so that of two that overlap nothing is left between them.
    for first, last in sorted(span for secret in secrets for span in _spans(secret, text)):
        told += text[end:first] + HIDDEN if first >= end else ""
        end = max(end, last)
    return _shortened(told + text[end:])


def _forms(value: str) -> Iterator[str]:
    """Give the ways in which a value may be printed."""
    # The SageMaker Python SDK writes hyperparameters as JSON, and the training prints them decoded.
    for text in {value, *_texts(value)}:
        yield text
        yield from text.splitlines()
        yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], repr(text)[1:-1])


def _texts(value: str) -> list[str]:
    """Give the texts in a value that is JSON."""
    try:
        document = json.loads(value) if value.lstrip()[:1] in {'"', "[", "{"} else None
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
    """Give where a secret stands in a text, from and to, and where the text was cut within it."""
    at = text.find(secret)
    while at >= 0:
        yield at, at + len(secret)
        at = text.find(secret, at + 1)
    begun = next((n for n in range(len(secret) - 1, _SHORTEST - 1, -1) if text.endswith(secret[:n])), 0)
    if begun:
        yield len(text) - begun, len(text)


def _shortened(text: str) -> str:
    """Cut a text that is too long to be kept, and let go of what is no character."""
    data = text.encode("utf-8", "replace")
    if len(data) <= MAX_TEXT_BYTES:
        return data.decode()
    return data[: MAX_TEXT_BYTES - len("…".encode())].decode("utf-8", "ignore") + "…"
