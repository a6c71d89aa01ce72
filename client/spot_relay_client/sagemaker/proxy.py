"""A server on loopback that speaks for SageMaker and CloudWatch Logs, for programs in any language.

Calls that concern runs are answered by a router, all others are passed on to AWS. AWS takes what is passed on for the
user's own calls, so the server stands behind a gate (`loopback`), and answers only requests that an SDK sends: a POST
that is signed, with a JSON type and a target. No form of a web page can send these headers, and a script of one must
first ask with OPTIONS, which is refused. Whatever has an Origin or another mark of a browser is refused as well.
"""

from __future__ import annotations

import json
import logging
import secrets
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

from spot_relay_client.errors import SpotRelayError
from spot_relay_client.loopback import Gate, LoopbackServer, RefusedRequestError
from spot_relay_client.sagemaker.errors import ServiceError
from spot_relay_client.sagemaker.router import ROUTED, Call
from spot_relay_client.sagemaker.signing import Signer, read_scope
from spot_relay_client.sagemaker.wire import CONTENT_TYPE, encode_answer, encode_error

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from botocore.session import Session

    from spot_relay_client.sagemaker.routers import Routers

# The services, as botocore and signatures name them, by the beginning of their targets.
_SERVICES: Final = {"SageMaker": "sagemaker", "Logs_20140328": "logs"}
_OPERATIONS: Final = frozenset(operation for operations in ROUTED.values() for operation in operations)
_LARGEST: Final = 10 * 1024 * 1024
logger = logging.getLogger(__name__)


class Application:
    """The WSGI application behind a gate."""

    def __init__(self, session: Session, routers: Routers, gate: Gate) -> None:
        self._signer = Signer(session)
        self._routers = routers
        self._gate = gate
        self._lock = Lock()
        self.calls = 0
        """How many calls of SDKs there have been."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        request.max_content_length = _LARGEST
        try:
            service, operation = self._admit(request)
            answer = self._answer(request, service, operation)
        except RefusedRequestError as error:
            logger.warning("refused %s from %s: %s", request.method, request.remote_addr, error)
            answer = Response(f"{error}\n", HTTPStatus.FORBIDDEN, content_type="text/plain; charset=utf-8")
        except RequestEntityTooLarge:
            answer = _refuse(ServiceError("ValidationException", "The request is too large."))
        return answer(environ, start_response)

    def _admit(self, request: Request) -> tuple[str, str]:
        """Return the service and the operation that a request calls; raise RefusedRequestError if it is no SDK's."""
        headers = request.headers
        if self._gate.admit(request) not in ("", "/"):
            raise RefusedRequestError("The address has more in it than this proxy's.")
        if "Origin" in headers or "Referer" in headers or any(name.startswith("Sec-Fetch-") for name, _ in headers):
            raise RefusedRequestError("This proxy does not speak to web pages.")
        if request.method != "POST" or request.mimetype not in ("application/x-amz-json-1.0", CONTENT_TYPE):
            raise RefusedRequestError(f"Only POST requests of type {CONTENT_TYPE} are answered: use an AWS SDK.")
        prefix, _, operation = headers.get("X-Amz-Target", "").partition(".")
        if prefix not in _SERVICES or not operation.isalnum():
            raise RefusedRequestError("The X-Amz-Target header names no operation of SageMaker or CloudWatch Logs.")
        return _SERVICES[prefix], operation

    def _answer(self, request: Request, service: str, operation: str) -> Response:
        scope = read_scope(request.headers.get("Authorization", ""), service)
        if scope is None:
            raise RefusedRequestError(f"The request is not signed for {service} in a region.")
        with self._lock:
            self.calls += 1
        body, region = request.get_data(), scope.region
        try:
            self._signer.check_identity(scope.key)
            answer = self._route(request, service, region, operation, body) if operation in _OPERATIONS else None
            if answer is not None:
                return _respond(HTTPStatus.OK, encode_answer(answer))
            passed = self._signer.pass_on(service, region, dict(request.headers), body)
        except ServiceError as error:
            return _refuse(error)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            return _refuse(ServiceError(error.response["Error"]["Code"], error.response["Error"]["Message"], status))
        except SpotRelayError as error:
            # No SDK repeats a request after this: the client of the stack has done so already.
            return _refuse(ServiceError("SpotRelayError", str(error)))
        except BotoCoreError as error:
            return _refuse(ServiceError("ServiceUnavailable", str(error), HTTPStatus.SERVICE_UNAVAILABLE))
        return Response(passed.body, passed.status, passed.headers)

    def _route(self, request: Request, service: str, region: str, operation: str, body: bytes) -> dict[str, Any] | None:
        try:
            document = json.loads(body)
        except ValueError as error:
            raise ServiceError("SerializationException", f"The body is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise ServiceError("SerializationException", "The body is not a JSON object")
        call = Call(
            operation=operation,
            request=document,
            # SDKs send it, and send the same when they try again.
            id=request.headers.get("amz-sdk-invocation-id") or secrets.token_hex(16),
            aws=lambda: self._signer.client(service, region),
        )
        return self._routers.of(region).answer(call)


class Proxy:
    """The server; ``with Proxy(session, routers) as proxy`` runs it in a thread of its own."""

    def __init__(self, session: Session, routers: Routers, port: int = 0) -> None:
        gate = Gate()
        self._application = Application(session, routers, gate)
        self._server = LoopbackServer(gate, self._application, port)
        self.url = gate.url

    def __enter__(self) -> Proxy:
        """Begin to serve."""
        self._server.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.__exit__()

    @property
    def calls(self) -> int:
        """How many calls of SDKs there have been."""
        return self._application.calls

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which SDKs and the AWS CLI find the proxy."""
        return {"AWS_ENDPOINT_URL_SAGEMAKER": self.url, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": self.url}


def _respond(status: int, body: bytes) -> Response:
    return Response(body, status, {"x-amzn-RequestId": secrets.token_hex(16)}, content_type=CONTENT_TYPE)


def _refuse(error: ServiceError) -> Response:
    return _respond(error.status, encode_error(error))
