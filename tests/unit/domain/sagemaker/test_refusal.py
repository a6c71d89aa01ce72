"""What a refusal of CreateTrainingJob says about a quota."""

from __future__ import annotations

from spot_relay.domain.sagemaker.refusal import Refusal, parse_quota, quota_refusal


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
    assert quota_refusal(message) is Refusal.QUOTA_FULL
    assert quota_refusal(message.replace("is 1", "is 0")) is Refusal.QUOTA_TOO_SMALL


def test_a_limit_message_of_another_form_is_taken_for_full_and_waited_out() -> None:
    assert quota_refusal("You have too many training jobs") is Refusal.QUOTA_FULL
