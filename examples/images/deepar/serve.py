"""Serve DeepAR's forecasts as SageMaker's container does: ``GET /ping`` and ``POST /invocations``, with NumPy alone.

The model is in ``SM_MODEL_DIR``, by default ``/opt/ml/model``. It listens on the port in ``SAGEMAKER_BIND_TO_PORT``, by
default 8080, at the address in ``SAGEMAKER_BIND_TO_ADDRESS``, by default every one, as SageMaker expects.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from examples.images.deepar.forecast import Model
from examples.images.deepar.series import Series, SeriesError
from examples.images.toolkit.container import Folders

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

_OUTPUTS: Final = ("mean", "quantiles", "samples")
_MOST_SAMPLES: Final = 1000
_MOST_BYTES: Final = 6 * 1024 * 1024  # what SageMaker accepts of a request


class RequestError(ValueError):
    """A request cannot be answered; the message says why."""


def answer(model: Model, body: bytes) -> dict[str, Any]:
    """Return the answer to a request: ``instances`` are time series, ``configuration`` says what is wanted of them."""
    try:
        document = json.loads(body)
        instances, given = document["instances"], document.get("configuration", {})
        outputs, quantiles, count = _read_configuration(given)
        series = [Series.of(instance, f"instances[{number}]") for number, instance in enumerate(instances)]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise RequestError(str(error) if isinstance(error, SeriesError | RequestError) else _explain(error)) from None
    rng = np.random.default_rng(0)
    forecasts = [model.predict(each, count, quantiles, rng) for each in series]
    return {"predictions": [{name: forecast[name] for name in outputs} for forecast in forecasts]}


def _read_configuration(given: Mapping[str, Any]) -> tuple[list[str], list[float], int]:
    outputs = given.get("output_types", list(_OUTPUTS))
    quantiles = [float(each) for each in given.get("quantiles", ["0.1", "0.5", "0.9"])]
    count = int(given.get("num_samples", 100))
    if not set(outputs) <= set(_OUTPUTS):
        raise RequestError(f"output_types is {outputs}, but may have {', '.join(_OUTPUTS)}")
    if not all(0 < each < 1 for each in quantiles):
        raise RequestError(f"quantiles is {quantiles}, but must be between 0 and 1")
    if not 1 <= count <= _MOST_SAMPLES:
        raise RequestError(f"num_samples is {count}, but must be from 1 to {_MOST_SAMPLES}")
    return outputs, quantiles, count


def _explain(error: Exception) -> str:
    return f'A request is {{"instances": [{{"start": …, "target": […]}}], "configuration": {{…}}}}: {error!r}'


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer 200 to ``/ping``: the server is up, and has loaded its model."""
        self._send(HTTPStatus.OK if self.path == "/ping" else HTTPStatus.NOT_FOUND, {})

    def do_POST(self) -> None:
        """Forecast."""
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != "/invocations":
            self.close_connection = True
            self._send(HTTPStatus.NOT_FOUND, {"error": "There is only /invocations"})
        elif length > _MOST_BYTES:
            self.close_connection = True
            self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": f"A request has at most {_MOST_BYTES} bytes"})
        else:
            try:
                self._send(HTTPStatus.OK, answer(self.server.model, self.rfile.read(length)))
            except RequestError as error:
                self._send(HTTPStatus.BAD_REQUEST, {"error": str(error)})

    def _send(self, status: HTTPStatus, document: dict[str, Any]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Server(ThreadingHTTPServer):
    """A server of one model."""

    def __init__(self, address: str, port: int, model: Model) -> None:
        super().__init__((address, port), _Handler)
        self.model = model


def main() -> int:
    """Serve until a SIGTERM."""
    address = os.environ.get("SAGEMAKER_BIND_TO_ADDRESS", "0.0.0.0")  # noqa: S104 (a container's)
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))
    server = Server(address, port, Model.read(Folders.of(os.environ).model))

    def terminate(_signal: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, terminate)
    print(f"Serving on port {server.server_port}", flush=True)
    server.serve_forever()
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
