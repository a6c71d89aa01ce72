"""Token buckets: how many calls of an operation an account may make."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.session import get_session

from simulator import SageMaker, VirtualClock
from simulator.api.account import Account
from simulator.api.audit import AuditLog
from simulator.api.errors import ServiceError
from simulator.api.service import Service
from simulator.world.rates import TokenBucket
from simulator.world.scenario import AWS_RATES, Scenario, ScenarioError, parse_scenario
from tests.simulator.processes import request


def test_a_bucket_allows_its_burst_at_once_and_then_its_rate() -> None:
    bucket = TokenBucket(per_second=2, burst=3, at=0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(at) for at in (0.4, 0.5, 0.9, 1.0)] == [False, True, False, True]


def test_a_pause_fills_a_bucket_no_further_than_its_burst() -> None:
    bucket = TokenBucket(per_second=1, burst=2, at=0.0)
    assert [bucket.take(3600.0) for _ in range(3)] == [True, True, False]


def test_a_throttled_call_takes_nothing() -> None:
    bucket = TokenBucket(per_second=1, burst=1, at=0.0)
    assert bucket.take(0.0)
    assert not any(bucket.take(tenth / 10) for tenth in range(1, 10))
    assert bucket.take(1.0)


def test_a_rate_that_gives_no_burst_has_the_calls_of_one_second() -> None:
    rates = parse_scenario(
        {"rates": {"ListTags": {"per_second": 7}, "CreateTrainingJob": {"per_second": 0.5}}}
    ).rate_rules
    assert {name: rate.most_at_once for name, rate in rates.items()} == {"ListTags": 7, "CreateTrainingJob": 1}


def test_a_scenario_throttles_nothing_unless_it_says_so() -> None:
    assert Scenario().rate_rules == {}
    assert parse_scenario({"rates": "aws"}).rate_rules == AWS_RATES
    assert AWS_RATES["CreateTrainingJob"].per_second == 1
    assert AWS_RATES["ListTrainingJobs"].per_second == 2


@pytest.mark.parametrize(
    ("rates", "named"),
    [
        ("azure", "rates"),
        ({"CreateJob": {"per_second": 1}}, "CreateJob"),
        ({"ListTags": {"per_second": 0}}, "per_second"),
        ({"ListTags": {"per_second": 1, "burst": 0.5}}, "burst"),
    ],
)
def test_an_invalid_rate_is_refused_by_name(rates: object, named: str) -> None:
    with pytest.raises(ScenarioError, match=named):
        parse_scenario({"rates": rates})


def test_each_operation_has_a_bucket_of_its_own() -> None:
    clock = VirtualClock()
    jobs = Service(Account(), parse_scenario({"rates": "aws"}), AuditLog(), clock.now)
    jobs.call("CreateTrainingJob", request("first"))
    with pytest.raises(ServiceError, match="Rate exceeded"):
        jobs.call("CreateTrainingJob", request("second"))
    jobs.call("DescribeTrainingJob", {"TrainingJobName": "first"})
    clock.advance(1)
    jobs.call("CreateTrainingJob", request("second"))


def test_new_rates_take_the_place_of_the_old_ones_and_rules_alone_leave_them() -> None:
    jobs = Service(Account(), parse_scenario({"rates": "aws"}), AuditLog(), lambda: 0.0)
    jobs.call("CreateTrainingJob", request("first"))
    jobs.play_before(parse_scenario({"rules": [{"name": "*"}]}))
    with pytest.raises(ServiceError, match="Rate exceeded"):
        jobs.call("CreateTrainingJob", request("second"))
    jobs.play_before(parse_scenario({"rates": {}}))
    jobs.call("CreateTrainingJob", request("second"))


def test_a_client_sees_the_error_of_the_service() -> None:
    with SageMaker({"rates": "aws"}, VirtualClock()) as sagemaker:
        client: Any = get_session().create_client(
            "sagemaker",
            endpoint_url=sagemaker.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        client.create_training_job(**request("first"))
        with pytest.raises(client.exceptions.ClientError, match=r"\(ThrottlingException\).*Rate exceeded"):
            client.create_training_job(**request("second"))
        client.close()
