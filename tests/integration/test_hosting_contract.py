"""All that keeps models and endpoints behaves alike: the one in memory, and the simulator through the adapter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

import boto3
import pytest

from spot_relay.adapters.hosting import SageMakerHosting
from spot_relay.domain.run.hosting import Endpoint, HostingStep, Made, NoEndpoint, OnSuccess, Part, Unmade
from spot_relay.domain.run.hosting_part import part_of
from tests.fakes import NOON, Clock
from tests.hosting import MemoryHosting
from tests.integration.runs import a_run
from tests.integration.sagemakers import ONCE
from tests.unit.hosted import DEPLOYMENT, REGISTRATION, model_of

if TYPE_CHECKING:
    from spot_relay.domain.run.run import Run
    from spot_relay.ports import Hosting
    from tests.integration.fake_aws import FakeAWS

LIVE = "churn-live"
ARN = "arn:aws:sagemaker:us-east-1"


class World(Protocol):
    """A SageMaker, and what a test does in it."""

    clock: Clock

    @property
    def port(self) -> Hosting:
        """The port into it."""

    def settle(self, *, fails: bool = False) -> None:
        """Let the deployment that is under way succeed or fail."""


class Memory:
    def __init__(self) -> None:
        self.clock = Clock()
        self.port = MemoryHosting(self.clock, groups={"churn-models"})

    def settle(self, *, fails: bool = False) -> None:
        self.clock.passes(60)
        is_new = self.port.endpoints[LIVE].status == "Creating"
        if not fails:
            self.port.deploys(LIVE)
        elif is_new:
            self.port.becomes(LIVE, "Failed", failure_reason="No capacity.")
        else:
            self.port.rolls_back(LIVE)


class Simulated:
    def __init__(self, aws: FakeAWS) -> None:
        self.clock = Clock()
        self.client: Any = boto3.client("sagemaker", config=ONCE)
        self.port = SageMakerHosting(self.client)
        self.simulator = aws.simulator
        self.simulator.begin(self.clock)
        self.client.create_model_package_group(ModelPackageGroupName="churn-models")

    def settle(self, *, fails: bool = False) -> None:
        del fails  # the scenario decides, before the deployment begins
        self.clock.passes(60)
        self.client.list_endpoints()

    def fails(self, status: str) -> None:
        """Let each deployment fail from now on."""
        phases = {"creating": 10, "updating": 10, "rolling_back": 10}
        rule = {"name": "*", "phases": phases, "fail": {"reason": "No capacity.", "status": status}}
        self.simulator.play(endpoints=[rule])

    def errs(self, operation: str, code: str, message: str, http_status: int = 400, *, lost: bool = False) -> None:
        error = {"operation": operation, "code": code, "message": message, "http_status": http_status}
        self.simulator.play(endpoints=[{"name": "*", "errors": [error | {"takes_effect": lost}]}])


@dataclass
class Shelf:
    """The parts of runs."""

    world: World

    def part(self, step: HostingStep, run: Run | None = None) -> Part:
        found = part_of(run or hosted("churn"), step)
        assert found is not None
        return found

    def make(self, step: HostingStep, run: Run | None = None) -> Made | Unmade:
        return self.world.port.create(self.part(step, run))

    def deploy(self, run: Run | None = None, last: HostingStep = HostingStep.ENDPOINT) -> Made | Unmade:
        """Make everything up to the endpoint."""
        for step in (HostingStep.MODEL, HostingStep.ENDPOINT_CONFIG):
            assert isinstance(self.make(step, run), Made)
        return self.make(last, run)

    def look(self) -> Endpoint:
        found = self.world.port.find_endpoint(LIVE)
        assert isinstance(found, Endpoint), found
        return found


def hosted(name: str, submission_id: str = "first") -> Run:
    """A run that has completed and wants everything done with its model."""
    run = a_run(name, NOON)
    attempt = replace(run.current, model_artifacts=model_of(name))
    return replace(
        run, attempts=(attempt,), submission_id=submission_id, on_success=OnSuccess(REGISTRATION, DEPLOYMENT)
    )


@pytest.fixture
def simulated(aws: FakeAWS) -> Simulated:
    return Simulated(aws)


@pytest.fixture(params=["memory", "simulator"])
def shelf(request: pytest.FixtureRequest) -> Shelf:
    return Shelf(Memory() if request.param == "memory" else request.getfixturevalue("simulated"))


@pytest.mark.parametrize("step", [HostingStep.MODEL, HostingStep.ENDPOINT_CONFIG, HostingStep.ENDPOINT])
def test_what_is_made_again_for_the_same_run_is_the_same(shelf: Shelf, step: HostingStep) -> None:
    shelf.deploy()
    first, second = shelf.make(step), shelf.make(step)
    assert first == second
    assert isinstance(first, Made)


@pytest.mark.parametrize("step", [HostingStep.MODEL, HostingStep.ENDPOINT_CONFIG, HostingStep.ENDPOINT])
def test_what_has_the_name_and_is_of_another_run_is_not_taken_for_our_own(shelf: Shelf, step: HostingStep) -> None:
    shelf.deploy(hosted("churn", "an earlier one"))
    answer = shelf.make(step)
    assert isinstance(answer, Unmade)
    assert (answer.passes, answer.is_taken) == (False, True)


def test_an_endpoint_is_described_from_its_creation_to_its_service(shelf: Shelf) -> None:
    assert shelf.world.port.find_endpoint(LIVE) == NoEndpoint()
    made = shelf.deploy()
    begun = shelf.look()
    assert isinstance(made, Made)
    assert (begun.arn, begun.status, begun.config_name) == (made.arn, "Creating", "churn-relay-01")
    assert begun.is_ours
    shelf.world.settle()
    assert (shelf.look().status, shelf.look().config_name) == ("InService", "churn-relay-01")
    assert shelf.look().modified_at > begun.modified_at


def test_an_endpoint_is_updated_to_the_model_of_another_run(shelf: Shelf) -> None:
    shelf.deploy()
    shelf.world.settle()
    before = shelf.look()
    shelf.world.clock.passes(60)

    assert isinstance(shelf.deploy(hosted("again"), HostingStep.ENDPOINT_UPDATE), Made)

    under_way = shelf.look()
    assert (under_way.status, under_way.config_name) == ("Updating", "churn-relay-01")
    assert under_way.pending_config_name == "again-relay-01"
    busy = shelf.make(HostingStep.ENDPOINT_UPDATE)
    assert isinstance(busy, Unmade)
    assert busy.passes
    shelf.world.settle()
    after = shelf.look()
    assert (after.status, after.config_name, after.pending_config_name) == ("InService", "again-relay-01", None)
    assert after.modified_at > before.modified_at


def test_the_update_of_an_endpoint_that_is_not_there_is_refused_for_good(shelf: Shelf) -> None:
    answer = shelf.deploy(last=HostingStep.ENDPOINT_UPDATE)
    assert isinstance(answer, Unmade)
    assert not answer.passes


def test_a_model_is_registered_once_for_a_run_and_once_more_for_another(shelf: Shelf) -> None:
    first, again, other = (shelf.make(HostingStep.MODEL_PACKAGE, run) for run in (None, None, hosted("again")))
    assert first == again != other
    assert isinstance(first, Made)
    assert isinstance(other, Made)
    assert first.arn.endswith(":model-package/churn-models/1")
    assert other.arn.endswith(":model-package/churn-models/2")


def test_a_group_that_is_not_there_is_an_error(shelf: Shelf) -> None:
    run = replace(hosted("churn"), on_success=OnSuccess(replace(REGISTRATION, group="nobodys")))
    answer = shelf.make(HostingStep.MODEL_PACKAGE, run)
    assert isinstance(answer, Unmade)
    assert not answer.passes
    assert "does not exist" in answer.because


def test_a_failed_endpoint_says_why(simulated: Simulated) -> None:
    shelf = Shelf(simulated)
    simulated.fails("Creating")
    shelf.deploy()
    simulated.settle()
    assert (shelf.look().status, shelf.look().failure_reason) == ("Failed", "No capacity.")


def test_an_update_that_is_rolled_back_shows_only_the_old_configuration_and_a_later_time(simulated: Simulated) -> None:
    shelf = Shelf(simulated)
    shelf.deploy()
    simulated.settle()
    before = shelf.look()
    simulated.fails("Updating")
    shelf.deploy(hosted("again"), HostingStep.ENDPOINT_UPDATE)
    simulated.settle()
    after = shelf.look()
    assert (after.status, after.config_name, after.failure_reason) == ("InService", "churn-relay-01", None)
    assert after.modified_at > before.modified_at + timedelta(seconds=1)


def test_an_endpoint_without_our_tag_is_somebody_elses(simulated: Simulated) -> None:
    shelf = Shelf(simulated)
    shelf.deploy(last=HostingStep.ENDPOINT_CONFIG)
    simulated.client.create_endpoint(EndpointName=LIVE, EndpointConfigName="churn-relay-01")
    assert not shelf.look().is_ours


@pytest.mark.parametrize(
    ("code", "message", "http_status", "passes"),
    [
        ("ThrottlingException", "Rate exceeded", 400, True),
        ("InternalFailure", "The request processing has failed", 500, True),
        ("ConflictException", "Something is in conflict", 400, True),
        ("ExpiredTokenException", "The security token included in the request is expired", 400, True),
        ("AccessDeniedException", "User is not authorized to perform: iam:PassRole", 400, False),
        ("ValidationException", "Could not find model data at s3://nowhere.", 400, False),
        (
            "ResourceLimitExceeded",
            "The account-level service limit 'ml.m5.large for endpoint usage' is 0 Instances, with current utilization "
            "of 0 Instances and a request delta of 1 Instances.",
            400,
            False,
        ),
        (
            "ResourceLimitExceeded",
            "The account-level service limit 'ml.m5.large for endpoint usage' is 1 Instances, with current utilization "
            "of 1 Instances and a request delta of 1 Instances.",
            400,
            True,
        ),
    ],
)
def test_an_error_says_whether_another_try_may_help(
    simulated: Simulated, code: str, message: str, http_status: int, passes: bool
) -> None:
    simulated.errs("CreateModel", code, message, http_status)
    answer = Shelf(simulated).make(HostingStep.MODEL)
    assert isinstance(answer, Unmade)
    assert (answer.passes, message in answer.because) == (passes, True)


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
def test_an_endpoint_that_cannot_be_described_proves_nothing(simulated: Simulated, code: str) -> None:
    simulated.errs("DescribeEndpoint", code, "no")
    answer = simulated.port.find_endpoint(LIVE)
    assert isinstance(answer, Unmade)
    assert answer.passes


def test_a_request_that_the_service_cannot_take_is_refused_for_good(simulated: Simulated) -> None:
    shelf = Shelf(simulated)
    part = shelf.part(HostingStep.MODEL)
    answer = simulated.port.create(replace(part, request=part.request | {"ModelName": 7}))
    assert isinstance(answer, Unmade)
    assert not answer.passes


@pytest.mark.usefixtures("aws")
def test_a_service_that_cannot_be_reached_may_have_done_it() -> None:
    client: Any = boto3.client("sagemaker", endpoint_url="http://127.0.0.1:9", config=ONCE)
    answer = SageMakerHosting(client).create(Shelf(Memory()).part(HostingStep.MODEL))
    assert isinstance(answer, Unmade)
    assert answer.passes
