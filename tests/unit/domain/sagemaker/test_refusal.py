"""What a refusal of CreateTrainingJob says about a quota."""

from __future__ import annotations

from spot_relay.domain.sagemaker.refusal import Refusal, classify_quota, parse_quota


def test_a_quota_message_tells_its_quota() -> None:
    message = (
        "The account-level service limit 'ml.g5.2xlarge for spot training job usage' is 1 Instances, with current "
        "utilization of 1 Instances and a request delta of 1 Instances. Please use AWS Service Quotas."
    )
    quota = parse_quota(message)
    assert quota is not None
    assert (quota.name, quota.limit, quota.utilization, quota.delta) == (
        "ml.g5.2xlarge for spot training job usage",
        1,
        1,
        1,
    )
    assert classify_quota(message) is Refusal.QUOTA_FULL
    assert classify_quota(message.replace("is 1", "is 0")) is Refusal.QUOTA_TOO_SMALL


def test_a_limit_message_of_another_form_is_taken_for_full_and_waited_out() -> None:
    assert classify_quota("You have too many training jobs") is Refusal.QUOTA_FULL
