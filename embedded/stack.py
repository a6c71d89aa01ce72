"""A deployed stack: its addresses and the names of its parts, with clients for all of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import boto3
import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from embedded.patience import give_time
from embedded.sam import STACK_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

REGION: Final = "us-east-1"
ACCOUNT: Final = "000000000000"


@dataclass(frozen=True)
class Stack:
    """A deployed stack.

    ``template`` is the built template, for ``sam local invoke --template``. ``folder`` holds the logs, and the files
    of functions and jobs.
    """

    aws_url: str
    simulator_url: str
    outputs: Mapping[str, str]
    template: str
    folder: str
    simulator_pid: int
    aws_pid: int

    @property
    def api_url(self) -> str:
        """The address of the API on this machine; requests are signed for execute-api."""
        return f"{self.aws_url}/_aws/execute-api/{self.outputs['ApiId']}/v1"

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables that point any AWS SDK or tool, and `spot-relay`, to this stack."""
        addresses = {"AWS_ENDPOINT_URL_SAGEMAKER": self.simulator_url, "SPOT_RELAY_API_URL": self.api_url}
        return aws_environment(self.aws_url) | addresses

    def client(self, service: str) -> Any:
        """Create a boto3 client for ``service``; the client for SageMaker calls the simulator."""
        return make_client(service, self.simulator_url if service == "sagemaker" else self.aws_url)

    def call(
        self, method: str, path: str, body: Any = None, *, signed_for: str | None = "execute-api"
    ) -> httpx.Response:
        """Call the API, such as ``call("GET", "/runs?status=Failed")``; a body that is not bytes is sent as JSON."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        url = self.api_url + path
        request = AWSRequest(method, url, {"Content-Type": "application/json"}, content)
        if signed_for is not None:
            variables = self.environment
            keys = Credentials(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
            SigV4Auth(keys, signed_for, REGION).add_auth(request)
        headers = dict(request.headers.items())
        return httpx.request(method, url, headers=headers, content=content, timeout=give_time(40), trust_env=False)

    def variables(self, function: str) -> dict[str, str]:
        """Return the environment variables that a function, such as ``Submit``, was deployed with."""
        described = self.client("lambda").get_function_configuration(FunctionName=self.outputs[f"{function}Function"])
        deployed: dict[str, str] = described["Environment"]["Variables"]
        return deployed

    def logs(self, function: str) -> list[str]:
        """Return the log lines of a function, such as ``Submit``, oldest first."""
        logs, group = self.client("logs"), f"/aws/lambda/{STACK_NAME}-{function.lower()}"
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        try:
            events = [event for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"].rstrip("\n") for event in sorted(events, key=lambda event: event["timestamp"])]


def aws_environment(aws_url: str | None) -> dict[str, str]:
    """Return the credentials and region of the embedded AWS, and its address if there is one yet."""
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }
    return environment | ({"AWS_ENDPOINT_URL": aws_url} if aws_url else {})


def make_client(service: str, url: str) -> Any:
    """Create a boto3 client for ``service`` at ``url``."""
    config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2, "mode": "standard"})
    session = boto3.session.Session("test", "test", region_name=REGION)
    return session.client(service, endpoint_url=url, config=config)  # type: ignore[call-overload]
