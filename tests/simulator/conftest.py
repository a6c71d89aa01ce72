"""One MiniStack and one simulator for all tests of this folder; each test adds rules for its own names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simulator import surroundings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of S3, EventBridge, SQS and CloudWatch Logs."""
    with surroundings.ministack(tmp_path_factory.mktemp("ministack")) as address:
        yield address


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the images; tests add theirs."""
    return tmp_path_factory.mktemp("images")


@pytest.fixture(scope="session")
def running(aws: str, images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[surroundings.Running]:
    """A simulator with all services around it."""
    folder = tmp_path_factory.mktemp("simulator")
    with surroundings.simulator(folder, "--images", str(images), "--grace", "1", aws=aws) as simulator:
        yield simulator


@pytest.fixture(scope="session")
def sagemaker(running: surroundings.Running) -> SageMakerClient:
    """A client of the simulator."""
    return running.sagemaker


@pytest.fixture(scope="session")
def s3(aws: str) -> S3Client:
    """A client of S3, with the bucket ``bucket``."""
    client: S3Client = surroundings.client("s3", aws)
    client.create_bucket(Bucket="bucket")
    return client
