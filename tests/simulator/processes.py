"""The simulator and MiniStack as processes for the tests, and clients for them."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
import httpx
from botocore.config import Config
from tenacity import Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from embedded.patience import give_time
from simulator.real.s3 import Location

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import DescribeTrainingJobResponseTypeDef

Seen = TypeVar("Seen")
ENDED = ("Completed", "Failed", "Stopped")
QUICK = {"starting": 0, "downloading": 0, "uploading": 0, "stopping": 0}


@cache
def _session() -> boto3.Session:
    """Return the one session, which reads the model of each service once."""
    return boto3.Session("test", "test", region_name="us-east-1")


@cache
def client(service: Any, address: str) -> Any:
    """Return a client that tries once: a second try would hide an error, or use it up. Creating one is slow."""
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    return _session().client(service, endpoint_url=address, config=config)


def wait_for(look: Callable[[], Seen], seconds: float = 60.0) -> Seen:
    """Poll until ``look`` returns something, and return that; a busy machine gets more than ``seconds``."""
    seconds = give_time(seconds)
    retrying = Retrying(
        retry=retry_if_result(lambda seen: not seen) | retry_if_exception_type(httpx.TransportError),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(0.03),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    seen: Seen = retrying(look)
    assert seen, f"nothing found within {seconds} s"
    return seen


def request(name: str, **changes: Any) -> dict[str, Any]:
    """Return a CreateTrainingJob request for a spot job; a member set to ``None`` is left out."""
    members: dict[str, Any] = {
        "TrainingJobName": name,
        "RoleArn": "arn:aws:iam::000000000000:role/training",
        "AlgorithmSpecification": {"TrainingImage": "an-image", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/output/"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60},
        "EnableManagedSpotTraining": True,
    }
    return {key: value for key, value in (members | changes).items() if value is not None}


def unpacked(s3: S3Client, uri: str) -> dict[str, str]:
    """Return the texts in an archive, by file name."""
    place = Location.parse(uri)
    body = s3.get_object(Bucket=place.bucket, Key=place.key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        members = {name: archive.extractfile(name) for name in archive.getnames()}
        return {name: file.read().decode() for name, file in members.items() if file is not None}


def shipped(aws: str, prefix: str) -> dict[str, list[str]]:
    """Return the lines in the log streams whose names begin with ``prefix``, by stream.

    Lines arrive a moment after they were printed: a stream has none at first, and before the first line of all there is
    no group. So a stream without lines is left out.
    """
    logs = client("logs", aws)
    group = "/aws/sagemaker/TrainingJobs"
    try:
        found = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=prefix)["logStreams"]
    except logs.exceptions.ResourceNotFoundException:
        return {}
    streams = {
        name: logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True)["events"]
        for name in (stream["logStreamName"] for stream in found)
    }
    return {name: [event["message"] for event in events] for name, events in streams.items() if events}


def local(name: str, image: str, **changes: Any) -> dict[str, Any]:
    """Return a CreateTrainingJob request for a job with a real process."""
    algorithm = {"TrainingImage": f"local/{image}", "TrainingInputMode": "File"}
    return request(name, AlgorithmSpecification=algorithm, **changes)


def shell(images: Path, name: str, script: str, **changes: Any) -> dict[str, Any]:
    """Return a CreateTrainingJob request for a job whose process is a shell script, kept in the image ``shell``."""
    made = local(name, "shell", **changes)
    path = images / "shell" / f"{name}.sh"
    path.parent.mkdir(exist_ok=True)
    path.write_text(script)
    made["AlgorithmSpecification"] |= {"ContainerEntrypoint": ["/bin/sh", "-eu", str(path)]}
    return made


def channel(name: str, uri: str, distribution: str | None = None, **changes: Any) -> dict[str, Any]:
    """Return an input channel."""
    source = {"S3DataType": "S3Prefix", "S3Uri": uri}
    source |= {"S3DataDistributionType": distribution} if distribution else {}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, **changes}


def keys(s3: S3Client, prefix: str) -> list[str]:
    """List the keys below a prefix of the bucket ``bucket``, without the prefix."""
    found = s3.list_objects_v2(Bucket="bucket", Prefix=prefix).get("Contents", [])
    return [entry["Key"].removeprefix(prefix) for entry in found]


@dataclass(frozen=True)
class Running:
    """A simulator that listens at ``address`` in ``process``."""

    address: str
    process: subprocess.Popen[bytes]
    workdir: Path

    @property
    def sagemaker(self) -> SageMakerClient:
        """A client for its API."""
        made: SageMakerClient = client("sagemaker", self.address)
        return made

    def rules(self, *rules: Mapping[str, Any], quotas: list[dict[str, Any]] | None = None) -> None:
        """Put rules before those in force."""
        self.admin("rules", {"rules": rules, "quotas": quotas or []})

    def admin(self, place: str, body: Mapping[str, Any]) -> None:
        """Post to the admin API."""
        httpx.post(f"{self.address}/_simulator/{place}", json=body).raise_for_status()

    def log(self, job: str, kind: str) -> list[dict[str, Any]]:
        """Read what the audit log has about jobs."""
        return self.entries(job=job, kind=kind)

    def entries(self, **filters: str) -> list[dict[str, Any]]:
        """Read the audit log."""
        entries: list[dict[str, Any]] = httpx.get(f"{self.address}/_simulator/log", params=filters).json()["entries"]
        return entries

    def lines(self, job: str, host: str = "algo-1") -> list[str]:
        """Read what the processes of a job have printed on one of its hosts."""
        path = self.workdir / job / f"{host}.log"
        return path.read_text().splitlines() if path.exists() else []

    def described(self, name: str, *, when: Callable[[Any], bool]) -> DescribeTrainingJobResponseTypeDef:
        """Describe a job until a condition holds."""
        sagemaker = self.sagemaker

        def look() -> DescribeTrainingJobResponseTypeDef | None:
            job = sagemaker.describe_training_job(TrainingJobName=name)
            return job if when(job) else None

        job = wait_for(look)
        assert job is not None
        return job

    def ended(self, name: str) -> DescribeTrainingJobResponseTypeDef:
        """Describe a job once it has ended."""
        return self.described(name, when=lambda job: job["TrainingJobStatus"] in ENDED)


@contextmanager
def simulator(folder: Path, *arguments: str, aws: str | None = None, service: str = "") -> Iterator[Running]:
    """Run a simulator; without ``aws`` it can reach no other service, with a ``service`` no other than that one."""
    folder.mkdir(parents=True, exist_ok=True)
    port = folder / "port"
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    if aws is not None:
        variables |= {f"AWS_ENDPOINT_URL_{service}" if service else "AWS_ENDPOINT_URL": aws}
    command = [sys.executable, "-m", "simulator", "--port-file", str(port), "--workdir", str(folder / "jobs")]
    with (
        (folder / "simulator.log").open("wb") as log,
        subprocess.Popen([*command, *arguments], env=variables, stdout=log, stderr=log) as process,
    ):
        try:
            wait_for(lambda: port.exists() or process.poll() is not None)
            yield Running(f"http://127.0.0.1:{port.read_text()}", process, folder / "jobs")
        finally:
            process.terminate()
            process.wait(timeout=give_time(20))


@contextmanager
def ministack(folder: Path) -> Iterator[str]:
    """Run MiniStack, which here admits the simulator's events, and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    variables = {
        **os.environ,
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "LOG_LEVEL": "WARNING",
        "TMPDIR": str(folder),
    }
    with (
        (folder / "ministack.log").open("wb") as log,
        subprocess.Popen([sys.executable, "-m", "embedded.aws"], env=variables, stdout=log, stderr=log) as process,
    ):
        try:
            wait_for(lambda: httpx.get(f"{address}/_ministack/health").is_success, 60)
            yield address
        finally:
            process.terminate()
            process.wait(timeout=give_time(20))


def gone(process: int) -> bool:
    """Whether there is no such process."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False
