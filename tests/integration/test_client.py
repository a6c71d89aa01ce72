"""The client against an API that answers late, wrongly or not at all: nothing is submitted or resumed twice."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import pytest
from botocore.config import Config

from spot_relay_client import api
from spot_relay_client.errors import (
    ConflictError,
    InvalidSpecError,
    NoSuchRunError,
    StackNotFoundError,
    UnreachableError,
    WaitTimeoutError,
)
from spot_relay_client.relay import SpotRelay
from tests.unit.client.documents import run_document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Answer = tuple[int, Any]
LOST: Final = (0, None)
SPEC: Final = {"name": "churn", "training_job": {}}
_STACK: Final = """<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>spot-relay</StackName>
<CreationTime>2026-05-01T00:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus>
<Outputs><member><OutputKey>ApiUrl</OutputKey><OutputValue>{url}/v1</OutputValue></member></Outputs>
</member></Stacks></DescribeStacksResult></DescribeStacksResponse>"""


class ScriptedAws(ThreadingHTTPServer):
    """CloudFormation, which knows one stack, and that stack's API, whose answers are scripted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: Callable[[str, str], Answer] = lambda method, path: (500, {"message": f"{method} {path}"})
        self.requests: list[tuple[str, str]] = []
        self.signed_for: set[str] = set()

    @property
    def url(self) -> str:
        """The address of both."""
        return f"http://127.0.0.1:{self.server_port}"

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
            self._send(200, _STACK.format(url=self.server.url).encode(), "text/xml")
            return
        self.server.requests.append((self.command, self.path))
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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedAws]:
    """A scripted AWS that the environment points to; retries come at once, and calls time out soon."""
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
        patch.setattr(api, "_CONFIG", api._CONFIG.merge(Config(read_timeout=0.5)))
        yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def shared_relay(server: ScriptedAws) -> SpotRelay:
    """The runs of the scripted stack; its clients are made once."""
    return SpotRelay(sleep=lambda _: None)


@pytest.fixture
def aws(server: ScriptedAws) -> ScriptedAws:
    """The scripted AWS, which has seen no request to the API yet."""
    server.requests.clear()
    return server


@pytest.fixture
def relay(aws: ScriptedAws, shared_relay: SpotRelay) -> SpotRelay:
    """The runs of the scripted stack."""
    return shared_relay


def made_now(**fields: Any) -> dict[str, Any]:
    return run_document(created_at=datetime.now(UTC).isoformat(), **fields)


NO_SUCH_RUN: Final = (404, {"code": "NoSuchRun", "message": "There is no run churn.", "details": []})
CONFLICT: Final = (409, {"code": "Rejected", "message": "The run has not ended.", "details": []})


def test_a_spec_is_submitted_once_and_signed_for_the_api(aws: ScriptedAws, relay: SpotRelay) -> None:
    aws.script(POST=[(202, made_now(created=True))])
    assert relay.submit(SPEC).created is True
    assert aws.requests == [("POST", "/v1/runs")]
    assert aws.signed_for == {"execute-api"}


@pytest.mark.parametrize("failure", [LOST, (500, {"message": "x"}), (503, b"<html>"), (429, {"message": "slow down"})])
def test_a_failed_submission_is_repeated_with_the_same_spec(
    aws: ScriptedAws, relay: SpotRelay, failure: Answer
) -> None:
    aws.script(POST=[failure, (202, made_now())])
    assert relay.submit(SPEC).name == "churn"
    assert aws.count("POST") == 2


def test_after_a_lost_answer_the_run_is_asked_for_by_its_name(aws: ScriptedAws, relay: SpotRelay) -> None:
    aws.script(POST=[LOST], GET=[(200, made_now())])
    assert relay.submit(SPEC).name == "churn"
    assert aws.requests[-1] == ("GET", "/v1/runs/churn")


def test_an_older_run_of_the_name_is_not_taken_for_the_one_that_was_submitted(
    aws: ScriptedAws, relay: SpotRelay
) -> None:
    aws.script(POST=[LOST], GET=[(200, run_document(created_at="2026-05-01T00:00:00Z"))])
    with pytest.raises(UnreachableError, match="you can safely repeat it"):
        relay.submit(SPEC)


def test_a_submission_that_made_no_run_fails_clearly(aws: ScriptedAws, relay: SpotRelay) -> None:
    aws.script(POST=[(500, {"message": "x"})], GET=[NO_SUCH_RUN])
    with pytest.raises(UnreachableError, match="spot-relay doctor"):
        relay.submit(SPEC)


def test_the_problems_of_a_spec_are_named(aws: ScriptedAws, relay: SpotRelay) -> None:
    details = [{"path": "training_job.RoleArn", "message": "It is missing."}]
    aws.script(POST=[(400, {"code": "InvalidSpec", "message": "1 problem.", "details": details})])
    with pytest.raises(InvalidSpecError, match=r"training_job\.RoleArn: It is missing") as caught:
        relay.submit(SPEC)
    assert caught.value.details == details
    assert aws.count("POST") == 1


def test_a_resumption_whose_answer_was_lost_is_found_by_the_state_of_the_run(
    aws: ScriptedAws, relay: SpotRelay
) -> None:
    aws.script(GET=[(200, run_document(status="Failed")), (200, run_document())], POST=[LOST, CONFLICT])
    assert relay.resume("churn").status == "InProgress"


def test_a_resumption_that_is_refused_at_once_is_refused(aws: ScriptedAws, relay: SpotRelay) -> None:
    aws.script(GET=[(200, run_document(status="Failed")), (200, run_document())], POST=[CONFLICT])
    with pytest.raises(ConflictError, match="The run has not ended"):
        relay.resume("churn")


def test_a_resumption_that_was_not_carried_out_fails_clearly(aws: ScriptedAws, relay: SpotRelay) -> None:
    aws.script(GET=[(200, run_document(status="Failed"))], POST=[LOST])
    with pytest.raises(UnreachableError):
        relay.resume("churn")


@pytest.mark.parametrize("answer", [b"<html>not JSON</html>", b"[]", b"\xff\xfe", b'"text"'])
def test_an_answer_that_is_no_run_leads_to_a_clear_error(aws: ScriptedAws, relay: SpotRelay, answer: bytes) -> None:
    aws.script(GET=[(200, answer)])
    with pytest.raises(UnreachableError, match="could not be used"):
        relay.get("churn")


def test_an_answer_of_an_api_of_another_version_leads_to_a_clear_error(aws: ScriptedAws, relay: SpotRelay) -> None:
    aws.script(GET=[(200, {"id": "churn", "state": "RUNNING"})])
    with pytest.raises(UnreachableError, match="another version"):
        relay.get("churn")


def test_an_api_that_hangs_leads_to_a_clear_error(
    aws: ScriptedAws, relay: SpotRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def hang(_method: str, _path: str) -> Answer:
        released.wait(30)
        return LOST

    aws.answer = hang
    with pytest.raises(UnreachableError, match="timeout"):
        relay.get("churn")
    released.set()


def test_waiting_goes_on_while_the_api_fails_and_ends_with_the_run(aws: ScriptedAws, relay: SpotRelay) -> None:
    failing = [(500, {"message": "x"})] * 6
    aws.script(GET=[(200, run_document()), *failing, (200, run_document(status="Completed"))])
    assert relay.wait("churn").status == "Completed"


def test_waiting_ends_after_its_time_and_the_run_goes_on(aws: ScriptedAws, relay: SpotRelay) -> None:
    aws.script(GET=[(200, run_document())])
    with pytest.raises(WaitTimeoutError, match="It goes on"):
        relay.wait("churn", timeout=0)
    assert aws.count("POST") == 0


def test_a_run_that_is_not_there_is_not_waited_for(aws: ScriptedAws, relay: SpotRelay) -> None:
    aws.script(GET=[NO_SUCH_RUN])
    with pytest.raises(NoSuchRunError):
        relay.wait("churn")


def test_all_pages_of_runs_are_read(aws: ScriptedAws, relay: SpotRelay) -> None:
    def page(name: str, token: str | None) -> Answer:
        summary = {key: run_document()[key] for key in ("status", "reason", "created_at", "updated_at")}
        return 200, {"runs": [summary | {"run_id": name, "attempts": 1}], "next_token": token}

    aws.script(GET=[page("a", "more"), page("b", None)])
    assert [run.name for run in relay.list("Failed")] == ["a", "b"]
    assert [path for _, path in aws.requests] == ["/v1/runs?status=Failed", "/v1/runs?status=Failed&token=more"]


def test_processes_share_what_was_found_of_a_stack_even_if_it_was_damaged(
    aws: ScriptedAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    SpotRelay()
    (kept,) = (tmp_path / "spot-relay").iterdir()
    before = kept.read_text()
    kept.write_text(before[:10])
    threads = [threading.Thread(target=SpotRelay) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.name for path in (tmp_path / "spot-relay").iterdir()] == [kept.name]
    assert kept.read_text() == before


def test_without_a_region_the_error_says_what_to_set(aws: ScriptedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(StackNotFoundError, match="AWS_REGION"):
        SpotRelay()
