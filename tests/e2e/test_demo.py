"""The demo is what its README promises: the main job, in one command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(240)
def test_the_demo_completes_from_a_checkpoint_with_the_model_that_no_interruption_would_have_changed() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "demo", "--json"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=230
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert set(told) == {"status", "attempts", "interruptions", "savings_percent", "model_identical", "seconds"}
    assert told["status"] == "Completed"
    assert told["model_identical"] is True
    assert told["interruptions"] >= 1
    first, *later = told["attempts"]
    assert first["outcome"] == "MaxWaitTimeExceeded"
    assert later[0]["resumed_from_round"] > 0
    assert later[-1]["outcome"] == "Completed"
    assert sum(attempt["trained_rounds"] for attempt in told["attempts"]) >= 100
