"""The page of the demo's run: live in a browser while the run goes on, and as a file at its end."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from embedded.daemons import launch
from embedded.deployment import TEMPORARY
from embedded.sam import LOCAL, ROOT
from spot_relay.pages.run_page import render_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.outcome import Outcome
    from embedded.stack import Stack

SAVED: Final = LOCAL / "demo.html"
_MODULES: Final = os.pathsep.join(str(ROOT / folder) for folder in ("client", "layers/spot_relay"))


@contextmanager
def serving(stack: Stack, *, keep: bool) -> Iterator[str]:
    """Run the dashboard for a stack, and yield its address; ``keep`` leaves it running, for as long as the stack."""
    folder = Path(stack.folder)
    own = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": _MODULES}
    # By its folder for temporary files, whoever stops the stack recognizes the dashboard and stops it, too.
    environment = own | stack.environment | {"TMPDIR": str(folder / TEMPORARY)}
    arguments = ["-m", "spot_relay_client", "dashboard", "--json", "--no-open"]
    log = folder / "dashboard.log"
    dashboard = launch("The dashboard", arguments, environment, log)
    left = False
    try:
        yield dashboard.wait_for(lambda: _read_address(log))
        left = keep
    finally:
        if not left:
            dashboard.stop()


def save(outcome: Outcome, file: Path = SAVED) -> Path:
    """Write the page of a run to a file, and return the file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(render_run(outcome.view.run, datetime.now(UTC)), "utf-8")
    return file


def _read_address(log: Path) -> str | None:
    """Return the address that the dashboard has printed, or None if it has not yet."""
    try:
        return str(json.loads(log.read_text("utf-8"))["url"])
    except (ValueError, KeyError):
        return None
