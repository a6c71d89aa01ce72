"""Write the pages of the ten typical runs, and the page of all of them, into kept/: ``python -m tests.unit.pages``."""

from __future__ import annotations

from spot_relay.pages.run_page import render_run
from tests.unit.pages.all_runs import render_all
from tests.unit.pages.tales import KEPT, TALES, document_of

if __name__ == "__main__":
    for tale in TALES:
        (KEPT / f"{tale.__name__}.html").write_text(render_run(*document_of(tale)), "utf-8")
    (KEPT / "runs.html").write_text(render_all(), "utf-8")
