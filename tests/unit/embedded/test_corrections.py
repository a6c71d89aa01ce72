"""For which service a request is signed, which key encrypts an upload, and which state machine a token is of."""

from __future__ import annotations

from typing import Any

import pytest
from ministack.services import eventbridge  # type: ignore[import-untyped]

from embedded.corrections import TaskTokens, fill_in_time, find_members, name_group, name_key, signed_service

HEADER = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"


@pytest.mark.parametrize("service", ["execute-api", "sagemaker", "s3"])
def test_the_service_is_read_from_the_header_or_the_query(service: str) -> None:
    credential = f"test/20260101/us-east-1/{service}/aws4_request"
    assert signed_service({"authorization": HEADER.format(service)}, {}) == service
    assert signed_service({}, {"X-Amz-Credential": [credential]}) == service
    assert signed_service({}, {"X-Amz-Credential": credential}) == service


@pytest.mark.parametrize(
    ("headers", "query"),
    [({}, {}), ({"authorization": "Bearer x/20260101/y/z"}, {}), ({}, {"X-Amz-Credential": []})],
)
def test_a_request_without_a_signature_is_signed_for_no_service(headers: dict[str, str], query: dict[str, Any]) -> None:
    assert signed_service(headers, query) is None


@pytest.mark.parametrize(
    ("encryption", "key", "kept"),
    [("aws:kms", None, "alias/aws/s3"), ("aws:kms", "mine", "mine"), ("AES256", None, None), (None, None, None)],
)
def test_only_an_upload_that_names_no_key_is_encrypted_with_the_accounts_own(
    encryption: str | None, key: str | None, kept: str | None
) -> None:
    given = {"x-amz-server-side-encryption": encryption, "x-amz-server-side-encryption-aws-kms-key-id": key}
    read = name_key(lambda headers, _: headers.get("x-amz-server-side-encryption-aws-kms-key-id"))
    assert read({name: value for name, value in given.items() if value is not None}, "bucket") == kept


@pytest.mark.parametrize(
    ("query", "body", "named"),
    [
        ({}, b'{"GroupName": "mine"}', "schedule/mine/nightly"),
        ({"groupName": "mine"}, b"", "schedule/mine/nightly"),
        ({"groupName": ["mine"]}, b"", "schedule/mine/nightly"),
        ({}, b"{}", "schedule/default/nightly"),
        ({}, b"not JSON", "schedule/default/nightly"),
    ],
)
def test_a_schedule_is_named_after_its_group_for_permissions(query: dict[str, Any], body: bytes, named: str) -> None:
    name = name_group(lambda *_: "arn:aws:scheduler:us-east-1:000000000000:schedule/default/nightly")
    arn = name("scheduler", "POST", "/schedules/nightly", {}, body, query, "us-east-1", "000000000000")
    assert arn == f"arn:aws:scheduler:us-east-1:000000000000:{named}"
    assert name_group(lambda *_: "a queue")("sqs", "POST", "/", {}, body, query) == "a queue"


def test_the_input_of_a_schedule_gets_the_time_and_that_of_a_rule_stays_as_it_is() -> None:
    sent: list[str] = []
    invoke = fill_in_time(lambda target, *_: sent.append(target["Input"]))
    target = {"Input": '{"at": "<aws.scheduler.scheduled-time>"}'}
    invoke(target, {"Source": "aws.scheduler", "Time": 1749016800.9}, {})
    invoke(target, {"Source": "aws.s3", "Time": 1749016800.9}, {})
    assert sent == ['{"at": "2025-06-04T06:00:00Z"}', target["Input"]]


def test_the_input_of_a_target_may_have_members_of_lists_in_it() -> None:
    class View:
        def event_with_detail(self) -> dict[str, Any]:
            return {"resources": ["a"], "detail": {"numbers": ["1", "2"], "jobs": [{"name": "x"}], "kind": "ended"}}

        def envelope(self) -> dict[str, Any]:
            return {"resources": ["a"]}

    transform = find_members(eventbridge._apply_input_transformer)
    paths = {
        "resource": "$.resources[0]",
        "second": "$.detail.numbers[1]",
        "third": "$.detail.numbers[2]",
        "name": "$.detail.jobs[0].name",
        "all": "$.detail.numbers",
        "kind": "$.detail.kind",
    }
    template = '"<resource>, <second>, <third>, <name>, <all>, <kind>"'
    rendered = transform({"InputPathsMap": paths, "InputTemplate": template}, {}, View())
    assert rendered == '"a, 2, , x, [1, 2], ended"'


def test_the_answer_to_a_task_is_about_the_state_machine_of_its_token() -> None:
    tokens = TaskTokens()
    name = tokens.name_machines(lambda *_: "*")
    hand_out = tokens.remember(lambda *_: "handed out")
    execute = tokens.watch(lambda state, given, *_: hand_out("a queue", given, given["token"], state))
    for machine in ("nightly", "weekly"):
        assert execute({}, {"token": f"t-{machine}"}, {}, {"StateMachine": {"Id": machine}}) == "handed out"
    assert name("states", "POST", "/", {}, b'{"taskToken": "t-nightly"}', {}, "", "") == "nightly"
    assert name("states", "POST", "/", {}, b'{"taskToken": "t-weekly"}', {}, "", "") == "weekly"


@pytest.mark.parametrize("body", [b'{"taskToken": "unknown"}', b"{}", b"\xff", b"not JSON"])
def test_every_other_request_is_about_what_ministack_says(body: bytes) -> None:
    tokens = TaskTokens()
    assert tokens.name_machines(lambda *_: "*")("states", "POST", "/", {}, body, {}, "", "") == "*"
    assert tokens.name_machines(lambda *_: "a bucket")("s3", "PUT", "/", {}, body, {}, "", "") == "a bucket"
