"""The dashboard in front of a deployed stack: a run is found, looked at, and stopped with its button."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from embedded.patience import give_time
from tests.e2e.relay import eventually, spec

if TYPE_CHECKING:
    import subprocess

    from tests.e2e.command import Command
    from tests.e2e.relay import Relay

RUN = "pressed"


def read_address(process: subprocess.Popen[str]) -> str:
    """Return the address that the command prints, as JSON, before it waits."""
    assert process.stdout is not None
    printed = ""
    while not printed.endswith("}\n"):
        line = process.stdout.readline()
        assert line, f"the command has ended: {printed}"
        printed += line
    return str(json.loads(printed)["url"])


def test_a_run_is_found_looked_at_and_stopped_with_its_button(relay: Relay, command: Command) -> None:
    relay.rule(RUN, capacity={"after": 0}, train_seconds=600)
    relay.api.submit(spec(RUN))
    eventually(f"{RUN} being launched", lambda: relay.jobs(RUN) or None)
    with command.begin("dashboard", "--json", "--no-open") as process:
        address = read_address(process)
        origin = f"http://{urlsplit(address).netloc}"
        with httpx.Client(base_url=address, timeout=give_time(30)) as browser:
            assert f"/runs/{RUN}" in browser.get("").text
            page = browser.get(f"runs/{RUN}")
            assert f"/runs/{RUN}/stop" in page.text
            assert f"{RUN}-relay-01" in page.text
            assert browser.get(f"runs/{RUN}/log").status_code == 200
            assert browser.post(f"runs/{RUN}/stop").status_code == 403, "without an Origin nothing is pressed"
            assert browser.post(f"runs/{RUN}/stop", headers={"Origin": origin}).status_code == 303
            relay.ends(RUN)
            assert f"/runs/{RUN}/resume" in browser.get(f"runs/{RUN}").text
        process.send_signal(signal.SIGINT)
        assert process.wait(give_time(10)) == 0
    assert relay.api.show(RUN)["status"] == "Stopped"
