"""Servers are started, watched and stopped as processes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from embedded.daemons import EmbeddedError, free_port, launch, tail
from embedded.patience import give_time

if TYPE_CHECKING:
    from pathlib import Path


def lives(group: int) -> bool:
    """Whether a process group has a process left, even one that waits to be reaped."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_server_that_exits_at_once_raises_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    server = launch("the server", ["-c", "raise SystemExit('no such luck')"], {}, tmp_path / "server.log")
    with pytest.raises(EmbeddedError, match=r"the server exited at once, with exit code 1:\nno such luck"):
        server.wait_for(lambda: None)
    server.stop()


def test_a_server_that_never_answers_raises_an_error_and_can_be_stopped(tmp_path: Path) -> None:
    server = launch("the server", ["-c", "import time; time.sleep(60)"], {}, tmp_path / "server.log")
    with pytest.raises(EmbeddedError, match="did not answer within 0 s"):
        server.wait_for(lambda: None, limit=0)
    server.stop()
    assert server.process.poll() is not None


def test_stopping_a_server_also_ends_the_processes_it_started(tmp_path: Path) -> None:
    child = f"import subprocess; subprocess.Popen([{sys.executable!r}, '-c', 'import time; time.sleep(60)'])"
    script = f"{child}; import time; print('up', flush=True); time.sleep(60)"
    server = launch("the server", ["-c", script], {}, tmp_path / "server.log")
    server.wait_for(lambda: tail(server.log) or None)
    server.stop()
    waiting = Retrying(stop=stop_after_delay(give_time(10)), wait=wait_fixed(0.05), retry=retry_if_result(bool))
    waiting(lives, server.pid)


def test_a_free_port_can_be_bound_without_privileges() -> None:
    assert 1024 <= free_port() <= 65535
