"""The whole of Spot Relay on this machine: MiniStack, the simulator, and the real template deployed to them.

    with embedded.running(scenario=Path("interrupted.yaml")) as stack:
        stack.client("s3").put_object(Bucket=stack.outputs["SpecsBucket"], Key="runs/a.yaml", Body=spec)

``python -m simulator.embedded start`` leaves one running, and ``python -m simulator.embedded stop`` stops it.
"""

from __future__ import annotations

import argparse
import atexit
import json
import shutil
import signal
import sys
import tempfile
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from simulator.embedded_daemons import Daemon, EmbeddedError, answers, free_port, launch, stop_by_id
from simulator.embedded_sam import ARTIFACTS, LOCAL, ROOT, RUNTIME, STACK_NAME, build, deploy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["EmbeddedError", "Stack", "kept", "leave", "running", "stop"]

REGION: Final = "us-east-1"
ACCOUNT: Final = "000000000000"
AWS: Final = "simulator.embedded_aws"
KEPT: Final = LOCAL / "stack.json"
KEPT_ENVIRONMENT: Final = LOCAL / "stack.env"
LOGS_KEPT: Final = 5
ENDING_SECONDS: Final = 10.0  # what the simulator may take to end its jobs; MiniStack holds nothing worth waiting for
TEMPORARY: Final = "tmp"
PARAMETERS: Final = {
    "AllowedRoleArns": f"arn:aws:iam::{ACCOUNT}:role/spot-relay-training",
    "AllowedImages": "local/*,*.dkr.ecr.*.amazonaws.com/*",
    "AllowedCheckpointBuckets": "sagemaker-*,churn-*",  # the latter for the documents of events/
}


@dataclass(frozen=True)
class Stack:
    """A deployed stack: where it is, and what its parts are called."""

    aws_url: str
    simulator_url: str
    outputs: Mapping[str, str]
    template: str  # the built one, for `sam local invoke --template`
    folder: str  # logs, and the files of the functions and jobs
    simulator_pid: int
    aws_pid: int

    @property
    def api_url(self) -> str:
        """The API's address on this machine; requests are signed for execute-api."""
        return f"{self.aws_url}/_aws/execute-api/{self.outputs['ApiId']}/v1"

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which any AWS SDK or tool finds this stack."""
        return _environment(self.aws_url) | {"AWS_ENDPOINT_URL_SAGEMAKER": self.simulator_url}

    def client(self, service: str) -> Any:
        """Make a boto3 client for ``service``; SageMaker's speaks to the simulator."""
        return _client(service, self.simulator_url if service == "sagemaker" else self.aws_url)

    def call(self, method: str, path: str, body: Any = None, *, signed: bool = True) -> httpx.Response:
        """Call the API, such as ``call("GET", "/runs?status=Failed")``; a body that is no bytes is sent as JSON."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        url = self.api_url + path
        request = AWSRequest(method, url, {"Content-Type": "application/json"}, content)
        if signed:
            given = self.environment
            keys = Credentials(given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"])
            SigV4Auth(keys, "execute-api", REGION).add_auth(request)
        headers = dict(request.headers.items())
        return httpx.request(method, url, headers=headers, content=content, timeout=40, trust_env=False)

    def variables(self, function: str) -> dict[str, str]:
        """Give the environment variables that ``Submit``, ``Api``, ``Observe`` or ``Tick`` was deployed with."""
        described = self.client("lambda").get_function_configuration(FunctionName=self.outputs[f"{function}Function"])
        given: dict[str, str] = described["Environment"]["Variables"]
        return given

    def logs(self, function: str) -> list[str]:
        """Give the log lines of ``Submit``, ``Api``, ``Observe`` or ``Tick``, oldest first."""
        logs, group = self.client("logs"), f"/aws/lambda/{STACK_NAME}-{function.lower()}"
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        try:
            events = [event for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"].rstrip("\n") for event in sorted(events, key=lambda event: event["timestamp"])]


@contextmanager
def running(
    scenario: Path | None = None,
    images: Path | None = None,
    parameters: Mapping[str, str] | None = None,
    *,
    grace: float = 5.0,
    keep: bool = False,
    aws: str = AWS,
) -> Iterator[Stack]:
    """Start everything, give the deployed stack, and stop everything, whatever happens.

    ``parameters`` are the template's own; with SageMakerEndpointUrl among them, the stack's SageMaker is there and
    not the simulator. ``grace`` is how many seconds a training process has between SIGTERM and SIGKILL. With
    ``keep`` a stack whose block ends well is left running, for `stop` to stop. ``aws`` is the module that runs as
    MiniStack; it works in the stack's folder.
    """
    with ExitStack() as ending:
        ending.enter_context(_interruptible())
        # For an end without unwinding, such as a generator that nobody closes.
        atexit.register(ending.close)
        ending.callback(atexit.unregister, ending.close)
        stack = _start(ending, scenario, images, parameters or {}, grace, aws)
        yield stack
        if keep:
            leave(stack)
            ending.pop_all()


def leave(stack: Stack) -> None:
    """Write down how to find and to stop a stack that goes on running; one left earlier is stopped."""
    stop()
    KEPT.write_text(json.dumps(asdict(stack), indent=2) + "\n")
    KEPT_ENVIRONMENT.write_text("".join(f"export {name}={value}\n" for name, value in stack.environment.items()))


def kept() -> Stack | None:
    """Give the stack that was left running, if it still does."""
    if not KEPT.exists():
        return None
    try:
        stack = Stack(**json.loads(KEPT.read_text()))
    except TypeError:  # written by another version of this file
        return None
    return stack if answers(f"{stack.aws_url}/_ministack/ready") else None


def stop() -> bool:
    """Stop the stack that was left running; False if there is none."""
    stack = kept()  # one that no longer answers has no process ids either: others may have them by now
    if stack is not None:
        stop_by_id(stack.simulator_pid, ENDING_SECONDS)
        stop_by_id(stack.aws_pid)
        _tidy(Path(stack.folder))
    KEPT.unlink(missing_ok=True)
    KEPT_ENVIRONMENT.unlink(missing_ok=True)
    return stack is not None


def _start(
    ending: ExitStack,
    scenario: Path | None,
    images: Path | None,
    parameters: Mapping[str, str],
    grace: float,
    module: str,
) -> Stack:
    folder = _new_folder()
    ending.callback(_tidy, folder)
    port = free_port()
    aws_url = f"http://127.0.0.1:{port}"
    aws = _ministack(folder, port, module)
    ending.callback(aws.stop)
    simulator, port_file = _simulator(folder, aws_url, scenario, images, grace)
    ending.callback(simulator.stop)
    environment = _environment(aws_url)
    given = {**PARAMETERS, **RUNTIME, **parameters}
    template = build(given, environment)
    aws.wait_for(lambda: answers(f"{aws_url}/_ministack/ready"))
    _client("s3", aws_url).create_bucket(Bucket=ARTIFACTS)
    port_of_simulator = simulator.wait_for(lambda: _text(port_file))
    given = {"SageMakerEndpointUrl": f"http://127.0.0.1:{port_of_simulator}", **given}
    deploy(template, given, environment)
    _narrow(aws_url)
    described = _client("cloudformation", aws_url).describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}
    return Stack(aws_url, given["SageMakerEndpointUrl"], outputs, str(template), str(folder), simulator.pid, aws.pid)


def _narrow(aws_url: str) -> None:
    """Let two workers at most work on a queue: each unpacks the layers for itself, which takes seconds."""
    client = _client("lambda", aws_url)
    for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
        client.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": 2})


def _ministack(folder: Path, port: int, module: str) -> Daemon:
    # Nothing of this process's environment: MiniStack passes its own on to the functions.
    environment = _environment(None) | {
        "PATH": str(Path(sys.executable).parent),
        "HOME": str(folder),
        "TMPDIR": str(folder / TEMPORARY),
        "STATE_DIR": str(folder / TEMPORARY / "state"),
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "AUTH": "true",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
    }
    return launch("MiniStack", ["-m", module], environment, folder / "ministack.log")


def _simulator(
    folder: Path, aws_url: str, scenario: Path | None, images: Path | None, grace: float
) -> tuple[Daemon, Path]:
    port_file = folder / "simulator.port"
    options = ["--host", "127.0.0.1", "--port", "0", "--port-file", str(port_file), "--grace", f"{grace:g}"]
    options += ["--workdir", str(folder / TEMPORARY / "jobs"), "--region", REGION, "--account", ACCOUNT]
    options += ["--scenario", str(scenario.resolve())] if scenario else []
    options += ["--images", str(images.resolve())] if images else []
    environment = _environment(aws_url) | {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(folder),
        "TMPDIR": str(folder / TEMPORARY),
        "PYTHONPATH": str(ROOT),
    }
    command = ["-m", "simulator", *options]
    log = folder / "simulator.log"
    return launch("the simulator", command, environment, log, ENDING_SECONDS), port_file


def _environment(aws_url: str | None) -> dict[str, str]:
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }
    return environment | ({"AWS_ENDPOINT_URL": aws_url} if aws_url else {})


def _client(service: str, url: str) -> Any:
    config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2, "mode": "standard"})
    session = boto3.session.Session("test", "test", region_name=REGION)
    return session.client(service, endpoint_url=url, config=config)  # type: ignore[call-overload]


def _new_folder() -> Path:
    """Make a folder for one stack, and drop all but the newest logs of those before it."""
    stacks = LOCAL / "stacks"
    stacks.mkdir(parents=True, exist_ok=True)
    ended = [folder for folder in stacks.iterdir() if not (folder / TEMPORARY).exists()]
    for folder in sorted(ended, key=lambda ended: ended.stat().st_mtime)[:-LOGS_KEPT]:
        shutil.rmtree(folder, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=stacks))
    (folder / TEMPORARY / "jobs").mkdir(parents=True)
    return folder


def _tidy(folder: Path) -> None:
    shutil.rmtree(folder / TEMPORARY, ignore_errors=True)


def _text(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


@contextmanager
def _interruptible() -> Iterator[None]:
    """Have SIGTERM end this process as Ctrl-C does, so that what was started is stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main(arguments: Sequence[str] | None = None) -> int:
    """Start a stack and leave it running, or stop it."""
    parser = argparse.ArgumentParser(prog="python -m simulator.embedded", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    starting = verbs.add_parser("start", help="start a stack and leave it running")
    starting.add_argument("--scenario", type=Path, help="what the spot market does")
    starting.add_argument("--images", type=Path, help="the folder of the images local/*")
    starting.add_argument("--grace", type=float, default=5.0, help="seconds between SIGTERM and SIGKILL (default: 5)")
    verbs.add_parser("stop", help="stop the stack that was left running")
    options = parser.parse_args(arguments)
    with suppress(KeyboardInterrupt):
        if options.verb == "stop":
            sys.stdout.write("Stopped.\n" if stop() else "Nothing is running.\n")
            return 0
        with running(options.scenario, options.images, grace=options.grace, keep=True) as stack:
            sys.stdout.write(json.dumps({"api_url": stack.api_url, **stack.outputs}, indent=2) + "\n")
        sys.stdout.write(f"Its environment: . {KEPT_ENVIRONMENT}\n")
        return 0
    return 128 + signal.SIGINT


if __name__ == "__main__":
    try:
        sys.exit(main())
    except EmbeddedError as error:
        sys.exit(f"{error}")
