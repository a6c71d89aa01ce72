"""Start one function as Lambda does, pass it one event, and print what that took.

It runs as a program of its own (``python -I -S -B first_event.py``), so that only what it is given is on ``sys.path``.
Both the function and the floor start through it. The import of json and this file are part of what is measured, on both
sides.
"""

from __future__ import annotations

import json
import sys

TYPE_CHECKING = False  # typing is one more import
if TYPE_CHECKING:
    from typing import Any


class Context:
    """What Lambda passes to a handler about an invocation."""

    function_name = "spot-relay"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:spot-relay"
    aws_request_id = "11111111-2222-3333-4444-555555555555"


def main(paths: list[str], event: str, recorded: str | None) -> None:
    """Import ``app`` from ``paths`` and call its handler."""
    sys.path[:0] = paths
    calls = record() if recorded else []
    import app  # type: ignore[import-not-found]

    with open(event, encoding="utf-8") as file:  # noqa: PTH123 - pathlib is one more import
        answer = app.handler(json.load(file), Context())
    measured = {"cpu_seconds": cpu_seconds(), "peak_bytes": peak_bytes(), "answer": answer}
    if recorded:
        with open(recorded, "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(calls, file)
    sys.stdout.write(f"\n{json.dumps(measured)}\n")


def cpu_seconds() -> float:
    """Return the user and system time of this process so far."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_bytes() -> int:
    """Return the largest resident size of this process.

    On Linux ``ru_maxrss`` also counts the parent's size at the time of the fork, so another source is read there.
    """
    try:
        with open("/proc/self/status", encoding="ascii") as file:  # noqa: PTH123
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))
    except FileNotFoundError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def record() -> list[Any]:
    """Record each call of an AWS client for the floor to repeat, and return the list that will hold the calls."""
    from botocore import client as clients
    from botocore import xform_name

    base: Any = clients.BaseClient
    calls: list[Any] = []
    make = base._make_api_call  # noqa: SLF001

    def call_and_record(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        given = {key: value.decode() if isinstance(value, bytes) else value for key, value in parameters.items()}
        calls.append([client.meta.service_model.service_name, xform_name(operation), given])
        try:
            return make(client, operation, parameters)
        finally:
            # botocore has added the token; the floor has to send the same one.
            if "ClientRequestToken" in parameters:
                given["ClientRequestToken"] = parameters["ClientRequestToken"]

    base._make_api_call = call_and_record  # noqa: SLF001
    return calls


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
