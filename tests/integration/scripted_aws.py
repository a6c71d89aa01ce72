"""A scripted AWS for the client: CloudFormation, the API of one stack, and whatever else a test scripts."""

from __future__ import annotations

import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Answer = tuple[int, Any]
ROLE: Final = "arn:aws:iam::111122223333:role/training"
_STACK: Final = """<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>spot-relay</StackName>
<StackId>arn:aws:cloudformation:us-east-1:111122223333:stack/spot-relay/1</StackId>
<CreationTime>2026-05-01T00:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus>
<Outputs><member><OutputKey>ApiUrl</OutputKey><OutputValue>{url}/v1</OutputValue></member>{version}</Outputs>
<Parameters><member><ParameterKey>AllowedRoleArns</ParameterKey><ParameterValue>{role}</ParameterValue></member>
<member><ParameterKey>AllowedCheckpointBuckets</ParameterKey><ParameterValue>sagemaker-*</ParameterValue></member>
</Parameters></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"""


class ScriptedAws(ThreadingHTTPServer):
    """CloudFormation, which knows one stack, and that stack's API, whose answers are scripted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: Callable[[str, str], Answer] = lambda method, path: (500, {"message": f"{method} {path}"})
        self.requests: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []
        self.signed_for: set[str] = set()
        self.version: str | None = "0.1.0"

    @property
    def url(self) -> str:
        """The address of both."""
        return f"http://127.0.0.1:{self.server_port}"

    def describe(self) -> str:
        """Describe the stack, as CloudFormation does; the first releases said no version."""
        output = f"<member><OutputKey>Version</OutputKey><OutputValue>{self.version}</OutputValue></member>"
        return _STACK.format(url=self.url, role=ROLE, version=output if self.version else "")

    def script(self, **answers: list[Answer]) -> None:
        """Answer the requests of each method one after the other; the last answer is repeated."""

        def answer(method: str, _path: str) -> Answer:
            left = answers[method]
            return left.pop(0) if len(left) > 1 else left[0]

        self.answer = answer

    def count(self, method: str) -> int:
        """Count the requests to the API with a method."""
        return sum(made == method for made, _ in self.requests)


class _Handler(BaseHTTPRequestHandler):
    server: ScriptedAws

    def do_GET(self) -> None:
        """Answer a request."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if b"Action=DescribeStacks" in body:
            self._send(200, self.server.describe().encode(), "text/xml")
            return
        self.server.requests.append((self.command, self.path))
        self.server.bodies.append(body)
        self.server.signed_for.add(self.headers["Authorization"].split("/")[3])
        status, document = self.server.answer(self.command, self.path)
        if status == 0:
            self.close_connection = True
            return
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        self._send(status, content, "application/json")

    do_POST = do_GET  # noqa: N815 (the name is the base class's)

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            self.send_header("x-amzn-ErrorType", "TooManyRequestsException")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name is the base class's)
        """Print nothing."""


@pytest.fixture(scope="module", name="server")
def serve_scripted_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedAws]:
    """A scripted AWS that the environment points to; retries come at once."""
    server, folder = ScriptedAws(), tmp_path_factory.mktemp("client")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "SPOT_RELAY_STACK", "SPOT_RELAY_API_URL"):
            patch.delenv(name, raising=False)
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": str(folder / "none"),
            "XDG_CACHE_HOME": str(folder),
        }.items():
            patch.setenv(name, value)
        patch.setattr("botocore.endpoint.time.sleep", lambda _: None)
        yield server
    server.shutdown()
    thread.join()
    server.server_close()
