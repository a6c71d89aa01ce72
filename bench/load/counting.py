"""Run MiniStack as the embedded stack does, and record every invocation and every AWS call of the functions.

``notes.jsonl`` in the working folder gets a line of JSON for each call that a function makes to DynamoDB, S3, SQS or
EventBridge, and for each invocation of a function. Calls to SageMaker are in the simulator's own log.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from ministack import app  # type: ignore[import-untyped]
from ministack.core.iam_evaluator import caller_arn  # type: ignore[import-untyped]
from ministack.services import lambda_svc  # type: ignore[import-untyped]

from bench.load.notes import FILE
from bench.load.units import Meter, Units
from embedded import aws as embedded_aws

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    Answer = tuple[int, dict[str, str], bytes]
    Handler = Callable[[str, str, dict[str, str], bytes, dict[str, Any]], Coroutine[Any, Any, Answer]]

COUNTED: Final = ("dynamodb", "s3", "sqs", "events")
# The operations of the functions whose cost DynamoDB returns on request.
_METERED: Final = frozenset({"GetItem", "PutItem", "UpdateItem", "Query", "Scan", "TransactWriteItems"})
_FUNCTION: Final = ":assumed-role/"


class Notebook:
    """Appends lines to a file, from any thread."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1, encoding="utf-8")
        self._lock = Lock()

    def write(self, **note: Any) -> None:
        """Append one note."""
        line = json.dumps(note) + "\n"
        with self._lock:
            self._file.write(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def name_operation(service: str, method: str, path: str, headers: Mapping[str, str]) -> str:
    """Return the name of the operation in a request, as SDKs call it."""
    if service != "s3":
        return headers.get("x-amz-target", "").rpartition(".")[2]
    _, _, key = path.strip("/").partition("/")
    noun = "Object" if key else "Bucket"
    if method == "GET" and not key:
        return "ListObjectsV2"
    return f"{method.capitalize()}{noun}"


def request_consumed_capacity(body: bytes) -> tuple[dict[str, Any], bytes]:
    """Return a request to DynamoDB, parsed, and as a body that asks for the consumed capacity."""
    request: dict[str, Any] = json.loads(body)
    return request, json.dumps(request | {"ReturnConsumedCapacity": "TOTAL"}).encode()


def count_calls(service: str, handler: Handler, notebook: Notebook, meter: Meter) -> Handler:
    """Wrap the handler of a service, so that the requests of functions are recorded."""

    async def answer(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Answer:
        operation, caller = name_operation(service, method, path, headers), caller_arn()
        request = None
        if service == "dynamodb" and operation in _METERED:
            request, body = request_consumed_capacity(body)
        status, answer_headers, content = await handler(method, path, headers, body, query)
        # The meter must also see writes by others, because functions read those items.
        answered = {} if request is None else json.loads(content)
        units = Units() if request is None else meter.measure_request(operation, request, status, answered)
        if _FUNCTION in caller:
            notebook.write(
                note="call",
                at=time.time(),
                by=caller.rpartition("/")[2],
                operation=f"{service}.{operation}",
                status=status,
                read=units.read,
                write=units.write,
                items=answered.get("ScannedCount", 0),
            )
        return status, answer_headers, content

    return answer


def note_invocations(execute: Callable[..., dict[str, Any]], notebook: Notebook) -> Callable[..., dict[str, Any]]:
    """Wrap the execution of functions, so that their events and logs are recorded."""

    def run(func: dict[str, Any], config: dict[str, Any], event: dict[str, Any], *more: Any) -> dict[str, Any]:
        began = time.time()
        result = execute(func, config, event, *more)
        notebook.write(
            note="invocation",
            function=config["FunctionName"],
            began=began,
            ended=time.time(),
            failed=bool(result.get("error")),
            messages=[
                {"sent": int(record["attributes"]["SentTimestamp"]) / 1000, "body": record["body"]}
                for record in event.get("Records", [])
            ],
            log=result.get("log", ""),
        )
        return result

    return run


def main() -> None:
    """Run MiniStack in the foreground."""
    notebook, meter = Notebook(Path(FILE)), Meter()
    for service in COUNTED:
        app.SERVICE_HANDLERS[service] = count_calls(service, app.SERVICE_HANDLERS[service], notebook, meter)
    lambda_svc._execute_function_dispatch = note_invocations(lambda_svc._execute_function_dispatch, notebook)  # noqa: SLF001
    embedded_aws.main()


if __name__ == "__main__":
    main()
