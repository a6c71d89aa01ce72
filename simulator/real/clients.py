"""Clients for the AWS services that the simulator uses, at the addresses in the environment variables."""

from __future__ import annotations

import os
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client

_ADDRESS = "AWS_ENDPOINT_URL"


class Clients:
    """Creates each client on first use.

    Only services with an address in ``AWS_ENDPOINT_URL`` or ``AWS_ENDPOINT_URL_<SERVICE>`` are called: without one a
    client would reach the real AWS, which a simulator must never do.
    """

    def __init__(self, region: str) -> None:
        self._session = boto3.Session(
            region_name=region,
            aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "test"),
            aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "test"),
            aws_session_token=os.environ.get("AWS_SESSION_TOKEN"),
        )
        self._lock = Lock()
        self._made: dict[str, Any] = {}

    def has(self, service: str) -> bool:
        """Whether the environment has an address for ``service``, such as ``s3``."""
        return bool(os.environ.get(f"{_ADDRESS}_{service.upper()}") or os.environ.get(_ADDRESS))

    @property
    def s3(self) -> S3Client:
        """The S3 client."""
        client: S3Client = self._client("s3")
        return client

    @property
    def events(self) -> EventBridgeClient:
        """The EventBridge client."""
        client: EventBridgeClient = self._client("events")
        return client

    @property
    def logs(self) -> CloudWatchLogsClient:
        """The CloudWatch Logs client."""
        client: CloudWatchLogsClient = self._client("logs")
        return client

    def _client(self, service: Any) -> Any:
        with self._lock:
            if service not in self._made:
                if not self.has(service):
                    raise RuntimeError(f"no address for {service}: set {_ADDRESS} or {_ADDRESS}_{service.upper()}")
                # The publisher retries events itself: a retry inside the client would delay the events behind it.
                attempts = 1 if service == "events" else 4
                config = Config(
                    connect_timeout=5,
                    read_timeout=30,
                    retries={"total_max_attempts": attempts, "mode": "standard"},
                    s3={"addressing_style": "path"},
                    max_pool_connections=20,
                )
                self._made[service] = self._session.client(service, config=config)
            return self._made[service]
