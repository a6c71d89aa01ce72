"""MiniStack as the embedded stack uses it: with ``AUTH=true``, so that signatures, roles and policies count.

A function that lacks a permission fails here as it would on AWS. Three of MiniStack's readings are mended for that: the
template refuses plain HTTP, which is all that is spoken on this machine; SQS's batches have no actions of their own in
IAM; and conditions are told which items of a table a request is for, and which events it puts.
``python -m simulator.embedded_aws`` takes MiniStack's own options and environment variables.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from ministack import app  # type: ignore[import-untyped]
from ministack.core import iam_actions  # type: ignore[import-untyped]

from simulator import aws, embedded_redrive

if TYPE_CHECKING:
    from collections.abc import Callable

GRANTED_BY: Final = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}

# Of the one table that the template has.
PARTITION_KEY: Final = "id"


def as_if_over_tls(pin: Callable[[str, bool], None]) -> Callable[[str, bool], None]:
    """Wrap what notes a request's address and transport: a request on the loopback interface counts as secure."""

    def note(address: str, secure: bool) -> None:
        pin(address, secure or address == "127.0.0.1")

    return note


def as_granted(extract: Callable[..., str]) -> Callable[..., str]:
    """Wrap what tells a request's action: a batch needs the permission for its single action."""

    def action(*arguments: object, **named: object) -> str:
        found = extract(*arguments, **named)
        return GRANTED_BY.get(found, found)

    return action


def as_told(tell: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Wrap what tells conditions of a request, for the keys ``dynamodb:LeadingKeys`` and ``events:*``."""

    def told(service: str, iam_action: str, body: bytes, parameters: dict[str, Any]) -> dict[str, Any]:
        found = tell(service, iam_action, body, parameters)
        if service == "dynamodb":
            return found | _of_items(_read(body))
        return found | _of_events(_read(body)) if iam_action == "events:PutEvents" else found

    return told


def _of_items(request: dict[str, Any]) -> dict[str, Any]:
    """Tell the partition keys of the items that a request reads or writes by their keys, where there are any."""
    parts = [part for entry in request.get("TransactItems", []) for part in entry.values()] or [request]
    keys = [part.get("Key") or part.get("Item") or {} for part in parts]
    named = [next(iter(key[PARTITION_KEY].values())) for key in keys if PARTITION_KEY in key]
    return {"dynamodb:LeadingKeys": named} if named else {}


def _of_events(request: dict[str, Any]) -> dict[str, Any]:
    members = {"events:source": "Source", "events:detail-type": "DetailType"}
    entries = request.get("Entries", [])
    return {key: [entry[name] for entry in entries if name in entry] for key, name in members.items()}


def _read(body: bytes) -> dict[str, Any]:
    """Read a request; what is none is refused by whoever has to answer it."""
    try:
        found: dict[str, Any] = json.loads(body)
    except ValueError:
        return {}
    return found


def main() -> None:
    """Run MiniStack in the foreground."""
    app.pin_request_origin = as_if_over_tls(app.pin_request_origin)
    iam_actions.extract_iam_action = as_granted(iam_actions.extract_iam_action)
    iam_actions.request_tag_context = as_told(iam_actions.request_tag_context)
    embedded_redrive.install()
    aws.main()


if __name__ == "__main__":
    main()
