"""A Step Functions that only has tasks: moto's needs packages that are not here, and does not refuse tokens."""

from __future__ import annotations

import json
from threading import Thread
from typing import TYPE_CHECKING, Any

from werkzeug import Request, Response
from werkzeug.serving import make_server

from embedded.patience import give_time

if TYPE_CHECKING:
    from collections.abc import Callable


class StepFunctions:
    """Answers SendTaskSuccess and SendTaskFailure on a free port of this machine, as AWS does."""

    def __init__(self) -> None:
        self.forget()
        self._server = make_server("127.0.0.1", 0, Request.application(self._respond), threaded=True)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def forget(self) -> None:
        """Forget every task."""
        self.waiting: set[str] = set()
        self.answers: dict[str, tuple[str | None, dict[str, Any]]] = {}
        self.refuse: Callable[[], tuple[str, str] | None] = lambda: None

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join(timeout=give_time(5))
        self._server.server_close()

    def _respond(self, request: Request) -> Response:
        operation, body = request.headers["X-Amz-Target"].rpartition(".")[2], request.get_json(force=True)
        token = body["taskToken"]
        refusal = self.refuse() or self._check(token)
        if refusal is not None:
            code, message = refusal
            return _json({"__type": f"com.amazonaws.swf.service.v2.model#{code}", "message": message}, 400)
        if operation == "SendTaskSuccess":
            self.answers[token] = (None, json.loads(body["output"]))
        else:
            self.answers[token] = (body["error"], json.loads(body["cause"]))
        return _json({}, 200)

    def _check(self, token: str) -> tuple[str, str] | None:
        if token in self.answers:
            return "TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'"
        if token not in self.waiting:
            return "InvalidToken", "Invalid Token: 'Invalid token'"
        return None


def _json(body: dict[str, Any], status: int) -> Response:
    return Response(json.dumps(body), status, content_type="application/x-amz-json-1.0")
