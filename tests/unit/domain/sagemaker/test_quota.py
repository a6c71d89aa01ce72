"""What a message says about a quota: its limit and name, what is used of it, and what the request needs of it."""

from __future__ import annotations

import pytest

from spot_relay.domain.sagemaker.job import Market, Placement
from spot_relay.domain.sagemaker.quota import Quota, parse_quota

SPOT = Placement("ml.g5.2xlarge", 1, Market.SPOT)
ON_DEMAND = Placement("ml.g5.2xlarge", 1, Market.ON_DEMAND)
NAME = "ml.g5.2xlarge for spot training job usage"


@pytest.mark.parametrize(
    ("message", "quota"),
    [
        (
            f"The account-level service limit '{NAME}' is 4 Instances, with current utilization of 3 Instances and a "
            "request delta of 2 Instances.",
            Quota(4, NAME, 3, 2),
        ),
        (f'You exceeded the quota "{NAME}": limit 1, current usage 1.', Quota(1, NAME, 1)),
        ("The limit for training-job/ml.g5.2xlarge is 2 Instances.", Quota(2, "training-job/ml.g5.2xlarge")),
        ("Limit is 0", Quota(0)),
        ("Your limit of zero instances, asked for two instances", Quota(0, delta=2)),
        ("Limit is 1,000,000 and usage: 2.5, with a delta of 1e3", Quota(1_000_000, "", 2.5, 1000)),
        ("Limit is 432 000 SECONDS, with a delta of 864\u202f000 Second.", Quota(432_000, delta=864_000)),
        # What the request needs is told in the unit of the limit.
        ("The limit is 5 Days. MaxRuntimeInSeconds: 864000", Quota(5, delta=10)),
        ("The limit is 2 hours, with a delta of 90 minutes.", Quota(2, delta=1.5)),
        ("The limit is 1 TB, with current utilization of 512 GB and a delta of 2048 MB.", Quota(1, "", 0.5, 2 / 1024)),
        # Where only one of the two has a unit, the other is in the same.
        ("The limit is 5 Days, with current utilization of 3, and a delta of 10.", Quota(5, "", 3, 10)),
        ("Limit: 5; requested: 10 days", Quota(5, delta=10)),
        # Different things cannot be compared.
        ("The limit is 5 Days, with current utilization of 3 Instances and a delta of 10 GB.", Quota(5)),
        # Only so much of a message is read, and blanks count as one.
        ("Limit\n\t is \n 7", Quota(7)),
        ("a" * 4088 + " limit 77", Quota(7)),
    ],
)
def test_a_message_that_states_a_limit_tells_its_quota(message: str, quota: Quota) -> None:
    assert parse_quota(message) == quota


@pytest.mark.parametrize("message", ["", "You have too many training jobs", "x" * 4096 + " limit 7"])
def test_a_message_without_a_limit_tells_of_no_quota(message: str) -> None:
    assert parse_quota(message) is None


@pytest.mark.parametrize(
    ("quota", "fits"),
    [
        (Quota(0), False),
        (Quota(0.5), True),
        (Quota(4, delta=4), True),
        (Quota(4, delta=4.1), False),
        (Quota(4, utilization=4, delta=1), True),
        (Quota(0, delta=0), False),
    ],
)
def test_a_request_fits_a_quota_that_nothing_else_uses_if_it_needs_no_more_than_the_limit(
    quota: Quota, fits: bool
) -> None:
    assert quota.can_ever_fit is fits


@pytest.mark.parametrize(
    ("name", "of_spot", "of_on_demand", "spans_pools"),
    [
        ("ml.g5.2xlarge for spot training job usage", True, False, False),
        ("ml.g5.2xlarge for training job usage", False, True, False),
        ("ML.G5.2XLARGE FOR SPOT TRAINING-JOB USAGE", True, False, False),
        ("training-job/ml.g5.2xlarge", True, True, False),
        ("ml.g5.2xlarge for training warm pool usage", False, False, False),
        ("ml.g5.2xlarge for processing job usage", False, False, False),
        ("ml.g5.2xlarge usage", False, False, False),
        ("ml.g5.24xlarge for spot training job usage", False, False, False),
        ("Number of instances across all TRAINING jobs", False, False, True),
        ("Number of instances across all PROCESSING jobs", False, False, False),
        ("", False, False, False),
    ],
)
def test_the_name_of_a_quota_tells_whose_it_is(name: str, of_spot: bool, of_on_demand: bool, spans_pools: bool) -> None:
    quota = Quota(1, name)
    assert (quota.is_of(SPOT), quota.is_of(ON_DEMAND), quota.spans_pools) == (of_spot, of_on_demand, spans_pools)
