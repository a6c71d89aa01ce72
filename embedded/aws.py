"""MiniStack as the embedded stack runs it: ``python -m embedded.aws`` takes MiniStack's own environment variables.

It differs from plain MiniStack. PutEvents refuses sources that begin with ``aws.``, which only services may use, on AWS
and in MiniStack; here the simulator stands in for such a service, so ``aws.sagemaker`` is admitted. And
``sqs:StartMessageMoveTask`` works (`embedded.redrive`), templates may have composite alarms, saved queries
(`embedded.monitoring`) and API destinations (`embedded.destinations`), some requests are answered as on AWS
(`embedded.corrections`), and layers are unpacked once (`embedded.layers`).

With ``AUTH=true`` signatures, roles and policies count: a function that lacks a permission fails as it would on AWS.
That requires three corrections. The template refuses plain HTTP, which is the only protocol on this machine, so
loopback counts as secure. SQS's batch calls have no IAM actions of their own, so the single actions count. Conditions
on a table's items and on events need the keys of those items and events.
"""

from __future__ import annotations

import inspect
import json
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import botocore.session
from ministack import app  # type: ignore[import-untyped]
from ministack.core import iam_actions, router  # type: ignore[import-untyped]
from ministack.services import eventbridge  # type: ignore[import-untyped]

from embedded import corrections, destinations, layers, monitoring, redrive

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE: Final = "aws.sagemaker"
GRANTED_BY: Final = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}

# The partition key of the template's only table.
PARTITION_KEY: Final = "id"


def admit_sagemaker(put_events: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap MiniStack's PutEvents to admit a batch in which every event comes from ``aws.sagemaker``."""
    if "allow_aws_source" not in inspect.signature(put_events).parameters:
        return put_events  # an older version, which admits every source

    def admit(data: dict[str, Any], allow_aws_source: bool = False) -> Any:
        entries = data.get("Entries") or [{}]
        ours = all(entry.get("Source") == SOURCE for entry in entries)
        return put_events(data, allow_aws_source=allow_aws_source or ours)

    return admit


def trust_loopback(pin: Callable[[str, bool], None]) -> Callable[[str, bool], None]:
    """Wrap what records a request's address and transport: a request on the loopback interface counts as secure."""

    def record(address: str, secure: bool) -> None:
        pin(address, secure or address == "127.0.0.1")

    return record


def map_batch_actions(extract: Callable[..., str]) -> Callable[..., str]:
    """Wrap what names the IAM action of a request: a batch needs the permission for the single action."""

    def action(*arguments: object, **named: object) -> str:
        found = extract(*arguments, **named)
        return GRANTED_BY.get(found, found)

    return action


def add_condition_keys(describe: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Wrap what collects the condition keys of a request: add ``dynamodb:LeadingKeys`` and ``events:*``."""

    def condition_keys(service: str, iam_action: str, body: bytes, parameters: dict[str, Any]) -> dict[str, Any]:
        found = describe(service, iam_action, body, parameters)
        if service == "dynamodb":
            return found | _item_keys(_read(body))
        return found | _event_keys(_read(body)) if iam_action == "events:PutEvents" else found

    return condition_keys


def is_service(name: str) -> bool:
    """Whether a request that is signed for ``name`` is for a service of AWS.

    MiniStack reads botocore's descriptions of all services to know this, which takes four seconds.
    """
    return name == corrections.API_SERVICE or name in _list_services()


@cache
def _list_services() -> frozenset[str]:
    return frozenset(botocore.session.get_session().get_available_services())


def _item_keys(request: dict[str, Any]) -> dict[str, Any]:
    """Return the partition keys of the items that a request reads or writes by key, if there are any."""
    parts = [part for entry in request.get("TransactItems", []) for part in entry.values()] or [request]
    keys = [part.get("Key") or part.get("Item") or {} for part in parts]
    named = [next(iter(key[PARTITION_KEY].values())) for key in keys if PARTITION_KEY in key]
    return {"dynamodb:LeadingKeys": named} if named else {}


def _event_keys(request: dict[str, Any]) -> dict[str, Any]:
    members = {"events:source": "Source", "events:detail-type": "DetailType"}
    entries = request.get("Entries", [])
    return {key: [entry[name] for entry in entries if name in entry] for key, name in members.items()}


def _read(body: bytes) -> dict[str, Any]:
    """Read a request as JSON; the service itself refuses a body that is not JSON."""
    try:
        found: dict[str, Any] = json.loads(body)
    except ValueError:
        return {}
    return found


def main() -> None:
    """Run MiniStack in the foreground."""
    eventbridge._put_events = admit_sagemaker(eventbridge._put_events)  # noqa: SLF001 (there is no setting for this)
    app.pin_request_origin = trust_loopback(app.pin_request_origin)
    iam_actions.extract_iam_action = map_batch_actions(iam_actions.extract_iam_action)
    iam_actions.request_tag_context = add_condition_keys(iam_actions.request_tag_context)
    router._is_aws_service_name = is_service  # noqa: SLF001
    redrive.install()
    monitoring.install()
    destinations.install()
    corrections.install()
    layers.install()
    app.main()


if __name__ == "__main__":
    main()
