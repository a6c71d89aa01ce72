"""Ctrl-C ends a command even if Python has to ignore it at first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from embedded.patience import give_time

CLIENT = Path(__file__).parents[3] / "client"

# What Python itself calls back, such as __del__, cannot raise an exception.
LOST = """
import signal, threading
from spot_relay_client.cli.interrupts import repeat_lost_interrupts

class CalledBack:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

# Where SIGINT is ignored, as in a job in the background of a shell, Python leaves it so.
signal.signal(signal.SIGINT, signal.default_int_handler)
{install}
CalledBack()
threading.Event().wait({seconds})
"""
IGNORED = """
from spot_relay_client.cli.interrupts import repeat_lost_interrupts

class CalledBack:
    def __del__(self):
        raise ValueError("lost")

repeat_lost_interrupts()
CalledBack()
"""


def run(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    command = [sys.executable, "-c", program]
    env = {**os.environ, "PYTHONPATH": str(CLIENT)}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=give_time(60), check=False)


def test_an_interruption_that_is_lost_comes_once_more() -> None:
    program = LOST.format(install="repeat_lost_interrupts()", seconds="")
    ended = run(program)
    assert ended.returncode == -signal.SIGINT, ended.stderr
    assert ended.stderr.count("KeyboardInterrupt") == 1


def test_without_that_it_would_be_lost() -> None:
    ended = run(LOST.format(install="", seconds=0))
    assert ended.returncode == 0
    assert "Exception ignored" in ended.stderr


def test_other_exceptions_that_are_ignored_are_printed_as_ever() -> None:
    ended = run(IGNORED)
    assert ended.returncode == 0
    assert "ValueError: lost" in ended.stderr
