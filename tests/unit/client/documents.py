"""Runs as the API answers them, for the client's tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from spot_relay_client.models import Run

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def ago(**duration: float) -> str:
    """Return the moment a duration before now, as the API writes it."""
    return (NOW - timedelta(**duration)).isoformat()


def attempt_document(number: int = 1, **fields: Any) -> dict[str, Any]:
    """Return an attempt that trains, with some fields changed."""
    return {
        "number": number,
        "job_name": f"churn-relay-{number:02}",
        "status": "InProgress",
        "cause": "Submitted",
        "phase": "Training",
        "outcome": None,
        "failure_reason": None,
        "status_message": None,
        "resumes_from": None,
        "checkpoint": None,
        "placement": {"instance_type": "ml.m5.xlarge", "instance_count": 1, "market": "spot", "volume_size_gb": None},
        "created_at": ago(hours=2),
        "training_started_at": None,
        "ended_at": None,
        "training_seconds": None,
        "billable_seconds": None,
        "waited_seconds": None,
        "interruptions": 0,
        "wasted_seconds": 0,
        **fields,
    }


def run_document(**fields: Any) -> dict[str, Any]:
    """Return an open run, with some fields changed."""
    return {
        "run_id": "churn",
        "status": "InProgress",
        "reason": "churn-relay-01 is Training.",
        "created_at": ago(hours=2),
        "updated_at": ago(minutes=1),
        "ended_at": None,
        "check_at": (NOW + timedelta(minutes=4)).isoformat(),
        "stop_requested": False,
        "attempts": [attempt_document()],
        "training_seconds": 0,
        "billable_seconds": 0,
        "waited_seconds": 0,
        "interruptions": 0,
        "savings_percent": None,
        "wasted_seconds": 0,
        "cost_usd": None,
        "on_demand_cost_usd": None,
        "deadline": None,
        "spent": {"expired_waits": 0},
        "budgets": {"expired_waits": 5, "money_usd": None},
        "decisions": [],
        **fields,
    }


def run(**fields: Any) -> Run:
    """Return an open run, with some fields changed."""
    return Run.from_document(run_document(**fields))
