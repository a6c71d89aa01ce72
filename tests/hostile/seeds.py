"""Good documents to begin with: the examples, and the event documents."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from tests.example_specs import SPECS, read_example
from tests.hostile.functions import ROOT


@cache
def specs() -> tuple[dict[str, Any], ...]:
    """Return the example specs, and the spec in the event documents."""
    found = [read_example(path) for path in SPECS]
    return (*found, json.loads(event("api/create-run")["body"]), *_more())


@cache
def events() -> dict[str, dict[str, Any]]:
    """Return all event documents by their names, such as observe/completed."""
    folder = ROOT / "events"
    return {
        str(path.relative_to(folder).with_suffix("")): json.loads(path.read_text("utf-8"))
        for path in folder.rglob("*.json")
    }


def event(name: str) -> dict[str, Any]:
    """Return one event document."""
    return events()[name]


def messages() -> tuple[dict[str, Any], ...]:
    """Return the events in the messages of the two queues."""
    carried = (one for name, one in sorted(events().items()) if name.startswith(("observe/", "submit/")))
    return tuple(json.loads(record["body"]) for one in carried for record in one["Records"])


def resumptions() -> tuple[dict[str, Any], ...]:
    """Return bodies of resumptions."""
    return (
        {},
        {"budgets": {"expired_waits": 20, "money_usd": 25}, "deadline": "P1D", "expected_runtime": "PT6H"},
        {"deadline": "2026-12-24T18:00:00Z", "changeover": 600, "return_to_spot": "canary"},
    )


def _more() -> tuple[dict[str, Any], ...]:
    """Return a spec with a complete policy and every optional part of a training job."""
    spec: dict[str, Any] = json.loads(event("api/create-run")["body"])
    spec["policy"] = {
        "budgets": {"expired_waits": 10, "capacity_failures": 20, "money_usd": 120.0},
        "backoff": {"base_seconds": 30, "max_seconds": 900},
        "relaunch_on_max_runtime": True,
        "restart_from_scratch": False,
        "ladder": [
            {"instance_type": "ml.p3.2xlarge", "market": "spot", "attempts": 2},
            {"instance_type": "ml.g5.12xlarge", "instance_count": 1, "volume_size_gb": 100, "market": "on-demand"},
        ],
        "deadline": "P3D",
        "expected_runtime": "PT48H",
        "changeover": "PT10M",
        "return_to_spot": "canary",
    }
    spec["training_job"] |= {
        "Environment": {"LOG_LEVEL": "debug"},
        "Tags": [{"Key": "team", "Value": "churn"}],
        "VpcConfig": {"SecurityGroupIds": ["sg-0123456789abcdef0"], "Subnets": ["subnet-0123456789abcdef0"]},
        "RetryStrategy": {"MaximumRetryAttempts": 3},
        "EnableNetworkIsolation": True,
        "DebugHookConfig": {"S3OutputPath": "s3://churn-000000000000/debug/"},
        "ExperimentConfig": {"ExperimentName": "churn"},
    }
    return (spec,)
