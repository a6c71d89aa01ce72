"""The simulator over HTTP.

SageMaker's JSON 1.1 protocol is at ``/``, SageMaker Runtime's at ``/endpoints/``, and an admin API under
``/_simulator/``.
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from typing import TYPE_CHECKING, Any, Final

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from simulator.api.errors import ServiceError
from simulator.api.hosting.hosting import Invocation
from simulator.world.scenario import Scenario, ScenarioError, parse_scenario, parse_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from simulator.api.service import Service

_ADMIN: Final = "/_simulator/"
_INVOCATIONS: Final = re.compile(r"/endpoints/([^/]+)/invocations")
_VARIANT: Final = "X-Amzn-SageMaker-Target-Variant"
_PASSED_ON: Final = ("Content-Type", "Accept", "X-Amzn-SageMaker-Custom-Attributes", "X-Amzn-SageMaker-Inference-Id")
_LARGEST: Final = 10 * 1024 * 1024
logger = logging.getLogger(__name__)


class Application:
    """A WSGI application for everything that one account has."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        request = Request(environ)
        request.max_content_length = _LARGEST
        return self._respond(request)(environ, start_response)

    def _respond(self, request: Request) -> Response:
        if request.path.startswith(_ADMIN):
            return self._admin(request)
        invoked = _INVOCATIONS.fullmatch(request.path)
        return self._api(request) if invoked is None else self._runtime(request, invoked[1])

    def _api(self, request: Request) -> Response:
        operation = request.headers.get("X-Amz-Target", "").partition("SageMaker.")[2]
        try:
            return _answer(self._service.call(operation, _body(request)))
        except ServiceError as error:
            return _refusal(error)
        except Exception:
            logger.exception("%s failed", operation)
            return _refusal(_failed())

    def _runtime(self, request: Request, name: str) -> Response:
        headers = {key: request.headers[key] for key in _PASSED_ON if key in request.headers}
        try:
            invocation = Invocation(request.get_data(), headers, request.headers.get(_VARIANT))
            prediction = self._service.invoke(name, invocation)
        except ServiceError as error:
            return _runtime_refusal(error)
        except Exception:
            logger.exception("InvokeEndpoint failed")
            return _runtime_refusal(_failed())
        answer = {"x-Amzn-Invoked-Production-Variant": prediction.variant, **prediction.headers}
        return Response(prediction.body, headers={"x-amzn-RequestId": str(uuid.uuid4()), **answer})

    def _admin(self, request: Request) -> Response:
        place = request.path.removeprefix(_ADMIN)
        try:
            match request.method, place:
                case "GET", "health":
                    return _json({"status": "ok"})
                case "GET", "log":
                    return _json({"entries": self._log(request)})
                case "GET", "scenario":
                    return _json(self._service.scenario.model_dump(mode="json"))
                case "PUT", "scenario":
                    self._service.play(_scenario(request))
                    return _json({"rules": len(self._service.scenario.rules)})
                case "POST", "rules":
                    self._service.play_before(_more_rules(request))
                    return _json({"rules": len(self._service.scenario.rules)})
                case _:
                    return _json({"code": "NotFound", "message": f"there is no {request.method} {request.path}"}, 404)
        except ScenarioError as error:
            return _json({"code": "InvalidScenario", "message": str(error)}, 400)
        except ValueError as error:
            return _json({"code": "InvalidRequest", "message": str(error)}, 400)

    def _log(self, request: Request) -> list[dict[str, Any]]:
        return self._service.audit.entries(
            after=int(request.args.get("after", "0")),
            job=request.args.get("job"),
            resource=request.args.get("resource"),
            kind=request.args.get("kind"),
        )


class _Handler(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 (werkzeug's name)
        """Send werkzeug's lines to the simulator's log; access lines only at DEBUG."""
        level = logging.DEBUG if type == "info" else logging.WARNING
        logger.log(level, message, *args)


def bind(service: Service, host: str, port: int) -> BaseWSGIServer:
    """Bind a threaded server; with port 0 the system chooses a free one."""
    return make_server(host, port, Application(service), threaded=True, request_handler=_Handler)


def _scenario(request: Request) -> Scenario:
    return parse_scenario(parse_text(request.get_data(as_text=True)))


def _more_rules(request: Request) -> Scenario:
    document = parse_text(request.get_data(as_text=True))
    if isinstance(document, list):
        document = {"rules": document}
    elif isinstance(document, dict) and "default" in document:
        raise ScenarioError("default: only a whole scenario (PUT /_simulator/scenario) has one")
    return parse_scenario(document)


def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.get_data() or b"{}")
    except ValueError as error:
        raise ServiceError("SerializationException", f"The body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise ServiceError("SerializationException", "The body is not a JSON object")
    return body


def _answer(body: dict[str, Any], status: int = 200) -> Response:
    headers = {"x-amzn-RequestId": str(uuid.uuid4())}
    return Response(json.dumps(body), status, headers=headers, content_type="application/x-amz-json-1.1")


def _refusal(error: ServiceError) -> Response:
    return _answer({"__type": error.code, "message": error.message}, error.status)


def _runtime_refusal(error: ServiceError) -> Response:
    headers = {"x-amzn-RequestId": str(uuid.uuid4()), "x-amzn-ErrorType": error.code}
    body = json.dumps({"Message": error.message, **error.members})
    return Response(body, error.status, headers=headers, content_type="application/json")


def _failed() -> ServiceError:
    return ServiceError("InternalFailure", "The simulator failed; see its log.", 500)


def _json(body: Any, status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")
