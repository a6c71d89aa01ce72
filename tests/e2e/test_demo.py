"""The demo works as its README promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from embedded.patience import give_time

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(240)
def test_the_demo_completes_from_a_checkpoint_with_the_same_model_as_an_uninterrupted_training() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "demo", "--json"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((".", "layers/spot_relay", "client"))},
        capture_output=True,
        text=True,
        check=False,
        timeout=give_time(230),
    )
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert set(result) == {"status", "attempts", "interruptions", "savings_percent", "model_identical", "seconds"}
    assert result["status"] == "Completed"
    assert result["model_identical"] is True
    assert result["interruptions"] >= 1
    first, *later = result["attempts"]
    assert first["outcome"] == "MaxWaitTimeExceeded"
    assert later[0]["resumed_from_round"] > 0
    assert later[-1]["outcome"] == "Completed"
    assert sum(attempt["trained_rounds"] for attempt in result["attempts"]) >= 100
