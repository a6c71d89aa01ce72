"""Hostile schedules, two thousand of them when all are played, each checked at every step and at its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.faults import Fault
from tests.simulation.seeds import Tally, needed_faults, play_seed, play_seeds, trace
from tests.thoroughness import share

BATCH = 125
ROOT = Path(__file__).resolve().parents[2]
# What must have struck in each batch, else it has shown nothing of it; the rest is too rare to be sure of.
COMMON = frozenset(Fault) - {Fault.NOT_FOUND_YET, Fault.TICK_LATE, Fault.STOPPED_OUTSIDE, Fault.CANARY_ANSWER_LOST}


@pytest.mark.parametrize("batch", share(range(16)))
def test_no_schedule_violates_an_invariant(batch: int) -> None:
    tally = play_seeds(range(batch * BATCH, (batch + 1) * BATCH))
    assert not tally.failures, _explained(tally)
    assert not [kind for kind in COMMON if not tally.struck[kind]]
    assert tally.conflicts
    assert tally.observed / tally.seeds > 25


def test_a_seed_is_played_alike_in_every_process() -> None:
    program = (
        "from tests.simulation.seeds import play_seed\n"
        "for seed in range(40, 60):\n"
        "    lines = []\n"
        "    play_seed(seed, (), lines.append)\n"
        "    print(seed, len(lines), *lines[-3:])\n"
    )
    told = set()
    for hash_seed in ("1", "2"):
        environment = os.environ | {"PYTHONPATH": f".{os.pathsep}layers/spot_relay", "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
        told.add(done.stdout)
    assert len(told) == 1


def test_a_play_that_is_told_is_the_same_play() -> None:
    for seed in range(20):
        silent, told = play_seed(seed), play_seed(seed, (), lambda _: None)
        assert silent.store.runs == told.store.runs


def _explained(tally: Tally) -> str:
    seed = min(tally.failures)
    reason, needed = needed_faults(seed)
    lines = "\n".join(trace(seed, needed))
    return f"{lines}\nseed {seed}: {reason}\nIt needs {needed}.\nAgain: make simulate SEED={seed}"
