"""One MiniStack and one simulator for the tests of this folder; each test adds rules for its own job names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulator import processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of S3, EventBridge, SQS and CloudWatch Logs."""
    with processes.ministack(tmp_path_factory.mktemp("ministack")) as address:
        yield address


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the images; tests add their own."""
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="session")
def running(
    aws: str,
    images: Path,
    s3: S3Client,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[processes.Running]:
    """A simulator that can reach all other services; its jobs may write to the bucket of ``s3``."""
    folder = tmp_path_factory.mktemp("simulator")
    with processes.simulator(folder, "--images", str(images), "--grace", "1", aws=aws) as simulator:
        yield simulator


@pytest.fixture(scope="session")
def sagemaker(running: processes.Running) -> SageMakerClient:
    """A client of the simulator."""
    return running.sagemaker


@pytest.fixture(scope="session")
def s3(aws: str) -> S3Client:
    """A client of S3, with the bucket ``bucket``."""
    client: S3Client = processes.client("s3", aws)
    client.create_bucket(Bucket="bucket")
    return client
