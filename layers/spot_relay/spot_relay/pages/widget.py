"""The pages as parts of a CloudWatch dashboard: what the function of a custom widget answers with.

A widget has no script and no addresses of its own. A button calls the function again: the element after it,
`cwdb-action`, says with which event, and what has to be confirmed before. The style holds within the widget only, and
so do the ids, because the rest of the page is CloudWatch's, and other widgets'.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spot_relay.pages.buttons import list_buttons
from spot_relay.pages.chain import show_chain
from spot_relay.pages.markup import Element, el, render
from spot_relay.pages.run_page import write_run
from spot_relay.pages.runs_page import build_runs
from spot_relay.pages.style import confine_style
from spot_relay.pages.view import SORTS, STATUSES, View

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from spot_relay.pages.buttons import Button
    from spot_relay.pages.markup import Child
    from spot_relay.pages.run_facts import Document
    from spot_relay.pages.widget_event import Ask

# What an address begins with that stands for a call of the function with the JSON behind it.
_CALL = "call:"
_IDS = ("id", "for", "aria-labelledby", "aria-describedby")
# JSON that is the same whether or not somebody takes it for HTML.
_AS_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&'"}


@dataclass(frozen=True)
class Widget:
    """A widget that answers what was asked of it, at a moment."""

    ask: Ask
    endpoint: str
    """The ARN of its function."""
    now: datetime
    acts: bool = False
    """Whether the runs have buttons."""
    others: Sequence[Document] = ()
    """The documents of runs in the chain of the run that is shown."""

    @property
    def scope(self) -> str:
        """The class of all that is in the widget, with which the ids in it begin."""
        return f"spot-relay-{self.ask.widget}"

    def show_runs(self, documents: Sequence[Document], next_token: str | None) -> str:
        """Return a page of runs; ``next_token`` is where the next page begins, if there is one."""
        view = self.ask.view
        _, content = build_runs(
            documents, self.now, self.ask.zone, view, link_view=_call_for_view, link_run=lambda name: _call(run=name)
        )
        header, *rest = content
        return self._write(header, self._draw_search(view), *rest, self._draw_paging(next_token))

    def show_run(self, document: Document, told: str | None = None, fault: str | None = None) -> str:
        """Return the page of a run, below what has been done or what went wrong."""

        def write(*content: Child) -> str:
            return self._write(self._draw_bar(document), _tell(told, fault), *content)

        chain = show_chain(document, self.others, lambda name: _call(run=name))
        return write_run(document, self.now, self.ask.zone, write, chain)

    def show_question(self, document: Document, button: Button, fault: str | None = None) -> str:
        """Return the form for what a button needs to know; ``fault`` is what was wrong with the last answer."""
        typed = self.ask.typed
        fields = [
            el(
                "p",
                el("label", field.label, for_=field.name),
                el(
                    "input",
                    id=field.name,
                    name=field.name,
                    value=typed.get(field.name, field.value) if fault else field.value,
                    autocomplete="off",
                ),
                class_="field",
            )
            for field in button.fields
        ]
        body = el(
            "section",
            el("h1", button.label),
            el("p", button.question),
            _tell(None, fault),
            el("form", fields),
            el("p", self._draw_button(document, button), class_="links"),
        )
        return self._write(self._draw_bar(document, has_buttons=False), body)

    def show_fault(self, title: str, message: str) -> str:
        """Return why there is nothing else to see."""
        return self._write(_go_back(), el("section", el("h1", title), el("p", message, role="alert")))

    def _draw_bar(self, document: Document, *, has_buttons: bool = True) -> Element:
        buttons = list_buttons(document) if self.acts and has_buttons else ()
        run = document["run_id"]
        back = () if has_buttons else (_link("Back", run=run),)
        drawn = [
            _link(f"{one.label}…", kind="button", run=run, question=one.action)
            if one.fields
            else self._draw_button(document, one)
            for one in buttons
        ]
        links = (_link("All runs"), *(back or (_link("Refresh", run=run),)))
        return el("nav", el("span", links, class_="links"), el("span", drawn, class_="links"), class_="bar-top")

    def _draw_button(self, document: Document, button: Button) -> Child:
        """Return the button that does what it says, once that is confirmed."""
        # A form has said the rest above its fields.
        question = f"{button.question.partition('? ')[0]}?" if button.fields else button.question
        sent = _payload(run=document["run_id"], action=button.action, seen=state_of(document))
        return el("button", button.label, type="button", class_="button"), _act(sent, confirmation=question)

    def _draw_search(self, view: View) -> Element:
        field = el("input", id="name", name="name", value=view.name, autocomplete="off", maxlength=63)
        show = _link("Show", kind="button", **{**_describe_view(view), "name": None})
        return el("div", el("form", el("label", "Name contains ", for_="name"), field), show, class_="filter")

    def _draw_paging(self, next_token: str | None) -> Element | None:
        asked = _describe_view(self.ask.view)
        newest = _link("Newest runs", kind="button", **asked) if self.ask.token else None
        older = _link("Older runs", kind="button", **asked, token=next_token) if next_token else None
        if newest is None and older is None:
            return None
        note = el("span", "The order is among the runs of this page.", class_="note")
        return el("nav", newest, older, note, class_="links", aria_label="Pages")

    def _write(self, *content: Child) -> str:
        style = el("style", confine_style(self.scope, dark=self.ask.dark, narrow=self.ask.narrow))
        inside = [self._adapt(one) for one in content]
        # The class with cwdb keeps CloudWatch's own style out.
        return render(el("div", style, inside, class_=f"{self.scope} cwdb-no-default-styles")) + "\n"

    def _adapt(self, child: Child) -> Child:
        """Return content with ids that belong to this widget, and with calls instead of addresses."""
        if child is None or isinstance(child, str):
            return child
        if not isinstance(child, Element):
            return [self._adapt(one) for one in child]
        attributes = dict(child.attributes)
        children = tuple(self._adapt(one) for one in child.children)
        if child.name == "cwdb-action":
            attributes["endpoint"] = self.endpoint
        for key in _IDS:
            if key in attributes:
                attributes[key] = " ".join(f"{self.scope}-{one}" for one in attributes[key].split())
        address = attributes.get("href", "")
        if child.name == "a" and address.startswith(_CALL):
            del attributes["href"]
            button = Element("button", (("type", "button"), ("class", "link"), *attributes.items()), children)
            return button, self._adapt(_act(address.removeprefix(_CALL)))
        return Element(child.name, tuple(attributes.items()), children)


def state_of(document: Document) -> str:
    """Return the state that a button was drawn for: it is for no other, so that one press does not act twice."""
    return f"{document['status']} {len(document['attempts'])}"


def describe_widget(*, acts: bool) -> str:
    """Return the documentation of the widget's parameters in Markdown, for CloudWatch's editor of widgets."""
    buttons = (
        "Runs have buttons. Whoever may invoke this function may press them."
        if acts
        else "Runs have no buttons, because the stack's parameter `WidgetActions` is `false`."
    )
    return f"""## Spot Relay
The runs of a stack, and each run as a page. {buttons}

### Widget parameters
Param | Description
---|---
**run** | The name of a run, to begin with its page. Without it, the widget begins with all runs.
**status** | Only the runs with this status: {", ".join(STATUSES)}.
**name** | Only the runs with this in their names.
**sort** | What the runs of a page are sorted by: {", ".join(SORTS)}.
**order** | `ascending` or `descending` (the default).

### Example parameters
``` yaml
status: InProgress
sort: finish
order: ascending
```
"""


def _call_for_view(view: View) -> str:
    return _call(**_describe_view(view))


def _describe_view(view: View) -> dict[str, str | None]:
    """Return the parameters of a view."""
    order = "descending" if view.descending else "ascending"
    return {"status": view.status, "sort": view.sort, "order": order, "name": view.name or None}


def _call(**parameters: str | None) -> str:
    return f"{_CALL}{_payload(**parameters)}"


def _payload(**parameters: str | None) -> str:
    """Return the parameters of a call as JSON. A call for all runs says so, whatever run the widget begins with."""
    return json.dumps({"run": None, **parameters}).translate(_AS_ESCAPES)


def _link(text: str, kind: str = "link", **parameters: str | None) -> Child:
    """Return a button that shows something else."""
    return el("button", text, type="button", class_=kind), _act(_payload(**parameters))


def _act(payload: str, confirmation: str | None = None) -> Element:
    """Return what is done when the element before it is pressed; the endpoint is put in later."""
    return el("cwdb-action", payload, action="call", display="widget", confirmation=confirmation)


def _go_back() -> Element:
    return el("nav", _link("All runs"), class_="bar-top")


def _tell(told: str | None, fault: str | None) -> Child:
    return (
        el("p", told, class_="comes", role="status") if told else None,
        el("p", fault, class_="warning", role="alert") if fault else None,
    )
