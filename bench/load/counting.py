"""MiniStack as the embedded stack uses it, which also notes what the functions are given and what they ask for.

A line of JSON in ``notes.jsonl``, in the working folder, for each call that a function makes to DynamoDB, S3, SQS or
EventBridge, and for each invocation of a function. What SageMaker is asked stands in the simulator's own log.
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
# Those of the functions' operations that DynamoDB tells the cost of, if it is asked.
_METERED: Final = frozenset({"GetItem", "PutItem", "UpdateItem", "Query", "Scan", "TransactWriteItems"})
_FUNCTION: Final = ":assumed-role/"


class Notebook:
    """Appends lines to a file, from any thread."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1, encoding="utf-8")
        self._lock = Lock()

    def write(self, **note: Any) -> None:
        """Append a note."""
        line = json.dumps(note) + "\n"
        with self._lock:
            self._file.write(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def operation_of(service: str, method: str, path: str, headers: Mapping[str, str]) -> str:
    """Name the operation that a request asks for, as SDKs do."""
    if service != "s3":
        return headers.get("x-amz-target", "").rpartition(".")[2]
    _, _, key = path.strip("/").partition("/")
    noun = "Object" if key else "Bucket"
    if method == "GET" and not key:
        return "ListObjectsV2"
    return f"{method.capitalize()}{noun}"


def metered(body: bytes) -> tuple[dict[str, Any], bytes]:
    """Read a request to DynamoDB, and have its answer tell what it has cost."""
    request: dict[str, Any] = json.loads(body)
    return request, json.dumps(request | {"ReturnConsumedCapacity": "TOTAL"}).encode()


def counting(service: str, handler: Handler, notebook: Notebook, meter: Meter) -> Handler:
    """Wrap what answers a service's requests, so that those of functions are noted."""

    async def answer(method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]) -> Answer:
        operation, caller = operation_of(service, method, path, headers), caller_arn()
        request = None
        if service == "dynamodb" and operation in _METERED:
            request, body = metered(body)
        status, said, content = await handler(method, path, headers, body, query)
        # The meter has to see the writes of others, too: functions read what they wrote.
        told = {} if request is None else json.loads(content)
        units = Units() if request is None else meter.units(operation, request, status, told)
        if _FUNCTION in caller:
            notebook.write(
                note="call",
                at=time.time(),
                by=caller.rpartition("/")[2],
                operation=f"{service}.{operation}",
                status=status,
                read=units.read,
                write=units.write,
                items=told.get("ScannedCount", 0),
            )
        return status, said, content

    return answer


def noting(execute: Callable[..., dict[str, Any]], notebook: Notebook) -> Callable[..., dict[str, Any]]:
    """Wrap what runs a function, so that its event and its log are noted."""

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
        app.SERVICE_HANDLERS[service] = counting(service, app.SERVICE_HANDLERS[service], notebook, meter)
    lambda_svc._execute_function_dispatch = noting(lambda_svc._execute_function_dispatch, notebook)  # noqa: SLF001
    embedded_aws.main()


if __name__ == "__main__":
    main()
