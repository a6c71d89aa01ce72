"""Lets the containers of ``sam local invoke`` reach an embedded stack, which listens only on 127.0.0.1.

    python -m embedded start        # or: make demo KEEP=1
    python -m embedded.docker       # until Ctrl-C; --alone pauses the stack's own functions

A container reaches this machine at the gateway of Docker's bridge. The ports of MiniStack and of the simulator are
opened there too, and nowhere else. ``.local/sam-local.json`` has the addresses for the functions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from embedded import deployment
from embedded.daemons import EmbeddedError
from embedded.patience import give_time
from embedded.sam import LOCAL, ROOT, RUNTIME
from embedded.stack import REGION

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from embedded.stack import Stack

LOOPBACK: Final = "127.0.0.1"
VARIABLES: Final = LOCAL / "sam-local.json"
LAYERS: Final = LOCAL / "sam-local-layers"
# The functions' names in the template, in the stack's outputs, and a document for each.
FUNCTIONS: Final = {
    "Submit": ("Submit", "submit/spec-uploaded"),
    "ApiFunction": ("Api", "api/list-runs"),
    "Observe": ("Observe", "observe/training-started"),
    "Tick": ("Tick", "tick/every-minute"),
    "Prices": ("Prices", "prices/every-week"),
    "Widget": ("Widget", "widget/all-runs"),
}
_CHUNK: Final = 65_536


def base_image() -> str:
    """Return the Lambda image for the functions as they are built on this machine."""
    version = RUNTIME["PythonRuntime"].removeprefix("python")
    return f"public.ecr.aws/lambda/python:{version}-{RUNTIME['Architecture']}"


def bridge_address() -> str:
    """Return the address at which containers reach this machine; EmbeddedError if Docker does not answer."""
    ranges = docker("network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}")
    try:
        return gateway(json.loads(ranges))
    except (LookupError, StopIteration, TypeError, ValueError) as error:
        raise EmbeddedError(f"Docker's network `bridge` has no gateway: {ranges}") from error


def gateway(ranges: Sequence[Mapping[str, str]]) -> str:
    """Return the gateway of a network: the one it names, or the first address of its IPv4 range, Docker's default."""
    first = next(given for given in ranges if ":" not in given["Subnet"])
    named = first.get("Gateway")  # missing if this engine created the bridge itself
    return named or str(next(ip_network(first["Subnet"]).hosts()))


def docker(*arguments: str) -> str:
    """Run a Docker command and return its output; EmbeddedError if it fails."""
    try:
        outcome = subprocess.run(
            ["docker", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=give_time(60),
            check=False,
        )
    except FileNotFoundError:
        raise EmbeddedError("Docker is not installed") from None
    except subprocess.TimeoutExpired:
        raise EmbeddedError("Docker does not answer") from None
    if outcome.returncode:
        raise EmbeddedError(outcome.stderr.strip() or f"docker {arguments[0]} failed")
    return outcome.stdout.strip()


def invocation(stack: Stack, function: str, event: Path, variables: Path = VARIABLES) -> list[str]:
    """Return sam's arguments to run ``function``, named as in the template, with the document ``event``."""
    return [
        *("local", "invoke", function, "--template", stack.template),
        *("--event", str(event), "--env-vars", str(variables)),
        *("--parameter-overrides", *(f"{name}={value}" for name, value in RUNTIME.items())),
        *("--region", REGION, "--layer-cache-basedir", str(LAYERS), "--skip-pull-image"),
    ]


def variables(stack: Stack, address: str) -> dict[str, dict[str, str]]:
    """Return the document for ``--env-vars``: the deployed variables of each function, with ``address`` for localhost.

    sam sets only variables that the template declares.
    """

    def translate(value: str) -> str:
        return value.replace(f"http://{LOOPBACK}:", f"http://{address}:")

    given: dict[str, dict[str, str]] = {}
    for function, (name, _) in FUNCTIONS.items():
        deployed = {**stack.variables(name), "AWS_ENDPOINT_URL": stack.aws_url}
        given[function] = {variable: translate(value) for variable, value in deployed.items()}
    return given


@contextmanager
def open_ports(stack: Stack, address: str) -> Iterator[None]:
    """Open the ports of a stack at ``address``, an address of this machine, while the block runs."""
    forward = _Forward(address, [urlsplit(url).port or 80 for url in (stack.aws_url, stack.simulator_url)])
    thread = threading.Thread(target=asyncio.run, args=(forward.serve(),), daemon=True)
    thread.start()
    forward.begun.wait()
    try:
        if forward.failed is not None:
            raise EmbeddedError(f"cannot listen at {address}: {forward.failed}")
        yield
    finally:
        with suppress(RuntimeError):  # the loop has ended already
            forward.loop.call_soon_threadsafe(forward.ended.set)
        thread.join()


@contextmanager
def pause_triggers(stack: Stack) -> Iterator[None]:
    """Stop queues and schedules from invoking the stack's functions while the block runs; direct calls still work."""
    _set_triggers(stack, enabled=False)
    try:
        yield
    finally:
        _set_triggers(stack, enabled=True)


def _set_triggers(stack: Stack, *, enabled: bool) -> None:
    functions, scheduler = stack.client("lambda"), stack.client("scheduler")
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)
    for schedule in scheduler.list_schedules()["Schedules"]:
        found = scheduler.get_schedule(Name=schedule["Name"], GroupName=schedule["GroupName"])
        kept = {key: found[key] for key in ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
        scheduler.update_schedule(**kept, State="ENABLED" if enabled else "DISABLED")


@dataclass
class _Forward:
    """Accepts connections at an address and forwards them to the same ports of the loopback interface."""

    address: str
    ports: Sequence[int]
    begun: threading.Event = field(default_factory=threading.Event)
    failed: OSError | None = None
    loop: asyncio.AbstractEventLoop = field(init=False)
    ended: asyncio.Event = field(init=False)

    async def serve(self) -> None:
        self.loop, self.ended = asyncio.get_running_loop(), asyncio.Event()
        servers: list[asyncio.Server] = []
        try:
            for port in self.ports:
                server = await asyncio.start_server(partial(_serve_connection, port), self.address, port)
                servers.append(server)  # one at a time: if a port is taken, those before it are closed
            self.begun.set()
            await self.ended.wait()
        except OSError as error:
            self.failed = error
            self.begun.set()
        finally:
            for server in servers:
                server.close()  # open connections end with the loop


async def _serve_connection(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        inner_reader, inner_writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copy_stream(reader, inner_writer), _copy_stream(inner_reader, writer))


async def _copy_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # A connection that breaks at one end is closed at the other, so that the caller notices and retries.
    with suppress(OSError, asyncio.CancelledError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


def _format_directions(stack: Stack) -> str:
    lines = []
    for function, (_, document) in FUNCTIONS.items():
        event = (ROOT / "events" / f"{document}.json").relative_to(ROOT)
        arguments = " ".join(_shorten(part) for part in invocation(stack, function, event))
        lines.append(f"    sam {arguments}\n")
    return f"""The stack can be reached from containers. In another terminal:

    . {_shorten(str(deployment.KEPT_ENVIRONMENT))}
{"".join(lines)}
Ctrl-C ends this; the stack goes on.
"""


def _shorten(part: str) -> str:
    place = Path(part)
    return str(place.relative_to(ROOT)) if place.is_relative_to(ROOT) else part


def _write(variables: Mapping[str, Mapping[str, str]]) -> None:
    VARIABLES.write_text(json.dumps(variables, indent=2) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Let containers reach the stack that was left running, until SIGINT or SIGTERM arrives."""
    parser = argparse.ArgumentParser(prog="python -m embedded.docker", description=__doc__)
    parser.add_argument("--address", help="where containers reach this machine (default: ask Docker)")
    parser.add_argument("--alone", action="store_true", help="pause the stack's own functions meanwhile")
    options = parser.parse_args(arguments)
    stack = deployment.find_running()
    if stack is None:
        raise EmbeddedError("no stack is running; start one with: python -m embedded start")
    address = options.address or bridge_address()
    ends = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    with open_ports(stack, address), pause_triggers(stack) if options.alone else nullcontext():
        _write(variables(stack, address))
        sys.stdout.write(_format_directions(stack))
        sys.stdout.flush()
        signal.sigwait(ends)
    VARIABLES.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EmbeddedError as error:
        sys.exit(f"{error}")
