"""Write what is kept of the ten typical runs: their pages, the widget's answers, and what `spot-relay watch` draws.

``python -m tests.unit.pages``
"""

from __future__ import annotations

from spot_relay.pages.run_page import render_run
from tests.unit.client.watched import DRAWN, draw_watched
from tests.unit.pages.all_runs import render_all
from tests.unit.pages.tales import KEPT, TALES, document_of
from tests.unit.pages.widgets import show_typical

if __name__ == "__main__":
    for tale in TALES:
        (KEPT / f"{tale.__name__}.html").write_text(render_run(*document_of(tale)), "utf-8")
        (DRAWN / f"{tale.__name__}.txt").write_text(draw_watched(tale), "utf-8")
    (KEPT / "runs.html").write_text(render_all(), "utf-8")
    (KEPT / "widget").mkdir(exist_ok=True)
    for name, answer in show_typical().items():
        (KEPT / "widget" / f"{name}.html").write_text(answer, "utf-8")
