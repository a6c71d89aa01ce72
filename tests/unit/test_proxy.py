"""The proxy of the end-to-end tests breaks calls as AWS and networks do: that is how an SDK reads it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from tests.e2e.faults import DECKS, Decks, Fault, Proxy
from tests.e2e.relay import spec
from tests.integration.fake_aws import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST = spec("a")["training_job"]
PATIENCE_SECONDS = 3


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """A SageMaker."""
    simulator = Simulator()
    yield simulator
    simulator.close()


@pytest.fixture
def proxy(simulator: Simulator) -> Iterator[Proxy]:
    """A proxy before it, and before a DynamoDB that need not be there."""
    with Proxy({"sagemaker": simulator.url, "dynamodb": "http://127.0.0.1:1"}) as proxy:
        yield proxy


def client(proxy: Proxy, service: str) -> Any:
    """Return a client that calls once, with little patience."""
    config = Config(read_timeout=PATIENCE_SECONDS, retries={"total_max_attempts": 1})
    made: Any = boto3.client(
        service,  # type: ignore[call-overload]
        region_name="us-east-1",
        endpoint_url=proxy.url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=config,
    )
    return made


def create(proxy: Proxy, name: str) -> Any:
    """Create a training job."""
    return client(proxy, "sagemaker").create_training_job(**REQUEST, TrainingJobName=name)


def exists(proxy: Proxy, name: str) -> bool:
    """Whether a training job was created."""
    proxy.calm()
    found = client(proxy, "sagemaker").list_training_jobs(NameContains=name)["TrainingJobSummaries"]
    return bool(found)


def struck_by(proxy: Proxy, fault: Fault) -> None:
    """Let each call from now on be struck."""
    proxy._draw = lambda *_: fault


def test_what_is_not_broken_goes_through(proxy: Proxy) -> None:
    assert create(proxy, "whole")["TrainingJobArn"].endswith("training-job/whole")
    assert exists(proxy, "whole")
    assert not proxy.struck


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault.THROTTLED, "ThrottlingException"), (Fault.FAILED, "InternalFailure")]
)
def test_a_refused_call_is_an_error_of_the_service_and_has_no_effect(proxy: Proxy, fault: Fault, code: str) -> None:
    struck_by(proxy, fault)
    with pytest.raises(ClientError) as refused:
        create(proxy, f"job-{fault}")
    assert refused.value.response["Error"]["Code"] == code
    assert not exists(proxy, f"job-{fault}")
    assert proxy.struck == {("sagemaker", "CreateTrainingJob", fault): 1}


@pytest.mark.parametrize(
    ("fault", "code"),
    [(Fault.THROTTLED, "ProvisionedThroughputExceededException"), (Fault.FAILED, "InternalServerError")],
)
def test_dynamodb_refuses_in_its_own_words(proxy: Proxy, fault: Fault, code: str) -> None:
    struck_by(proxy, fault)
    with pytest.raises(ClientError) as refused:
        client(proxy, "dynamodb").get_item(TableName="runs", Key={"id": {"S": "a"}})
    assert refused.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(("fault", "effect"), [(Fault.CUT, False), (Fault.LOST, True)])
def test_a_reset_connection_comes_before_the_call_or_in_place_of_its_answer(
    proxy: Proxy, fault: Fault, effect: bool
) -> None:
    struck_by(proxy, fault)
    with pytest.raises(ConnectionClosedError):
        create(proxy, f"job-{fault}")
    assert exists(proxy, f"job-{fault}") is effect


def test_a_slow_call_is_answered_and_a_late_one_is_given_up_though_it_took_effect(proxy: Proxy) -> None:
    struck_by(proxy, Fault.SLOW)
    assert create(proxy, "slow")["TrainingJobArn"]
    struck_by(proxy, Fault.LATE)
    with pytest.raises(ReadTimeoutError):
        create(proxy, "late")
    assert exists(proxy, "late")


def test_a_service_that_is_refused_leaves_the_other_alone(proxy: Proxy) -> None:
    proxy.refuse("dynamodb")
    assert create(proxy, "alone")["TrainingJobArn"]
    with pytest.raises(ClientError):
        client(proxy, "dynamodb").get_item(TableName="runs", Key={"id": {"S": "a"}})


@pytest.mark.parametrize("service", DECKS)
def test_each_fault_strikes_an_operation_as_often_as_its_deck_has_it(service: str) -> None:
    size, cards = DECKS[service]
    draw = Decks(seed=7)
    drawn = Counter(draw(service, "Operation") for _ in range(3 * size))
    assert {fault: drawn[fault] for fault in Fault} == {fault: 3 * cards[fault] for fault in Fault}
    assert drawn[None] == 3 * (size - sum(cards.values()))


def test_a_seed_strikes_the_same_calls_again() -> None:
    decks = [Decks(seed) for seed in (7, 7, 8)]
    first, again, other = ([deck("dynamodb", "PutItem") for _ in range(250)] for deck in decks)
    assert first == again != other
