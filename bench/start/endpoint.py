"""An endpoint on 127.0.0.1 that records what a real one answers, and then replays it.

A replay answers immediately and always in the same way, so that starts can be compared. A request that differs from the
recorded one is an error, because both sides of a comparison have to make the same calls.
"""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType

# Headers that belong to a connection, not to the answer.
_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"})


class UnexpectedRequestError(Exception):
    """A process sent other requests than the recorded ones, or fewer."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a process asked for."""

    method: str
    path: str
    target: str
    body: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.target}".rstrip()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer."""

    request: Request
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Endpoint:
    """Listens while its block runs, and records until `replay` is called."""

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream).netloc
        self._recorded: list[Exchange] = []
        self._left: list[Exchange] | None = None
        self._exact = False
        self._unexpected: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Endpoint:
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def record(self) -> None:
        """Forward requests from now on, and record them with their answers."""
        self._recorded, self._left = [], None

    def recorded(self) -> tuple[Exchange, ...]:
        """Return what was recorded since `record`."""
        return tuple(self._recorded)

    def replay(self, exchanges: tuple[Exchange, ...], *, exact: bool) -> None:
        """Answer as recorded from now on; ``exact`` requires the same bodies, byte for byte."""
        self._left, self._exact, self._unexpected = list(exchanges), exact, []

    def check(self) -> None:
        """Raise UnexpectedRequestError unless exactly the recorded requests were sent."""
        if self._unexpected or self._left:
            missing = [f"missing: {exchange.request}" for exchange in self._left or ()]
            raise UnexpectedRequestError("; ".join([*self._unexpected, *missing]))

    def answer(self, request: Request, headers: dict[str, str]) -> Exchange:
        """Answer one request."""
        if self._left is None:
            exchange = self._forward(request, headers)
            self._recorded.append(exchange)
            return exchange
        if self._left and same(request, self._left[0].request, exact=self._exact):
            return self._left.pop(0)
        wanted = self._left[0].request if self._left else "nothing"
        self._unexpected.append(f"asked for {request}, recorded is {wanted}")
        return Exchange(request, 400, (("content-type", "text/plain"),), b"")

    def _forward(self, request: Request, headers: dict[str, str]) -> Exchange:
        connection = http.client.HTTPConnection(self._upstream, timeout=30)
        try:
            connection.request(request.method, request.path, request.body, headers)
            answer = connection.getresponse()
            kept = tuple((name, value) for name, value in answer.getheaders() if name.lower() not in _HOP)
            return Exchange(request, answer.status, kept, answer.read())
        finally:
            connection.close()


def same(request: Request, recorded: Request, *, exact: bool) -> bool:
    """Whether a request is the recorded one; times and random ids may differ in the bodies unless ``exact``."""
    if (request.method, request.path, request.target) != (recorded.method, recorded.path, recorded.target):
        return False
    return request.body == recorded.body if exact else len(request.body) > 0 or len(recorded.body) == 0


def _handler(endpoint: Endpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(self.command, self.path, self.headers.get("X-Amz-Target", ""), body)
            exchange = endpoint.answer(request, dict(self.headers.items()))
            self.send_response_only(exchange.status)
            for name, value in exchange.headers:
                self.send_header(name, value)
            has_body = exchange.status != 204 and self.command != "HEAD"
            self.send_header("Content-Length", str(len(exchange.body) if has_body else 0))
            self.end_headers()
            if has_body:
                self.wfile.write(exchange.body)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer  # noqa: N815 - http.server calls them so

    return Handler
