"""`api`, handed requests that nobody means well with: each is answered, with a code, and none with a fault of ours."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from spot_relay.adapters.runs import DynamoDBRunStore
from tests.integration.stack import SPEC, document

if TYPE_CHECKING:
    from tests.integration.stack import Stack


def answer(stack: Stack, name: str, **changes: Any) -> tuple[int, dict[str, Any]]:
    """Call the API as in a document, with changes to the event; what comes back has the form of all answers."""
    given = stack.invoke("api", document(f"api/{name}") | changes)
    assert given["multiValueHeaders"]["Content-Type"] == ["application/json"]
    assert given["isBase64Encoded"] is False
    return given["statusCode"], json.loads(given["body"])


def in_base64(data: bytes) -> dict[str, Any]:
    """A body as API Gateway hands over what is no text."""
    return {"body": base64.b64encode(data).decode(), "isBase64Encoded": True}


@pytest.mark.parametrize("name", ["create-run", "resume-run"])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (in_base64(b"\xff\xfe{\x00}\x00"), "not valid UTF-8"),
        (in_base64('{"a": 1}'.encode("utf-16-be")), "not valid JSON"),
        (in_base64(b'{"a": "\xed\xa0\x80"}'), "not valid UTF-8"),
        ({"body": "{}!", "isBase64Encoded": True}, "says that its body is base64"),
        ({"body": "é", "isBase64Encoded": True}, "says that its body is base64"),
        ({"body": "YQ", "isBase64Encoded": True}, "says that its body is base64"),
        ({"body": '{"a": "\ud800"}'}, "not valid UTF-8"),
        ({"body": '{"a\x00": 1}'}, "not valid JSON"),
        ({"body": "\x00"}, "not valid JSON"),
        ({"body": "[" * 200_000}, "nested more than 32 levels"),
        ({"body": "{" * 300_000}, "at most 262144 are allowed"),
        ({"body": '{"a": NaN, "a": Infinity}'}, "not a JSON number"),
        ({"body": f'{{"a": {"9" * 100_000}}}'}, "at most 64 are allowed"),
    ],
    ids=[
        *("utf-16-le", "utf-16-be", "surrogate-bytes", "no-base64", "no-ascii", "unpadded"),
        *("surrogate", "nul-in-key", "nul", "deep", "large", "no-numbers", "long-number"),
    ],
)
def test_a_body_that_is_no_document_is_refused_with_what_it_is(
    stack: Stack, name: str, changes: dict[str, Any], said: str
) -> None:
    code, error = answer(stack, name, **changes)
    assert (code, error["code"]) == (400, "InvalidSpec")
    assert said in json.dumps(error["details"])


@pytest.mark.parametrize("body", ["", None])
def test_a_resumption_without_a_body_in_base64_is_one_without_a_body(stack: Stack, body: str | None) -> None:
    code, error = answer(stack, "resume-run", body=body, isBase64Encoded=True)
    assert (code, error["code"]) == (404, "NoSuchRun")


def test_a_spec_with_a_byte_order_mark_is_taken(stack: Stack) -> None:
    code, run = answer(stack, "create-run", body="\ufeff" + json.dumps(SPEC))
    assert (code, run["run_id"]) == (202, "churn")


@pytest.mark.parametrize(
    "run_id",
    [
        *("x" * 2049, "é" * 1025, "x" * 100_000, "\N{GRINNING FACE}" * 513),
        *("..", "%00", "%2F..%2Fstatus", "churn%0a", "churn\n", "a/../b", "a%2fstop", "a;b=c", "~", " ", "*", "$(id)"),
        *("checkpoints#s3://bucket/prefix/", "slots%23ml.m5.xlarge", "prices#us-east-1", "\ud800", "\x00", "\u202e"),
    ],
    ids=lambda run_id: ascii(run_id[:20]),
)
@pytest.mark.parametrize(
    ("name", "verb", "body"),
    [
        *(("get-run", "", None), ("stop-run", "/stop", None), ("resume-run", "/resume", None)),
        *(("resume-run", "/move", '{"market": "spot"}'), ("resume-run", "/deadline", '{"deadline": null}')),
    ],
)
def test_an_id_that_no_run_can_have_is_not_found(
    stack: Stack, name: str, verb: str, body: str | None, run_id: str
) -> None:
    changes = {"path": f"/runs/{run_id}{verb}", "pathParameters": {"id": run_id}, "body": body}
    code, error = answer(stack, name, **changes)
    assert (code, error["details"]) == (404, [])
    assert error["code"] in {"NoSuchRun", "NoSuchRoute"}


class Reads:
    """A table without items that notes what it is asked for; the real one answers a key of 2049 bytes with an error."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def get_item(self, *, Key: dict[str, Any], **_: Any) -> dict[str, Any]:  # noqa: N803 (boto3's name)
        """Find nothing."""
        self.keys.append(Key["id"]["S"])
        return {}


def test_the_table_is_not_asked_for_a_key_that_is_longer_than_dynamodb_takes() -> None:
    reads: Any = Reads()
    store = DynamoDBRunStore(reads, "runs")
    assert [store.load(run_id) for run_id in ("x" * 2048, "é" * 1024, "x" * 2049, "é" * 1025)] == [None] * 4
    assert reads.keys == ["x" * 2048, "é" * 1024]


def test_items_of_the_table_that_are_no_runs_cannot_be_shown_or_stopped(stack: Stack) -> None:
    stack.submit()
    table = stack.environment()["TABLE_NAME"]
    ids = {item["id"]["S"] for item in stack.client("dynamodb").scan(TableName=table)["Items"]} - {"churn"}
    prefix = "s3://churn-000000000000/checkpoints/"
    folders = {f"folders#{prefix}", f"folders#{prefix}churn/"}
    assert ids == {f"checkpoints#{prefix}churn/", "turns#CreateTrainingJob"} | folders
    for name, verb in (("get-run", ""), ("stop-run", "/stop"), ("resume-run", "/resume")):
        for run_id in ids:
            assert answer(stack, name, path=f"/runs/{run_id}{verb}")[0] == 404


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": None, "multiValueHeaders": None},
        {"queryStringParameters": None, "multiValueQueryStringParameters": None, "pathParameters": None},
        {"stageVariables": {"a": "b"}, "requestContext": {}},
        {"headers": {"Content-Type": "text/yaml", "X-HTTP-Method-Override": "DELETE", "Host": "example"}},
        {"path": "/runs/"},
    ],
    ids=["headers", "parameters", "context", "wrong headers", "slash"],
)
def test_what_is_missing_or_beside_the_point_in_a_request_changes_nothing(
    stack: Stack, changes: dict[str, Any]
) -> None:
    plain = {"queryStringParameters": None, "multiValueQueryStringParameters": None}
    assert answer(stack, "list-runs", **plain | changes) == (200, {"runs": [], "next_token": None})


def test_of_a_parameter_that_is_given_twice_the_last_value_counts(stack: Stack) -> None:
    twice = {"queryStringParameters": {"limit": "0"}, "multiValueQueryStringParameters": {"limit": ["5", "0"]}}
    code, error = answer(stack, "list-runs", **twice)
    assert (code, error["code"]) == (400, "InvalidQuery")
    assert "limit is '0'" in error["message"]


@pytest.mark.parametrize(
    "query",
    [
        *({"limit": value} for value in ("1.0", "1e1", "+5", "0x5", " 5", "5\n", "NaN", "true", "9" * 5000, "\ud800")),
        *({"status": value} for value in ("completed", "Completed ", "\x00", "x" * 5000, "\ud800", "[]")),
        *({"token": value} for value in ("", "\x00", "2025-06-03T09:14:00.000000Z#" + "x" * 64, "\ud800", "x" * 5000)),
        *({name: ""} for name in ("Limit", "limit[]", "", "\x00", "\ud800", "x" * 5000)),
    ],
    ids=ascii,
)
def test_a_query_that_cannot_be_used_is_refused_in_a_few_words(stack: Stack, query: dict[str, str]) -> None:
    changes = {"queryStringParameters": query, "multiValueQueryStringParameters": {k: [v] for k, v in query.items()}}
    code, error = answer(stack, "list-runs", **changes)
    assert (code, error["code"]) == (400, "InvalidQuery")
    assert len(error["message"]) < 200


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "BREW", ""])
def test_a_method_that_no_route_has_is_not_found(stack: Stack, method: str) -> None:
    for path in ("/runs", "/runs/churn", "/runs/churn/stop"):
        code, error = answer(stack, "get-run", httpMethod=method, path=path)
        assert (code, error["code"]) == (404, "NoSuchRoute")
