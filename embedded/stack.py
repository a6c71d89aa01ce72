"""A deployed stack: its addresses and the names of its parts, with clients for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.session import Session

from embedded.sam import STACK_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spot_relay_client.api import Api

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
        addresses = {
            "AWS_ENDPOINT_URL_SAGEMAKER": self.simulator_url,
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": self.simulator_url,
            "SPOT_RELAY_API_URL": self.api_url,
        }
        return aws_environment(self.aws_url) | addresses

    def client(self, service: str) -> Any:
        """Return the boto3 client for ``service``; the clients for SageMaker and its runtime call the simulator."""
        return make_client(service, self.simulator_url if service.startswith("sagemaker") else self.aws_url)

    @cached_property
    def api(self) -> Api:
        """The API, as the client calls it."""
        from spot_relay_client.api import Api  # not at the top: a stack can be stopped without the client

        keys = self.environment
        session = Session()
        session.set_credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
        return Api(session, self.api_url, REGION)

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


@cache
def make_client(service: str, url: str) -> Any:
    """Return the boto3 client for ``service`` at ``url``: to create one costs more than many calls."""
    config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 2, "mode": "standard"})
    session = boto3.session.Session("test", "test", region_name=REGION)
    return session.client(service, endpoint_url=url, config=config)  # type: ignore[call-overload]
