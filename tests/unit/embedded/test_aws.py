"""What the embedded stack changes in MiniStack: permissions, condition keys, and the events of SageMaker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from embedded.aws import add_condition_keys, admit_sagemaker, is_service, map_batch_actions, trust_loopback

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_batch_of_messages_needs_the_permission_for_one() -> None:
    assert map_batch_actions(lambda: "sqs:SendMessageBatch")() == "sqs:SendMessage"
    assert map_batch_actions(lambda: "s3:PutObject")() == "s3:PutObject"


@pytest.mark.parametrize(("name", "is_one"), [("execute-api", True), ("glacier", True), ("churn", False)])
def test_a_service_is_known_by_its_name(name: str, is_one: bool) -> None:
    assert is_service(name) is is_one


def test_only_requests_from_this_machine_may_use_plain_http() -> None:
    noted: list[tuple[str, bool]] = []
    note = trust_loopback(lambda address, secure: noted.append((address, secure)))
    note("127.0.0.1", False)
    note("192.0.2.1", False)
    note("192.0.2.1", True)
    assert noted == [("127.0.0.1", True), ("192.0.2.1", False), ("192.0.2.1", True)]


PUT = {"Put": {"TableName": "runs", "Item": {"id": {"S": "churn"}, "version": {"N": "1"}}}}
CHECK = {"ConditionCheck": {"TableName": "runs", "Key": {"id": {"S": "earlier"}}}}
QUERY = {"TableName": "runs", "KeyConditionExpression": "waits_for = :pool"}
EVENTS = {"Entries": [{"Source": "spot-relay", "DetailType": "A", "Detail": "{}"}, {"Source": "b", "Detail": "{}"}]}


@pytest.mark.parametrize(
    ("action", "request_body", "keys"),
    [
        ("dynamodb:GetItem", CHECK["ConditionCheck"], {"dynamodb:LeadingKeys": ["earlier"]}),
        ("dynamodb:PutItem", PUT["Put"], {"dynamodb:LeadingKeys": ["churn"]}),
        (
            "dynamodb:TransactWriteItems",
            {"TransactItems": [PUT, CHECK]},
            {"dynamodb:LeadingKeys": ["churn", "earlier"]},
        ),
        ("dynamodb:Query", QUERY, {}),
        ("events:PutEvents", EVENTS, {"events:source": ["spot-relay", "b"], "events:detail-type": ["A"]}),
        ("s3:PutObject", {"Key": {"id": {"S": "churn"}}}, {}),
    ],
)
def test_condition_keys_include_items_and_events(
    action: str, request_body: dict[str, Any], keys: dict[str, Any]
) -> None:
    condition_keys = add_condition_keys(lambda *_: {"aws:TagKeys": []})
    body = json.dumps(request_body).encode()
    assert condition_keys(action.partition(":")[0], action, body, {}) == {"aws:TagKeys": []} | keys


@pytest.mark.parametrize("body", [b"", b"{", b"\xff"])
def test_a_body_that_is_not_json_adds_no_condition_keys(body: bytes) -> None:
    condition_keys = add_condition_keys(lambda *_: {})
    assert condition_keys("dynamodb", "dynamodb:GetItem", body, {}) == {}


def test_of_the_services_sources_only_that_of_sagemaker_is_admitted() -> None:
    def put_events(data: dict[str, Any], allow_aws_source: bool = False) -> bool:
        return allow_aws_source

    put: Callable[..., Any] = admit_sagemaker(put_events)

    assert put({"Entries": [{"Source": "aws.sagemaker"}]})
    assert not put({"Entries": [{"Source": "aws.sagemaker"}, {"Source": "aws.ec2"}]})
    assert not put({"Entries": []})
    assert put({"Entries": [{"Source": "aws.states"}]}, allow_aws_source=True)
