"""The proxy on loopback: what SDKs send is answered, and nobody else can use it."""

from __future__ import annotations

import http.client
import json
import logging
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.session import Session

from embedded.patience import give_time
from simulator import SageMaker
from spot_relay_client.errors import UnreachableError
from spot_relay_client.sagemaker.proxy import Proxy
from spot_relay_client.sagemaker.router import Router
from tests.unit.client.sagemaker.documents import REQUEST, FakeApi

if TYPE_CHECKING:
    from collections.abc import Iterator

ON_DEMAND = REQUEST | {
    "TrainingJobName": "plain",
    "EnableManagedSpotTraining": False,
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    "RoleArn": "arn:aws:iam::000000000000:role/training",
}


class FakeRouters:
    """One router for all regions; it remembers which were asked for."""

    def __init__(self) -> None:
        self.api: Any = FakeApi()
        self.regions: list[str] = []

    def of(self, region: str) -> Router:
        self.regions.append(region)
        return Router(lambda: self.api, {}, all_jobs=False)


@pytest.fixture(scope="module")
def aws() -> Iterator[SageMaker]:
    with SageMaker() as running:
        yield running


@pytest.fixture
def routers() -> FakeRouters:
    return FakeRouters()


@pytest.fixture
def proxy(aws: SageMaker, routers: FakeRouters, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    with Proxy(Session(), routers) as running:  # type: ignore[arg-type]
        yield running


def client(proxy: Proxy, region: str = "us-east-1") -> Any:
    config = Config(retries={"total_max_attempts": 1})
    session = boto3.Session("someone", "else", region_name=region)
    return session.client("sagemaker", endpoint_url=proxy.url, config=config)


def count_calls(aws: SageMaker) -> int:
    return len(aws.log(kind="call"))


def test_a_spot_job_becomes_a_run_and_an_on_demand_job_goes_to_aws(
    proxy: Proxy, routers: FakeRouters, aws: SageMaker
) -> None:
    sagemaker = client(proxy)
    assert sagemaker.create_training_job(**REQUEST)["TrainingJobArn"].endswith(":training-job/churn")
    assert sagemaker.describe_training_job(TrainingJobName="churn")["TrainingJobStatus"] == "InProgress"
    sagemaker.create_training_job(**ON_DEMAND)
    assert sagemaker.describe_training_job(TrainingJobName="plain")["TrainingJobArn"].endswith(":training-job/plain")
    assert list(routers.api.runs) == ["churn"]
    assert {entry["job_name"] for entry in aws.log(kind="call") if entry["job_name"]} >= {"plain"}
    assert not aws.log(job="churn")
    assert proxy.calls == 4


def test_errors_are_those_of_sagemaker(proxy: Proxy) -> None:
    sagemaker = client(proxy)
    sagemaker.create_training_job(**REQUEST)
    with pytest.raises(sagemaker.exceptions.ResourceInUse, match="already exists"):
        sagemaker.create_training_job(**REQUEST)
    with pytest.raises(ClientError, match="Requested resource not found"):
        sagemaker.describe_training_job(TrainingJobName="nobody")


def test_a_stack_that_cannot_be_reached_fails_the_call_and_nothing_goes_to_aws(
    proxy: Proxy, routers: FakeRouters, aws: SageMaker
) -> None:
    class Down:
        def submit(self, _: Any) -> Any:
            raise UnreachableError("The API of Spot Relay could not be used.")

        show = submit

    routers.api, before = Down(), count_calls(aws)
    with pytest.raises(ClientError, match="could not be used") as refused:
        client(proxy).create_training_job(**REQUEST)
    assert refused.value.response["Error"]["Code"] == "SpotRelayError"
    assert count_calls(aws) == before


def test_the_region_is_that_of_the_program_and_the_credentials_are_those_of_the_proxy(
    proxy: Proxy, routers: FakeRouters
) -> None:
    client(proxy, "eu-west-1").list_training_jobs()
    assert routers.regions == ["eu-west-1"]


def test_a_program_that_chooses_the_keys_of_another_user_is_refused(
    proxy: Proxy, routers: FakeRouters, aws: SageMaker
) -> None:
    before = count_calls(aws)
    session = boto3.Session("AKIAIOSFODNN7EXAMPLE", "secret", region_name="us-east-1")
    with pytest.raises(ClientError, match="AKIAIOSFODNN7EXAMPLE, but Spot Relay's proxy has other credentials"):
        session.client("sagemaker", endpoint_url=proxy.url).list_models()
    assert (count_calls(aws), routers.regions) == (before, [])


def good_headers(proxy: Proxy, body: bytes) -> dict[str, str]:
    """Return the headers of a request as an SDK sends it."""
    request = AWSRequest("POST", f"{proxy.url}/", {"X-Amz-Target": "SageMaker.ListTrainingJobs"}, body)
    request.headers["Content-Type"] = "application/x-amz-json-1.1"
    SigV4Auth(Credentials("any", "thing"), "sagemaker", "us-east-1").add_auth(request)
    return {"Host": urlsplit(proxy.url).netloc, **dict(request.headers.items())}


def send(proxy: Proxy, method: str, path: str, headers: dict[str, str], body: bytes = b"{}") -> tuple[int, str, Any]:
    """Send exactly these headers; return the status, the body and the headers of the answer."""
    address = urlsplit(proxy.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=give_time(30))
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in ({"Content-Length": str(len(body))} | headers).items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), answer.headers
    connection.close()
    return found


def path_of(proxy: Proxy) -> str:
    return f"{urlsplit(proxy.url).path}/"


def test_what_an_sdk_sends_is_answered(proxy: Proxy) -> None:
    status, body, _ = send(proxy, "POST", path_of(proxy), good_headers(proxy, b"{}"))
    assert (status, list(json.loads(body))) == (200, ["TrainingJobSummaries"])


# What a web page can make a browser send, even if it has learned the address, and what other users of the machine can.
ATTACKS: dict[str, dict[str, str | None]] = {
    "the name of the attacker's host, which leads here (DNS rebinding)": {"Host": "evil.example:{port}"},
    "another name of this machine": {"Host": "localhost:{port}"},
    "no Host": {"Host": None},
    "another port": {"Host": "127.0.0.1:1"},
    "a script of a page": {"Origin": "https://evil.example"},
    "a script of a page in a sandbox": {"Origin": "null"},
    "a page from where there is no Origin": {"Sec-Fetch-Site": "cross-site"},
    "a link": {"Referer": "https://evil.example/"},
    "a form": {"Content-Type": "application/x-www-form-urlencoded"},
    "a form with files": {"Content-Type": "multipart/form-data; boundary=x"},
    "a form that posts JSON as text": {"Content-Type": "text/plain"},
    "JSON that is not of AWS": {"Content-Type": "application/json"},
    "no type": {"Content-Type": None},
    "no target": {"X-Amz-Target": None},
    "the target of another service": {"X-Amz-Target": "DynamoDB_20120810.Scan"},
    "a target that is a path": {"X-Amz-Target": "SageMaker.../../"},
    "no signature": {"Authorization": None},
    "a signature for another service": {
        "Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request"
    },
    "a region that is an address": {
        "Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/evil.example#/sagemaker/aws4_request"
    },
}


@pytest.mark.parametrize("changes", ATTACKS.values(), ids=ATTACKS)
def test_what_no_sdk_sends_is_refused_and_reaches_neither_aws_nor_the_stack(
    proxy: Proxy, routers: FakeRouters, aws: SageMaker, changes: dict[str, str | None]
) -> None:
    before = count_calls(aws)
    headers: dict[str, str | None] = {**good_headers(proxy, b"{}"), **changes}
    port = str(urlsplit(proxy.url).port)
    sent = {name: value.replace("{port}", port) for name, value in headers.items() if value is not None}
    status, _, answered = send(proxy, "POST", path_of(proxy), sent)
    assert status == 403
    assert not [name for name in answered if name.lower().startswith("access-control-")]
    assert (count_calls(aws), routers.regions, proxy.calls) == (before, [], 0)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "CONNECT"])
def test_other_methods_are_refused_above_all_the_question_of_a_browser_before_a_script(
    proxy: Proxy, routers: FakeRouters, method: str
) -> None:
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-amz-target"}
    status, _, answered = send(proxy, method, path_of(proxy), good_headers(proxy, b"{}") | asks)
    assert status == 403
    assert not [name for name in answered if name.lower().startswith("access-control-")]
    assert routers.regions == []


@pytest.mark.parametrize("path", ["/", "/x/", "/%00/", "/%ff/", "//", "http://evil.example/"])
def test_without_the_key_nothing_is_answered(proxy: Proxy, routers: FakeRouters, path: str) -> None:
    assert send(proxy, "POST", path, good_headers(proxy, b"{}"))[0] == 403
    assert send(proxy, "POST", f"{path_of(proxy)}x", good_headers(proxy, b"{}"))[0] == 403
    assert routers.regions == []


def test_a_refused_request_cannot_carry_another_one(proxy: Proxy, routers: FakeRouters) -> None:
    host = urlsplit(proxy.url).netloc
    inner = "".join(
        f"{name}: {value}\r\n" for name, value in (good_headers(proxy, b"{}") | {"Content-Length": "2"}).items()
    )
    smuggled = f"POST {path_of(proxy)} HTTP/1.1\r\n{inner}\r\n{{}}"
    headers = f"Host: {host}\r\nConnection: keep-alive\r\nContent-Length: {len(smuggled)}"
    outer = f"POST / HTTP/1.1\r\n{headers}\r\n\r\n{smuggled}"
    with socket.create_connection(
        (urlsplit(proxy.url).hostname, urlsplit(proxy.url).port), give_time(30)
    ) as connection:
        connection.sendall(outer.encode())
        answers = b""
        while data := connection.recv(65536):
            answers += data
    assert answers.count(b"HTTP/1.") == 1
    assert routers.regions == []


def test_a_request_that_is_too_large_is_refused(proxy: Proxy, routers: FakeRouters) -> None:
    headers = good_headers(proxy, b"{}") | {"Content-Length": str(11 * 1024 * 1024)}
    status, body, _ = send(proxy, "POST", path_of(proxy), headers)
    assert (status, json.loads(body)["message"]) == (400, "The request is too large.")
    assert routers.regions == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff"])
def test_a_body_that_is_no_document_is_refused(proxy: Proxy, body: bytes) -> None:
    status, answer, _ = send(proxy, "POST", path_of(proxy), good_headers(proxy, body), body)
    assert (status, json.loads(answer)["__type"]) == (400, "SerializationException")


def test_it_listens_on_loopback_only_and_each_time_with_another_key(proxy: Proxy) -> None:
    with Proxy(Session(), FakeRouters()) as other:  # type: ignore[arg-type]
        assert urlsplit(proxy.url).hostname == urlsplit(other.url).hostname == "127.0.0.1"
        assert path_of(proxy) != path_of(other)
        assert len(path_of(proxy)) > 40


def test_the_key_is_not_logged(proxy: Proxy, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "spot_relay_client")
    caplog.set_level(logging.DEBUG, "werkzeug")
    send(proxy, "POST", path_of(proxy), good_headers(proxy, b"{}"))
    send(proxy, "GET", path_of(proxy), {})
    assert path_of(proxy).strip("/") not in caplog.text
