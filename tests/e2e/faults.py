"""A proxy between the functions of a stack and their DynamoDB and SageMaker, which breaks a share of the calls.

    with Proxy({"dynamodb": stack.aws_url, "sagemaker": stack.simulator_url}) as proxy:
        proxy.stand_before(stack)
        proxy.strike(seed=7)

What it breaks is drawn from a seed, and counted. It answers in the services' own words, so that the functions' SDK
reads what it would read on AWS.
"""

from __future__ import annotations

import json
import logging
import socket
import struct
import uuid
import zlib
from collections import Counter
from enum import StrEnum
from functools import partial
from random import Random
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Final

import httpx
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from embedded.patience import give_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from wsgiref.types import StartResponse, WSGIEnvironment

    from embedded.stack import Stack

    # What becomes of the next call of a service's operation.
    Draw = Callable[[str, str], "Fault | None"]

logger = logging.getLogger(__name__)

# What X-Amz-Target begins with.
SERVICES: Final = {"DynamoDB_20120810": "dynamodb", "SageMaker": "sagemaker"}
FUNCTIONS: Final = ("Submit", "Api", "Observe", "Tick", "Prices", "Widget")
SLOW_SECONDS: Final = 1.0
# Longer than a function waits for an answer (`_CONFIG` in bootstrap.py).
TOO_LATE_SECONDS: Final = 7.0
_HOP_BY_HOP: Final = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"}


class Fault(StrEnum):
    """What becomes of a call."""

    THROTTLED = "throttled"  # refused, as the service refuses whoever calls too often
    FAILED = "failed"  # refused with status 500
    CUT = "cut"  # the connection is reset before the service hears of the call
    LOST = "lost"  # the call takes effect, and the connection is reset in place of the answer
    SLOW = "slow"  # it takes a moment
    LATE = "late"  # it takes effect, and the answer comes when nobody waits for it any more


# Of so many calls of an operation each fault strikes so many. A late answer costs a worker the most time.
DECKS: Final[Mapping[str, tuple[int, Mapping[Fault, int]]]] = {
    "dynamodb": (250, {fault: 1 if fault is Fault.LATE else 5 for fault in Fault}),
    "sagemaker": (30, dict.fromkeys(Fault, 1)),
}
# What is answered to a call that is refused: status, code and message, in the service's own words.
REFUSALS: Final = {
    ("dynamodb", Fault.THROTTLED): (
        400,
        "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
        "The level of configured provisioned throughput for the table was exceeded. Consider increasing your "
        "provisioning level with the UpdateTable API.",
    ),
    ("dynamodb", Fault.FAILED): (
        500,
        "com.amazonaws.dynamodb.v20120810#InternalServerError",
        "The request processing has failed because of an unknown error, exception or failure.",
    ),
    ("sagemaker", Fault.THROTTLED): (400, "ThrottlingException", "Rate exceeded"),
    ("sagemaker", Fault.FAILED): (
        500,
        "InternalFailure",
        "The request processing has failed because of an unknown error, exception or failure.",
    ),
}
CONTENT_TYPES: Final = {"dynamodb": "application/x-amz-json-1.0", "sagemaker": "application/x-amz-json-1.1"}


class Deck:
    """Faults as cards in a deck: after so many calls each has struck as often as it is in there."""

    def __init__(self, size: int, cards: Mapping[Fault, int], random: Random) -> None:
        self._cards = [*Counter(cards).elements()]
        self._spares: list[Fault | None] = [None] * (size - len(self._cards))
        self._random = random
        self._left: list[Fault | None] = []

    def draw(self) -> Fault | None:
        """Draw what becomes of the next call; a deck that is used up is shuffled anew."""
        if not self._left:
            self._left = [*self._cards, *self._spares]
            self._random.shuffle(self._left)
        return self._left.pop()


def _set_variables(functions: Any, name: str, variables: dict[str, str]) -> None:
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})


def spared(service: str, operation: str) -> None:
    """Break no call."""


class Decks:
    """A deck for each operation, shuffled by the seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._decks: dict[tuple[str, str], Deck] = {}

    def __call__(self, service: str, operation: str) -> Fault | None:
        """Draw what becomes of the next call."""
        if (service, operation) not in self._decks:
            random = Random(f"{self._seed}:{service}:{operation}")  # noqa: S311
            self._decks[service, operation] = Deck(*DECKS[service], random)
        return self._decks[service, operation].draw()


class Proxy:
    """Stands on a port of 127.0.0.1 before the services; breaks nothing until it is told to."""

    def __init__(self, services: Mapping[str, str]) -> None:
        self._services = services
        self._draw: Draw = spared
        self._lock = Lock()
        self._closing = Event()
        self._own: list[Callable[[], None]] = []
        self._client = httpx.Client(trust_env=False, timeout=give_time(60), limits=httpx.Limits(max_connections=None))
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True, request_handler=_Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://127.0.0.1:{self._server.port}"
        self.calls: Counter[str] = Counter()
        self.struck: Counter[tuple[str, str, Fault]] = Counter()

    def __enter__(self) -> Proxy:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop, with all answers that are held back, and give the functions their own environment back."""
        for give_back in reversed(self._own):
            give_back()
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._client.close()

    def stand_before(self, stack: Stack, **variables: str) -> None:
        """Have the functions of a stack call here, with changes to their environment; all are started anew."""
        here = {f"AWS_ENDPOINT_URL_{service.upper()}": self.url for service in self._services}
        functions = stack.client("lambda")
        for function in FUNCTIONS:
            name, own = stack.outputs[f"{function}Function"], stack.variables(function)
            self._own.append(partial(_set_variables, functions, name, own))
            _set_variables(functions, name, own | here | variables)

    def strike(self, seed: int) -> None:
        """Break a share of all calls from now on, as a seed has it."""
        self._draw = Decks(seed)

    def refuse(self, service: str) -> None:
        """Fail every call to a service from now on."""
        self._draw = lambda called, _: Fault.FAILED if called == service else None

    def calm(self) -> None:
        """Break nothing from now on."""
        self._draw = spared

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        prefix, _, operation = request.headers["X-Amz-Target"].partition(".")
        service = SERVICES[prefix]
        with self._lock:
            fault = self._draw(service, operation)
            self.calls[service] += 1
            if fault is not None:
                self.struck[service, operation, fault] += 1
        match fault:
            case None:
                return self._forward(service, request)(environ, start_response)
            case Fault.THROTTLED | Fault.FAILED:
                return _refusal(service, fault)(environ, start_response)
            case Fault.CUT:
                _reset(environ)
            case Fault.LOST:
                self._forward(service, request)
                _reset(environ)
            case Fault.SLOW:
                self._closing.wait(SLOW_SECONDS)
                return self._forward(service, request)(environ, start_response)
            case Fault.LATE:
                answer = self._forward(service, request)
                self._closing.wait(TOO_LATE_SECONDS)
                return answer(environ, start_response)
        raise ConnectionResetError

    def _forward(self, service: str, request: Request) -> Response:
        """Ask the service; the request goes on as it came, with the Host that its signature covers."""
        answer = self._client.request(
            request.method,
            self._services[service] + request.full_path.rstrip("?"),
            headers=[(name, value) for name, value in request.headers if name.lower() not in _HOP_BY_HOP],
            content=request.get_data(),
        )
        headers = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP_BY_HOP]
        return Response(answer.content, answer.status_code, headers)


def _refusal(service: str, fault: Fault) -> Response:
    status, code, message = REFUSALS[service, fault]
    body = json.dumps({"__type": code, "message": message}).encode()
    headers = {"x-amzn-RequestId": str(uuid.uuid4())}
    if service == "dynamodb":
        headers["x-amz-crc32"] = str(zlib.crc32(body))
    return Response(body, status, headers, content_type=CONTENT_TYPES[service])


def _reset(environ: WSGIEnvironment) -> None:
    """End the caller's connection with a RST: no answer, and no orderly end either."""
    connection = socket.socket(fileno=environ["werkzeug.socket"].detach())
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class _Handler(WSGIRequestHandler):
    def connection_dropped(self, *_: object) -> None:
        """Await no further request on a connection that was reset, or given up by the caller."""
        self.close_connection = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 (werkzeug's name)
        """Send werkzeug's lines to our own log."""
        logger.log(logging.DEBUG if type == "info" else logging.WARNING, message, *args)
