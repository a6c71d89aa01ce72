"""Servers on loopback that use the user's own credentials, and so answer nobody else.

- The address has a key in it that only those know who were given the address. Other users of the machine and web pages
  in a browser do not.
- A request must name the server in its Host header, or a page whose host name is made to lead here could speak to it
  (DNS rebinding).
"""

from __future__ import annotations

import hmac
import logging
import secrets
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

    from werkzeug.wrappers import Request

HOST: Final = "127.0.0.1"
logger = logging.getLogger(__name__)


class RefusedRequestError(Exception):
    """A request that the server's user has not sent; the message says what it lacks."""


class Gate:
    """Admits requests that know a server's key and name the server."""

    def __init__(self) -> None:
        self.key = secrets.token_urlsafe(32)
        self.host = ""
        """The only Host that requests may name; the server sets it once it has a port."""

    @property
    def url(self) -> str:
        """The address of the server, with its key and without a slash at its end."""
        return f"http://{self.host}/{self.key}"

    def admit(self, request: Request) -> str:
        """Return the path of a request below the key, such as ``/runs``; raise RefusedRequestError without the key."""
        # The bytes of the path, because those of another may not be text.
        path: bytes = request.environ["PATH_INFO"].encode("latin-1")
        key, slash, rest = path.removeprefix(b"/").partition(b"/")
        if not path.startswith(b"/") or not hmac.compare_digest(key, self.key.encode()):
            raise RefusedRequestError("The address lacks the key of this server.")
        if request.headers.get("Host") != self.host:
            raise RefusedRequestError(f"The Host header does not name this server, {self.host}.")
        return (slash + rest).decode("utf-8", "replace")


class LoopbackServer:
    """A server behind a gate; ``with LoopbackServer(gate, application) as server`` runs it in a thread of its own."""

    def __init__(self, gate: Gate, application: WSGIApplication, port: int = 0) -> None:
        self._server: BaseWSGIServer = make_server(HOST, port, application, threaded=True, request_handler=_Handler)
        gate.host = f"{HOST}:{self._server.port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> LoopbackServer:
        """Begin to serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(WSGIRequestHandler):
    # One request a connection: nothing that a refused request leaves unread can be taken for another.
    protocol_version = "HTTP/1.0"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 (werkzeug's name)
        """Send werkzeug's lines to our own log, without the key that is in them."""
        del message, args
        logger.log(logging.DEBUG if type == "info" else logging.WARNING, "%s of the server", type)
