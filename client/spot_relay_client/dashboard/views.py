"""The pages that only the dashboard has: around the pages of runs, for buttons, logs and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from spot_relay.pages.buttons import list_buttons
from spot_relay.pages.markup import el, render_page
from spot_relay.pages.run_page import frame

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from spot_relay.pages.buttons import Button
    from spot_relay.pages.markup import Element
    from spot_relay_client.logs import LogLine

# A browser without scripts loads the page again.
_RELOAD_SECONDS = 15


def list_head(root: str) -> tuple[Element, ...]:
    """Return what the head of a page needs to stay up to date; ``root`` is the address of the dashboard."""
    reload = el("meta", http_equiv="refresh", content=str(_RELOAD_SECONDS))
    return (el("script", src=f"{root}/live.js", defer=True), el("noscript", reload))


def draw_bar(root: str, document: Mapping[str, Any] | None = None, *, here: str = "run") -> Element:
    """Return the bar at the top of a page: where to go, and the buttons of a run."""
    links: list[Element] = [el("a", "All runs", href=f"{root}/")]
    buttons: list[Element] = []
    if document is not None:
        address = address_of(root, document["run_id"])
        for name, label, target in (("run", "Run", address), ("log", "Log", f"{address}/log")):
            links.append(el("a", label, href=target, aria_current="page" if name == here else None))
        buttons = [
            el("a", f"{button.label}…", href=f"{address}/{button.action}", class_="button")
            for button in list_buttons(document)
        ]
    offline = el(
        "span", "The dashboard does not answer. What you see is old.", id="offline", class_="warning", hidden=True
    )
    return el(
        "nav", el("span", *links, class_="links"), offline, el("span", *buttons, class_="links"), class_="bar-top"
    )


def render_question(root: str, document: Mapping[str, Any], button: Button, fault: str | None = None) -> str:
    """Return the page that asks before a button does what it says; ``fault`` is what was wrong with the last answer."""
    fields = [
        el(
            "p",
            el("label", field.label, for_=field.name),
            el("input", id=field.name, name=field.name, value=field.value, inputmode="decimal", autocomplete="off"),
            class_="field",
        )
        for field in button.fields
    ]
    address = address_of(root, document["run_id"])
    form = el(
        "form",
        *fields,
        el("p", el("button", button.label, type="submit", class_="button"), " ", el("a", "Back", href=address)),
        method="post",
        action=f"{address}/{button.action}",
    )
    return render_page(
        frame(
            button.label,
            draw_bar(root, document, here=""),
            el(
                "section",
                el("h1", button.label),
                el("p", button.question),
                el("p", fault, class_="warning", role="alert") if fault else None,
                form,
            ),
        )
    )


def render_log(root: str, document: Mapping[str, Any], lines: Sequence[LogLine], most: int) -> str:
    """Return the page with the newest lines of a run's log."""
    head = el("h1", "Log of ", document["run_id"])
    note = f"The newest {most} lines." if len(lines) == most else f"{len(lines)} lines." if lines else "No lines yet."
    text = "".join(f"{line.at:%m-%d %H:%M:%S} {line.attempt:02} {line.host} {line.text}\n" for line in lines)
    columns = "Each has its time (UTC), the number of its attempt and its host. All of them: "
    command = el("code", f"spot-relay logs {document['run_id']}")
    return render_page(
        frame(
            f"Log of {document['run_id']}",
            draw_bar(root, document, here="log"),
            el("section", head, el("p", note, " ", columns, command, class_="note"), el("pre", text, tabindex="0")),
            head=list_head(root),
        )
    )


def render_fault(root: str, title: str, message: str) -> str:
    """Return a page that says why there is no other."""
    return render_page(frame(title, draw_bar(root), el("section", el("h1", title), el("p", message, role="alert"))))


def address_of(root: str, run: str) -> str:
    """Return the address of a run's page."""
    return f"{root}/runs/{quote(run, safe='')}"
