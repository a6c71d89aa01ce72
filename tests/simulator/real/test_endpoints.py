"""Endpoints whose images are on this machine: real processes, which real clients invoke."""

from __future__ import annotations

import io
import json
import os
import tarfile
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from simulator.real.namespace import find_namespace
from tests.simulator.api.hosting_requests import model, variant
from tests.simulator.processes import Running, client, gone, simulator, wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

QUICK = {"creating": 0, "updating": 0, "rolling_back": 0, "deleting": 0}
SERVES = """
    # Answers with what it finds, or fails as the request says.
    import http.server, json, os, pathlib
    base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
    found = {
        "pid": os.getpid(),
        "model": {path.name: path.read_text() for path in (base / "model").iterdir()},
        "greeting": os.environ.get("GREETING"),
        "places": [os.environ["SAGEMAKER_BASE_DIR"], os.environ["SM_MODEL_DIR"], os.getcwd()],
    }
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(200 if self.path == "/ping" else 404, b"")
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            if body == b"fail":
                return self.answer(400, b"no such column")
            if body == b"end":
                os._exit(1)
            said = {**found, "path": self.path, "body": body.decode(), "type": self.headers["Content-Type"],
                    "accept": self.headers["Accept"], "custom": self.headers["X-Amzn-SageMaker-Custom-Attributes"]}
            self.answer(200, json.dumps(said).encode())
        def answer(self, status, body):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *_):
            pass
    print("serving", os.getpid(), flush=True)
    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""
BREAKS = """
    print("loading the model")
    raise SystemExit("no module named torch")
"""
SLEEPS = """
    # Never listens, ignores SIGTERM, and has a child.
    import os, signal, subprocess, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "600"])
    print("pids", os.getpid(), child.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module", autouse=True)
def _images(images: Path) -> None:
    for name, script in {"serves/serve": SERVES, "breaks/serve.py": BREAKS, "sleeps/serve": SLEEPS}.items():
        path = images / name
        path.parent.mkdir()
        path.write_text(textwrap.dedent(script))
    (images / "cannot").mkdir()


class Host:
    """The API and the runtime of a simulator, and S3."""

    def __init__(self, running: Running, s3: S3Client) -> None:
        self.running = running
        self.s3 = s3
        self.api: SageMakerClient = running.sagemaker
        self.runtime: Any = client("sagemaker-runtime", running.address)

    def model(self, name: str, image: str, files: Mapping[str, str] | None = None, **changes: Any) -> None:
        """Create a model whose archive has some files."""
        body = io.BytesIO()
        with tarfile.open(fileobj=body, mode="w:gz") as archive:
            for path, text in (files or {}).items():
                member = tarfile.TarInfo(path)
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
        self.s3.put_object(Bucket="bucket", Key=f"{name}/model.tar.gz", Body=body.getvalue())
        self.api.create_model(**model(name, Image=image, ModelDataUrl=f"s3://bucket/{name}/model.tar.gz", **changes))
        self.configure(name, name)

    def configure(self, name: str, model_name: str, **changes: Any) -> None:
        """Create an endpoint configuration of a model."""
        variants: Any = [variant(model_name, **changes)]
        self.api.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants)

    def rule(self, name: str, **rule: Any) -> None:
        """Let a rule apply to an endpoint, which takes no time by itself."""
        rules = [{"name": name, "phases": QUICK, **rule}]
        self.running.admin("rules", {"endpoints": rules})

    def create(self, name: str, config: str | None = None, **rule: Any) -> None:
        """Create an endpoint under a rule of its own."""
        self.rule(name, **rule)
        self.api.create_endpoint(EndpointName=name, EndpointConfigName=config or name)

    def settled(self, name: str, *statuses: str) -> dict[str, Any]:
        """Describe an endpoint once it has one of some statuses."""

        def look() -> dict[str, Any] | None:
            found = dict(self.api.describe_endpoint(EndpointName=name))
            return found if found["EndpointStatus"] in statuses else None

        found = wait_for(look)
        assert found is not None
        return found

    def ask(self, name: str, body: bytes = b"{}", **more: Any) -> dict[str, Any]:
        """Invoke an endpoint, and read its answer."""
        answer = self.runtime.invoke_endpoint(EndpointName=name, Body=body, **more)
        assert answer["InvokedProductionVariant"] == "AllTraffic"
        said: dict[str, Any] = json.loads(answer["Body"].read())
        return said

    def refusal(self, name: str, body: bytes = b"{}", **more: Any) -> dict[str, Any]:
        """Invoke an endpoint that refuses, and return the error."""
        with pytest.raises(ClientError) as caught:
            self.runtime.invoke_endpoint(EndpointName=name, Body=body, **more)
        return dict(caught.value.response)

    def delete(self, name: str) -> None:
        """Delete an endpoint, and wait until it is gone."""
        self.api.delete_endpoint(EndpointName=name)
        wait_for(lambda: not self.api.list_endpoints(NameContains=name)["Endpoints"])

    def lines(self, name: str) -> list[str]:
        """Read what the containers of an endpoint have printed."""
        found = sorted((self.running.workdir / "endpoints" / name).rglob("container.log"))
        return [line for path in found for line in path.read_text().splitlines()]


@pytest.fixture
def host(running: Running, s3: S3Client) -> Host:
    return Host(running, s3)


def test_an_endpoint_answers_from_a_real_process_until_it_is_deleted(host: Host) -> None:
    host.model("real-a", "local/serves:1", {"weights.txt": "0.5"}, Environment={"GREETING": "hello"})
    host.create("real-a")
    assert host.settled("real-a", "InService", "Failed").get("FailureReason") is None

    given = {"ContentType": "text/csv", "Accept": "application/json", "CustomAttributes": "trace=1"}
    said = host.ask("real-a", b"1,2,3", **given)

    assert (said["path"], said["body"]) == ("/invocations", "1,2,3")
    assert (said["type"], said["accept"], said["custom"]) == ("text/csv", "application/json", "trace=1")
    assert (said["model"], said["greeting"]) == ({"weights.txt": "0.5"}, "hello")
    if find_namespace() is not None:
        assert said["places"] == ["/opt/ml", "/opt/ml/model", "/opt/ml"]
    host.delete("real-a")
    wait_for(lambda: gone(said["pid"]))
    assert host.refusal("real-a")["Error"] == {
        "Code": "ValidationError",
        "Message": "Endpoint real-a of account 000000000000 not found.",
    }

    def put() -> list[tuple[str, str]]:
        entries = host.running.entries(resource="endpoint/real-a", kind="event")
        return [(entry["status"], entry["outcome"]) for entry in entries] if len(entries) > 3 else []

    assert wait_for(put) == [(status, "put") for status in ("CREATING", "IN_SERVICE", "DELETING", "DELETED")]


def test_an_error_of_the_container_is_a_model_error_with_its_status_and_message(host: Host) -> None:
    host.model("real-b", "local/serves")
    host.create("real-b")
    host.settled("real-b", "InService")

    refused = host.refusal("real-b", b"fail")

    assert (refused["Error"]["Code"], refused["ResponseMetadata"]["HTTPStatusCode"]) == ("ModelError", 424)
    assert (refused["OriginalStatusCode"], refused["OriginalMessage"]) == (400, "no such column")
    assert refused["Error"]["Message"].startswith(
        'Received client error (400) from primary with message "no such column". See https://us-east-1.console.aws.'
    )
    outcomes = [entry["outcome"] for entry in host.running.entries(resource="endpoint/real-b", kind="call")]
    assert outcomes[-1] == "ModelError"
    ended = host.refusal("real-b", b"end")
    assert ended["OriginalStatusCode"] == 0
    assert "could not get a response from the real-b endpoint" in ended["Error"]["Message"]
    host.delete("real-b")


def test_an_update_answers_from_the_new_process_and_ends_the_old_one(host: Host) -> None:
    host.model("real-c-1", "local/serves", {"version": "1"})
    host.model("real-c-2", "local/serves", {"version": "2"})
    host.create("real-c", "real-c-1")
    host.settled("real-c", "InService")
    old = host.ask("real-c")

    host.api.update_endpoint(EndpointName="real-c", EndpointConfigName="real-c-2")
    found = host.settled("real-c", "InService", "RollingBack")

    new = host.ask("real-c")
    assert found["EndpointConfigName"] == "real-c-2"
    assert (old["model"]["version"], new["model"]["version"]) == ("1", "2")
    wait_for(lambda: gone(old["pid"]))
    assert not gone(new["pid"])
    host.delete("real-c")


def test_an_update_whose_process_ends_is_rolled_back_to_the_old_process(host: Host) -> None:
    host.model("real-d-1", "local/serves")
    host.model("real-d-2", "local/breaks")
    host.create("real-d", "real-d-1")
    host.settled("real-d", "InService")
    old = host.ask("real-d")

    host.api.update_endpoint(EndpointName="real-d", EndpointConfigName="real-d-2")
    wait_for(lambda: host.running.entries(resource="endpoint/real-d", kind="endpoint")[-1]["status"] == "InService")

    assert host.settled("real-d", "InService")["EndpointConfigName"] == "real-d-1"
    assert host.ask("real-d")["pid"] == old["pid"]
    statuses = [entry["status"] for entry in host.running.entries(resource="endpoint/real-d", kind="endpoint")]
    assert statuses == ["Creating", "InService", "Updating", "RollingBack", "InService"]
    host.delete("real-d")


def test_a_process_that_ends_fails_the_endpoint_with_its_last_lines(host: Host, aws: str) -> None:
    host.model("real-e", "local/breaks")
    host.create("real-e")

    reason = host.settled("real-e", "Failed", "InService")["FailureReason"]

    assert reason.startswith(
        "The primary container for production variant AllTraffic did not pass the ping health check."
    )
    assert reason.endswith(
        "The container ended with exit code 1. Its last lines:\nloading the model\nno module named torch"
    )
    group = "/aws/sagemaker/Endpoints/real-e"
    logs = client("logs", aws)

    def shipped() -> list[str]:
        groups = [found["logGroupName"] for found in logs.describe_log_groups()["logGroups"]]
        streams = logs.describe_log_streams(logGroupName=group)["logStreams"] if group in groups else []
        names = [stream["logStreamName"] for stream in streams]
        assert all(name.startswith("AllTraffic/i-") for name in names)
        found = [logs.get_log_events(logGroupName=group, logStreamName=name)["events"] for name in names]
        lines = [event["message"] for events in found for event in events]
        return lines if len(lines) > 1 else []

    assert sorted(wait_for(shipped)) == ["loading the model", "no module named torch"]
    host.delete("real-e")


def test_a_process_that_does_not_answer_in_time_fails_the_endpoint_and_is_killed(host: Host) -> None:
    host.model("real-f", "local/sleeps")
    host.create("real-f", health_check_seconds=3)

    reason = host.settled("real-f", "Failed", "InService")["FailureReason"]

    assert "The container runs, but does not answer." in reason
    printed = host.lines("real-f")  # nothing, if the machine is so busy that the process did not come that far
    pids = [int(pid) for pid in printed[0].split()[1:]] if printed else []
    wait_for(lambda: all(gone(pid) for pid in pids))
    host.delete("real-f")


@pytest.mark.parametrize(
    ("name", "image", "body", "said"),
    [
        ("real-g", "local/cannot", None, "The image local/cannot has neither serve nor serve.py."),
        ("real-h", "local/serves", b"no archive", "Please ensure that the object located at the URL is a valid tar.gz"),
    ],
)
def test_what_cannot_be_served_fails_the_endpoint(
    host: Host, name: str, image: str, body: bytes | None, said: str
) -> None:
    host.model(name, image)
    if body is not None:
        host.s3.put_object(Bucket="bucket", Key=f"{name}/model.tar.gz", Body=body)
    host.create(name)

    assert said in host.settled(name, "Failed", "InService")["FailureReason"]
    host.delete(name)


def test_data_that_disappears_after_the_model_was_created_fails_the_endpoint(host: Host) -> None:
    host.model("real-i", "local/serves")
    host.s3.delete_object(Bucket="bucket", Key="real-i/model.tar.gz")
    host.create("real-i")

    assert "Failed to download model data" in host.settled("real-i", "Failed", "InService")["FailureReason"]
    host.delete("real-i")


def test_data_can_be_a_folder_that_is_not_packed(host: Host) -> None:
    host.s3.put_object(Bucket="bucket", Key="plain/weights.txt", Body=b"0.7")
    source = {"S3Uri": "s3://bucket/plain/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    changes = {"Image": "local/serves", "ModelDataUrl": None, "ModelDataSource": {"S3DataSource": source}}
    host.api.create_model(**model("real-j", **changes))
    host.configure("real-j", "real-j")
    host.create("real-j")
    host.settled("real-j", "InService")

    assert host.ask("real-j")["model"] == {"weights.txt": "0.7"}
    host.delete("real-j")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"ModelDataUrl": "s3://bucket/none/model.tar.gz"},
            "Could not find model data at s3://bucket/none/model.tar.gz.",
        ),
        (
            {"ModelDataUrl": "s3://no-such-bucket/m.tar.gz"},
            "Could not find model data at s3://no-such-bucket/m.tar.gz.",
        ),
        ({"ModelDataUrl": None, "Image": "local/missing"}, "Requested image local/missing not found."),
        ({"ModelDataUrl": None, "Image": "local/.."}, "Requested image local/.. not found."),
    ],
)
def test_a_model_is_refused_if_its_data_or_its_image_does_not_exist(
    host: Host, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ClientError) as caught:
        host.api.create_model(**model("real-refused", **changes))

    assert caught.value.response["Error"] == {"Code": "ValidationException", "Message": said}


def test_an_endpoint_without_a_process_says_so(host: Host) -> None:
    image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/churn:1"
    host.model("real-k", image)
    host.create("real-k")
    host.settled("real-k", "InService")

    refused = host.refusal("real-k")

    assert (refused["Error"]["Code"], refused["OriginalStatusCode"]) == ("ModelError", 501)
    assert f"runs no container for endpoint real-k: its image {image}" in refused["Error"]["Message"]
    host.delete("real-k")


def test_an_invocation_that_is_too_large_or_names_an_unknown_variant_is_refused(host: Host) -> None:
    host.model("real-l", "local/serves")
    host.create("real-l")
    host.settled("real-l", "InService")

    large = host.refusal("real-l", b"x" * 6_291_457)
    assert "length less than or equal to 6291456" in large["Error"]["Message"]
    unknown = host.refusal("real-l", TargetVariant="other")
    assert (unknown["Error"]["Code"], "Variant other" in unknown["Error"]["Message"]) == ("ValidationError", True)
    assert host.ask("real-l", TargetVariant="AllTraffic")["body"] == "{}"
    host.delete("real-l")


def test_the_processes_end_when_the_simulator_ends(tmp_path: Path, images: Path, aws: str, s3: S3Client) -> None:
    with simulator(tmp_path, "--images", str(images), "--grace", "0.1", aws=aws) as other:
        host = Host(other, s3)
        host.model("orphan-1", "local/serves")
        host.model("orphan-2", "local/sleeps")
        host.create("orphan-1")
        host.create("orphan-2")
        host.settled("orphan-1", "InService")
        pids = [host.ask("orphan-1")["pid"], *map(int, wait_for(lambda: host.lines("orphan-2"))[0].split()[1:])]
        assert os.getpid() not in pids
    wait_for(lambda: all(gone(pid) for pid in pids))
