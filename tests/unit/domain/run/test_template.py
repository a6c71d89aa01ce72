"""Which objects start the runs of a template."""

from __future__ import annotations

import pytest

from spot_relay.domain.run.template import Trigger

CSV = Trigger("data", "churn/", ".csv")


@pytest.mark.parametrize(
    ("trigger", "bucket", "key", "starts"),
    [
        (CSV, "data", "churn/2026/a.csv", True),
        (CSV, "data", "churn/.csv", True),
        (CSV, "other", "churn/a.csv", False),
        (CSV, "data", "fraud/a.csv", False),
        (CSV, "data", "a/churn/b.csv", False),
        (CSV, "data", "churn/a.csv.gz", False),
        (CSV, "data", "churn/a.csv/", False),
        (Trigger("data"), "data", "a", True),
        (Trigger("data"), "data", "a/", False),
        # The key ends and begins as it should, but with the same characters.
        (Trigger("data", "day-1", "1.csv"), "data", "day-1.csv", False),
        (Trigger("data", "day-1", "1.csv"), "data", "day-11.csv", True),
    ],
)
def test_an_object_starts_a_run_if_its_bucket_and_both_ends_of_its_key_fit(
    trigger: Trigger, bucket: str, key: str, *, starts: bool
) -> None:
    assert trigger.matches(bucket, key) is starts
