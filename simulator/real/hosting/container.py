"""A container of an endpoint as a real process: its folders, its port, its pings and its answers."""

from __future__ import annotations

import http.client
import socket
import uuid
from collections import deque
from typing import TYPE_CHECKING, Final

from simulator.api.errors import ServiceError
from simulator.api.hosting.hosting import Prediction
from simulator.real.container import inherited_variables
from simulator.real.hosting.materials import place_data
from simulator.real.instance_run import HOME_VARIABLE
from simulator.real.namespace import CONTAINER_BASE, find_namespace
from simulator.real.process import ContainerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from simulator.api.hosting.hosting import Invocation
    from simulator.api.hosting.models import Container
    from simulator.real.hosting.host import Host
    from simulator.world.images import Image

_ADDRESS: Final = "127.0.0.1"
_SCRIPTS: Final = ("serve", "serve.py")
_PING_SECONDS: Final = 2.0
_ANSWER_SECONDS: Final = 60.0
_LAST_LINES: Final = 20
_LONGEST_TAIL: Final = 700
_RETURNED: Final = ("Content-Type", "X-Amzn-SageMaker-Custom-Attributes")
LOG_GROUP: Final = "/aws/sagemaker/Endpoints"


class ServingContainer:
    """The container of one variant of an endpoint; ``home`` is a new folder of its own.

    Only the thread of its deployment starts and ends it. Any thread may invoke it.
    """

    def __init__(self, container: Container, endpoint: str, variant: str, home: Path, host: Host) -> None:
        self._container = container
        self._endpoint = endpoint
        self._variant = variant
        self._home = home
        self._host = host
        self._port = 0
        self._process: ContainerProcess | None = None
        self._stream = f"{variant}/i-{uuid.uuid4().hex[:17]}"
        self._tail: deque[str] = deque(maxlen=_LAST_LINES)

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self._process is not None and self._process.code is not None

    def prepare(self) -> None:
        """Create the folders, with the data of the model in them; a ValueError if there is none."""
        model = self._home / "ml" / "model"
        model.mkdir(parents=True)
        if self._container.data is not None:
            place_data(self._host.clients.s3, self._container.data, model)

    def start(self, on_exit: Callable[[], None]) -> None:
        """Start the process, in a namespace with its folders at ``/opt/ml`` if this machine can make one."""
        image = self._host.images.find(self._container.image)
        command = [str(image.python), str(self._script(image))]
        base = self._home / "ml"
        self._port = _free_port()
        namespace = find_namespace()
        variables = {**image.environment, **self._environment(base if namespace is None else CONTAINER_BASE)}
        if namespace is not None:
            command = namespace.wrap(command, base, self._home, "")
        self._process = ContainerProcess(command, base, variables, self._keep, on_exit)

    def answers_ping(self) -> bool:
        """Whether GET /ping is answered with 200."""
        connection = http.client.HTTPConnection(_ADDRESS, self._port, timeout=_PING_SECONDS)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def failure(self) -> str:
        """Return why it does not answer, in the service's words, then what the simulator has seen."""
        code = self._process.code if self._process is not None else None
        if code is None:
            seen = "The container runs, but does not answer."
        else:
            self._drain()
            seen = f"The container ended with exit code {code if code >= 0 else 128 - code}."
        tail = "\n".join(self._tail)[-_LONGEST_TAIL:]
        said = f" Its last lines:\n{tail}" if tail else " It printed nothing."
        return (
            f"The primary container for production variant {self._variant} did not pass the ping health check. "
            f"Please check CloudWatch logs for this endpoint. {seen}{said}"
        )

    def invoke(self, invocation: Invocation) -> Prediction:
        """Pass a request on to the process, and return its answer.

        Raises
        ------
        ServiceError
            A ModelError if it does not answer in time, or answers with an error.
        """
        connection = http.client.HTTPConnection(_ADDRESS, self._port, timeout=_ANSWER_SECONDS)
        try:
            connection.request("POST", "/invocations", invocation.body, dict(invocation.headers))
            response = connection.getresponse()
            body = response.read()
        except TimeoutError as error:
            raise self._model_error(
                0, "Your invocation timed out while waiting for a response from container primary."
            ) from error
        except (OSError, http.client.HTTPException) as error:
            said = f"Amazon SageMaker could not get a response from the {self._endpoint} endpoint."
            raise self._model_error(0, said) from error
        finally:
            connection.close()
        if response.status >= http.client.BAD_REQUEST:
            raise self._model_error(response.status, body.decode(errors="replace"))
        headers = {name: value for name in _RETURNED if (value := response.getheader(name)) is not None}
        return Prediction(body, headers, self._variant)

    def end(self, grace: float) -> None:
        """End the process and its children, and read its last lines."""
        if self._process is not None:
            self._process.end(grace)
            self._drain()

    def _script(self, image: Image) -> Path:
        for name in _SCRIPTS:
            if (image.folder / name).is_file():
                return image.folder / name
        raise ValueError(f"The image {self._container.image} has neither serve nor serve.py.")

    def _environment(self, base: Path) -> Mapping[str, str]:
        return {
            **inherited_variables(),
            "PYTHONUNBUFFERED": "1",
            "AWS_REGION": self._host.region,
            "SAGEMAKER_BASE_DIR": str(base),
            "SM_MODEL_DIR": str(base / "model"),
            "SAGEMAKER_BIND_TO_PORT": str(self._port),
            **self._container.environment,
            HOME_VARIABLE: str(self._home),
        }

    def _model_error(self, status: int, message: str) -> ServiceError:
        region, account = self._host.region, self._host.account
        group = f"{LOG_GROUP}/{self._endpoint}"
        kind = "client" if http.client.BAD_REQUEST <= status < http.client.INTERNAL_SERVER_ERROR else "server"
        said = (
            f'Received {kind} error ({status}) from primary with message "{message}". See https://{region}.console.aws.'
            f"amazon.com/cloudwatch/home?region={region}#logEventViewer:group={group} in account {account} for more "
            "information."
        )
        stream = f"arn:aws:logs:{region}:{account}:log-group:{group}"
        members: dict[str, str | int] = {
            "OriginalStatusCode": status,
            "OriginalMessage": message,
            "LogStreamArn": stream,
        }
        return ServiceError("ModelError", said, 424, members)

    def _drain(self) -> None:
        if self._process is not None:
            self._process.drain(5.0)

    def _keep(self, line: str) -> None:
        self._tail.append(line)
        with (self._home / "container.log").open("a", encoding="utf-8") as lines:
            lines.write(f"{line}\n")
        self._host.logs.ship(self._stream, line, group=f"{LOG_GROUP}/{self._endpoint}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((_ADDRESS, 0))
        port: int = found.getsockname()[1]
        return port
