"""Recordings of the command: what a terminal shows for recorded answers of the API, as SVG."""

from __future__ import annotations

import io
import json
import os
import re
import time
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.text import Text

from spot_relay.pages.wording import Clock
from spot_relay_client.cli.live_view import LiveView
from spot_relay_client.cli.log_output import format_line
from spot_relay_client.cli.tables import draw_list
from spot_relay_client.logs import LogLine
from spot_relay_client.models import Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

# Answers of the API: of an embedded stack for `logs`, and of typical runs (tests/unit/pages/tales.py) for the others.
RECORDED: Final = Path(__file__).with_name("recorded")
_COLUMNS: Final = 112
_FONT_FROM_THE_NETWORK: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def record_all() -> dict[str, str]:
    """Return each recording by the name of its file. The times in them are in UTC."""
    with _in_utc():
        return _record_all()


@contextmanager
def _in_utc() -> Iterator[None]:
    """Let this process be in the time zone UTC: the command shows local times."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        yield
    finally:
        del os.environ["TZ"]
        if before is not None:
            os.environ["TZ"] = before
        time.tzset()


def _record_all() -> dict[str, str]:
    names = ("watch", "ls", "logs")
    watched, listed, logged = (json.loads((RECORDED / f"{name}.json").read_text("utf-8")) for name in names)
    run, lines = Run.from_document(watched["run"]), [_line(line) for line in watched["lines"]]
    runs = [Run.from_document(document) for document in listed["runs"]]
    log = Text("\n", no_wrap=True, overflow="ellipsis").join(Text(format_line(_line(line))) for line in logged["lines"])
    return {
        "watch": _record("watch", f"spot-relay watch {run.name}", LiveView(run, lines, Clock(_moment(watched["now"])))),
        "ls": _record("ls", "spot-relay ls", draw_list(runs, _moment(listed["now"]))),
        "logs": _record("logs", f"spot-relay logs --follow {run.name}", log),
    }


def _line(document: dict[str, Any]) -> LogLine:
    return LogLine(_moment(document["at"]), document["attempt"], document["host"], document["text"])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _record(name: str, title: str, drawing: RenderableType) -> str:
    console = Console(
        record=True, width=_COLUMNS, file=io.StringIO(), highlight=False, force_terminal=True, color_system="truecolor"
    )
    console.print(drawing)
    image = console.export_svg(title=title, unique_id=name)
    return _FONT_FROM_THE_NETWORK.sub("", image)
