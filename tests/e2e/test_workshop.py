"""A part of `make examples` that fits into CI, four of the seven jobs trained for real: `make example-tests`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from embedded.patience import give_time

pytestmark = [pytest.mark.sdk, pytest.mark.timeout(900)]
ROOT = Path(__file__).parents[2]
# The runs, what submits them, and from what the last attempt resumed.
ROWS = {
    "xgboost-mnist": ("boto3", r"xgboost-checkpoint\.\d+"),
    "xgboost-mnist-distributed": ("boto3", r"xgboost-checkpoint\.\d+"),
    "image-classification-caltech256": ("boto3", r"image-classification-0001\.params"),
    "deepar-electricity": ("sdk-v2", None),
}


@pytest.fixture(scope="module")
def outcome() -> dict[str, Any]:
    """What the command prints."""
    rows = [option for run in ROWS for option in ("--row", run)]
    command = [sys.executable, "-m", "workshop", "--json", *rows]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((".", "layers/spot_relay", "client"))}
    ended = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=give_time(400), check=False
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    printed: dict[str, Any] = json.loads(ended.stdout)
    return printed


@pytest.mark.parametrize("run", ROWS)
def test_a_workload_trains_for_real_through_interruptions(outcome: dict[str, Any], run: str) -> None:
    client, checkpoint = ROWS[run]
    (row,) = (row for row in outcome["rows"] if row["run"] == run)
    assert row["client"] == client
    assert row["status"] == "Completed"
    assert row["real_training"] is True
    assert row["attempts"] == 2
    assert row["interruptions"] >= 1
    assert re.fullmatch(checkpoint, row["resumed_from"]) if checkpoint else row["resumed_from"] is None
    assert row["complaint"] is None
    assert row["model"].endswith(f"{run}-relay-02/output/model.tar.gz")


def test_the_endpoint_with_the_model_of_deepar_answers_with_a_forecast(outcome: dict[str, Any]) -> None:
    assert outcome["endpoint_answered"] is True
    assert re.fullmatch(
        r"It forecast 48 hours for each of 5 customers, off by \d+% on average\.", outcome["endpoint_reason"]
    )
