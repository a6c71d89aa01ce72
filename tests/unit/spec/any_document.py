"""Hypothesis strategies of documents that users might submit, valid or not."""

from __future__ import annotations

from hypothesis import strategies as st

from spot_relay.request.request_model import load_request_shape

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
KEYS = st.text(max_size=12) | st.sampled_from(
    [
        *load_request_shape().members,
        "name",
        "estimator",
        "training_job",
        "policy",
        "start_at",
        "after",
        "continue_from",
        "on_success",
        "notify",
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=6)
TIMES = st.sampled_from(["P3D", "PT48H", "PT50M", 3600, "2026-12-01T06:00:00Z", "2026-12-01", "P", 0])
STARTS = st.fixed_dictionaries(
    {},
    optional={
        "start_at": TIMES | SCALARS,
        "after": st.just("prep")
        | VALUES
        | st.dictionaries(st.sampled_from(["runs", "on_failure", "known_within"]), VALUES, max_size=3),
        "continue_from": st.just("prep")
        | VALUES
        | st.dictionaries(st.sampled_from(["run", "channel", "checkpoint"]), VALUES),
    },
)
CONTAINERS = {
    "image": st.just("444455556666.dkr.ecr.us-east-1.amazonaws.com/x:1") | SCALARS,
    "environment": st.dictionaries(st.sampled_from(["MODE", "1"]), SCALARS) | SCALARS,
}
SERVERLESS = st.dictionaries(st.sampled_from(["memory_size_in_mb", "max_concurrency"]), st.integers() | SCALARS)
SUCCESSES = st.fixed_dictionaries(
    {},
    optional={
        "register_model": VALUES
        | st.fixed_dictionaries(
            {"group": st.just("churn") | SCALARS}, optional={**CONTAINERS, "content_types": VALUES}
        ),
        "deploy": VALUES
        | st.fixed_dictionaries(
            {"endpoint": st.just("churn") | SCALARS},
            optional={
                **CONTAINERS,
                "role_arn": SCALARS,
                "instance_type": st.just("ml.m5.large") | SCALARS,
                "instance_count": SCALARS,
                "serverless": SERVERLESS | SCALARS,
            },
        ),
    },
)
RUNG_VALUES = {
    "instance_count": st.integers(0, 3),
    "volume_size_gb": st.integers(0, 20),
    "market": st.sampled_from(["spot", "on-demand"]),
    "attempts": st.integers(0, 60),
}
RUNGS = st.fixed_dictionaries({"instance_type": st.just("ml.p3.2xlarge")}, optional=RUNG_VALUES)
BROKEN_RUNGS = st.dictionaries(st.sampled_from([*RUNG_VALUES, "instance_type", "x"]), VALUES, max_size=3)
POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "ladder": st.lists(RUNGS | BROKEN_RUNGS, max_size=3) | SCALARS,
        "deadline": TIMES | SCALARS,
        "expected_runtime": TIMES | SCALARS,
        "changeover": TIMES | SCALARS,
        "return_to_spot": st.sampled_from(["canary", "blind", "never"]) | SCALARS,
        "relaunch_on_max_runtime": st.booleans(),
        "budgets": st.dictionaries(st.sampled_from(["money_usd", "expired_waits"]), SCALARS, max_size=2),
    },
)
