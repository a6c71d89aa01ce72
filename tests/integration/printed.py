"""What the functions print during a run's life: lines of metrics, and lines of the log."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spot_relay.domain.run.cause import Cause
from spot_relay.domain.run.run import ENDED_RUNS
from spot_relay.domain.sagemaker.ending import Outcome
from spot_relay.domain.shown import metrics as measures

if TYPE_CHECKING:
    import pytest

    from tests.integration.stack import Stack

SECRETS = {"HyperParameters": {"api_key": "sesame-hyper"}, "Environment": {"DB_PASSWORD": "sesame-environment"}}
LONG = {"train_seconds": 90_000}
INTERRUPTED = {"interruptions": [{"after_training_seconds": 886, "capacity_returns_after": None}]}
_NAME = re.compile(r"([A-Z][a-z]+)+")


def printed(capsys: pytest.CaptureFixture[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the metric lines and the log lines printed since the last call; every line must be JSON."""
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = [json.loads(line) for line in captured.out.splitlines()]
    return [line for line in lines if "_aws" in line], [line for line in lines if "_aws" not in line]


def known_metrics() -> set[str]:
    """Name every metric that the domain can put, as its source names them."""
    tree = ast.parse(Path(measures.__file__).read_text("utf-8"))
    plain = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _NAME.fullmatch(node.value)
    }
    causes = {*Outcome, *Cause}
    return plain | {f"Runs{status}" for status in ENDED_RUNS} | {f"RelaunchesAfter{cause}" for cause in causes}


def a_life(stack: Stack) -> None:
    """Let a run be interrupted, wait in vain, be relaunched, hear an event late, and complete."""
    first = {"name": "churn-relay-01", "capacity": INTERRUPTED, **LONG}
    stack.aws.simulator.play(rules=[first, {"name": "churn-relay-02", "train_seconds": 100, "billable_share": 0.25}])
    stack.submit(**SECRETS)
    stack.checkpoint()
    stack.clock.passes(900)
    stack.observe("interrupted")
    stack.observe("interrupted")
    stack.clock.passes(6310)
    stack.observe("max-wait-expired")
    stack.clock.passes(600)
    stack.make_queue()
    assert stack.tick() == 1
