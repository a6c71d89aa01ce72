"""MiniStack as the embedded stack uses it: with ``AUTH=true``, so that signatures, roles and policies count.

A function that lacks a permission fails here as it would on AWS. Two of MiniStack's readings are mended for that: the
template refuses plain HTTP, which is all that is spoken on this machine; and SQS's batches have no actions of their
own in IAM. ``python -m simulator.embedded_aws`` takes MiniStack's own options and environment variables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ministack import app  # type: ignore[import-untyped]
from ministack.core import iam_actions  # type: ignore[import-untyped]

from simulator import aws

if TYPE_CHECKING:
    from collections.abc import Callable

GRANTED_BY: Final = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}


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


def main() -> None:
    """Run MiniStack in the foreground."""
    app.pin_request_origin = as_if_over_tls(app.pin_request_origin)
    iam_actions.extract_iam_action = as_granted(iam_actions.extract_iam_action)
    aws.main()


if __name__ == "__main__":
    main()
