"""What is counted while MiniStack runs: which requests, by whom, at what cost."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from bench.load.counting import Notebook, count_calls, name_operation, note_invocations
from bench.load.units import Meter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FUNCTION = "arn:aws:sts::000000000000:assumed-role/spot-relay-ObserveRole/spot-relay-Observe"
OUTSIDE = "arn:aws:iam::000000000000:root"
PUT = {"TableName": "runs", "Item": {"id": {"S": "churn"}, "document": {"S": "x" * 5000}}}
GET = {"TableName": "runs", "Key": {"id": {"S": "churn"}}, "ConsistentRead": True}


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that sets the ARN of the caller."""
    return lambda arn: monkeypatch.setattr("bench.load.counting.caller_arn", lambda: arn)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """Where notes are written."""
    return tmp_path / "notes.jsonl"


@pytest.fixture
def notebook(notes: Path) -> Iterator[Notebook]:
    """What writes them."""
    with closing(Notebook(notes)) as opened:
        yield opened


def written(notes: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in notes.read_text().splitlines()]


def called(notebook: Notebook, service: str, *asked: tuple[str, dict[str, Any]], answer: dict[str, Any]) -> list[Any]:
    """Have requests answered, and give what the service itself was asked."""
    reached: list[Any] = []

    async def handler(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        reached.append(json.loads(body))
        return 200, {}, json.dumps(answer).encode()

    counted = count_calls(service, handler, notebook, Meter())
    for target, body in asked:
        headers = {"x-amz-target": f"Some_20120810.{target}"}
        status, _, content = asyncio.run(counted("POST", "/", headers, json.dumps(body).encode(), {}))
        assert (status, json.loads(content)) == (200, answer)
    return reached


@pytest.mark.parametrize(
    ("service", "method", "path", "target", "operation"),
    [
        ("dynamodb", "POST", "/", "DynamoDB_20120810.GetItem", "GetItem"),
        ("events", "POST", "/", "AWSEvents.PutEvents", "PutEvents"),
        ("sqs", "POST", "/", "AmazonSQS.SendMessage", "SendMessage"),
        ("s3", "GET", "/specs/runs/a.json", "", "GetObject"),
        ("s3", "PUT", "/specs/status/a.json", "", "PutObject"),
        ("s3", "DELETE", "/specs/errors/a.json", "", "DeleteObject"),
        ("s3", "HEAD", "/specs/a", "", "HeadObject"),
        ("s3", "GET", "/specs", "", "ListObjectsV2"),
        ("s3", "GET", "/specs/", "", "ListObjectsV2"),
        ("s3", "HEAD", "/specs", "", "HeadBucket"),
    ],
)
def test_an_operation_has_the_name_that_sdks_use(
    service: str, method: str, path: str, target: str, operation: str
) -> None:
    assert name_operation(service, method, path, {"x-amz-target": target}) == operation


def test_a_call_of_a_function_is_recorded_with_its_cost(
    notes: Path, notebook: Notebook, caller: Callable[[str], None]
) -> None:
    caller(FUNCTION)
    reached = called(
        notebook,
        "dynamodb",
        ("PutItem", PUT),
        ("GetItem", GET),
        answer={"ConsumedCapacity": {"CapacityUnits": 8}},
    )
    assert [asked["ReturnConsumedCapacity"] for asked in reached] == ["TOTAL", "TOTAL"]
    kept = [{key: note[key] for key in ("by", "operation", "read", "write")} for note in written(notes)]
    assert kept == [
        {"by": "spot-relay-Observe", "operation": "dynamodb.PutItem", "read": 0, "write": 8},
        {"by": "spot-relay-Observe", "operation": "dynamodb.GetItem", "read": 2, "write": 0},
    ]


@pytest.mark.parametrize("operation", ["Query", "Scan"])
def test_a_query_or_scan_is_recorded_with_the_number_of_entries_it_reads(
    notes: Path, notebook: Notebook, caller: Callable[[str], None], operation: str
) -> None:
    caller(FUNCTION)
    called(notebook, "dynamodb", (operation, {"TableName": "runs"}), answer={"Items": [], "ScannedCount": 7})
    assert [note["items"] for note in written(notes)] == [7]


def test_a_request_to_another_service_is_passed_on_unchanged(
    notes: Path, notebook: Notebook, caller: Callable[[str], None]
) -> None:
    caller(FUNCTION)
    assert called(notebook, "sqs", ("SendMessage", {"a": 1}), answer={}) == [{"a": 1}]
    assert [note["operation"] for note in written(notes)] == ["sqs.SendMessage"]


def test_requests_of_others_are_not_recorded_but_the_sizes_of_their_writes_are(
    notes: Path, notebook: Notebook, caller: Callable[[str], None]
) -> None:
    caller(OUTSIDE)
    meter = Meter()

    async def handler(*_: Any) -> Any:
        return 200, {}, b"{}"

    counted = count_calls("dynamodb", handler, notebook, meter)
    asyncio.run(counted("POST", "/", {"x-amz-target": "DynamoDB.PutItem"}, json.dumps(PUT).encode(), {}))
    assert written(notes) == []
    assert meter.measure_request("GetItem", GET, 200, {}).read == 2


def test_an_invocation_is_recorded_with_its_messages_and_its_log(notes: Path, notebook: Notebook) -> None:
    record = {"body": "{}", "attributes": {"SentTimestamp": "1500"}}
    event = {"Records": [record, record]}
    run = note_invocations(lambda *_: {"body": {"batchItemFailures": []}, "log": "a\nb"}, notebook)
    assert run({}, {"FunctionName": "observe"}, event, "request", 0.0) == {
        "body": {"batchItemFailures": []},
        "log": "a\nb",
    }
    (note,) = written(notes)
    assert note["began"] <= note["ended"]
    assert (note["function"], note["failed"], note["log"]) == ("observe", False, "a\nb")
    assert note["messages"] == [{"sent": 1.5, "body": "{}"}] * 2


def test_a_failed_invocation_without_messages_is_recorded_as_failed(notes: Path, notebook: Notebook) -> None:
    note_invocations(lambda *_: {"error": True, "log": ""}, notebook)({}, {"FunctionName": "tick"}, {})
    (note,) = written(notes)
    assert (note["failed"], note["messages"]) == (True, [])
