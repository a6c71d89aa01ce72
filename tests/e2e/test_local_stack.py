"""`spot-relay local` starts a stack that can be used, and stops it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from embedded.patience import give_time
from tests.e2e.programs import CLIENT_PATH, COMMAND


def call(environment: dict[str, str], *arguments: str, code: int = 0) -> str:
    """Call the command as a process, and return what it printed."""
    given = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": CLIENT_PATH, **environment}
    ended = subprocess.run(
        (*COMMAND, *arguments), env=given, capture_output=True, text=True, check=False, timeout=give_time(150)
    )
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.timeout(200)
def test_a_local_stack_is_started_used_and_stopped(tmp_path: Path) -> None:
    own = {"SPOT_RELAY_LOCAL": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    assert "To start it: spot-relay local up" in call(own, "local", "status", code=1)
    try:
        up = json.loads(call(own, "local", "up", "--json"))
        assert up["running"] is True
        assert json.loads(call(own, "local", "status", "--json")) == up
        exported = (line.removeprefix("export ") for line in Path(up["environment_file"]).read_text().splitlines())
        user = dict(line.split("=", 1) for line in exported)
        assert json.loads(call({**own, **user}, "ls", "--json")) == {"runs": []}
    finally:
        assert call(own, "local", "down") == "Stopped.\n"
    assert json.loads(call(own, "local", "status", "--json", code=1))["running"] is False
