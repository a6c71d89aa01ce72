"""The page of all runs: those of the tales, each under its own name, as if one moment saw all of them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from spot_relay.pages.runs_page import render_runs
from tests.unit.pages.tales import TALES, document_of

if TYPE_CHECKING:
    from datetime import datetime

    from spot_relay.pages.view import View

# The tale that takes longest to tell adds nothing to a list.
LISTED = tuple(tale for tale in TALES if tale.__name__ != "fifty_attempts")


@cache
def documents() -> tuple[tuple[dict[str, Any], ...], datetime]:
    """The documents of all tales, and the latest of their moments."""
    heard = [(tale.__name__.replace("_", "-"), *document_of(tale)) for tale in LISTED]
    return tuple(document | {"run_id": name} for name, document, _ in heard), max(now for *_, now in heard)


def render_all(view: View | None = None) -> str:
    """Return the page of all runs with links, as a server would answer it."""
    found, now = documents()
    return render_runs(
        found,
        now,
        view=view,
        link_view=lambda wanted: f"?sort={wanted.sort}&down={wanted.descending:d}&status={wanted.status or ''}",
        link_run=lambda name: f"runs/{name}",
    )
