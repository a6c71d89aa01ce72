"""A simulator with a model and an endpoint configuration, for the tests of endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.simulator.api.answers import check_against_model
from tests.simulator.api.hosting_requests import model, variant
from tests.simulator.processes import client

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

    from simulator import SageMaker

SLOW = {"creating": 60, "updating": 30, "rolling_back": 20, "deleting": 10}


class Host:
    """A simulator on a virtual clock that has one model, and a configuration ``churn-1`` of it."""

    def __init__(self, sagemaker: SageMaker, events: list[dict[str, Any]]) -> None:
        self.sagemaker = sagemaker
        self.events = events
        self.api: SageMakerClient = client("sagemaker", sagemaker.url)
        self.runtime: Any = client("sagemaker-runtime", sagemaker.url)
        self.api.create_model(**model("churn"))
        self.configure("churn-1")

    def configure(self, name: str, **changes: Any) -> None:
        """Create an endpoint configuration of the model."""
        variants: Any = [variant("churn", **changes)]
        self.api.create_endpoint_config(EndpointConfigName=name, ProductionVariants=variants)

    def create(self, name: str = "churn", config: str = "churn-1", **more: Any) -> str:
        """Create an endpoint."""
        return self.api.create_endpoint(EndpointName=name, EndpointConfigName=config, **more)["EndpointArn"]

    def describe(self, name: str = "churn") -> dict[str, Any]:
        """Describe an endpoint, and check the answer."""
        answer = self.api.describe_endpoint(EndpointName=name)
        check_against_model("DescribeEndpoint", answer)
        return dict(answer)

    def status(self, name: str = "churn") -> tuple[str, str]:
        """Return the status and the configuration of an endpoint."""
        found = self.describe(name)
        return found["EndpointStatus"], found["EndpointConfigName"]

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.sagemaker.clock.advance(seconds)
