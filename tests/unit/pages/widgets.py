"""The widget as it answers typical events, and its buttons as CloudWatch finds them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from spot_relay.pages.buttons import list_buttons
from spot_relay.pages.widget import Widget
from spot_relay.pages.widget_event import read_ask
from tests.unit.pages.all_runs import documents
from tests.unit.pages.tales import (
    document_of,
    failed_by_budget,
    interrupted,
    on_demand_by_pace,
)

if TYPE_CHECKING:
    from datetime import datetime

ENDPOINT = "arn:aws:lambda:us-east-1:000000000000:function:spot-relay-Widget-1A2B3C4D5E6F"
TOKEN = "2026-11-01T12:00:00.000000Z#churn"


def event_of(given: dict[str, Any] | None = None, typed: Any = None, **context: Any) -> dict[str, Any]:
    """Return an event of a dashboard: the parameters of a button, what was typed, and more of its context."""
    around = {"dashboardName": "spot-relay-us-east-1", "widgetId": "widget-2", "accountId": "000000000000"}
    shown = {"theme": "light", "width": 1180, "timezone": {"label": "UTC", "offsetISO": "+00:00"}, "params": {}}
    return {**(given or {}), "widgetContext": {**around, **shown, "forms": {"all": typed or {}}, **context}}


def widget(event: dict[str, Any], now: datetime, *, acts: bool = True) -> Widget:
    """Return the widget that answers an event."""
    return Widget(read_ask(event), ENDPOINT, now, acts)


@cache
def show_typical() -> dict[str, str]:
    """Return the answers that are kept, by their names."""
    found, now = documents()
    training, seen = document_of(on_demand_by_pace)
    hit, then = document_of(interrupted)
    failed, later = document_of(failed_by_budget)
    resume = next(one for one in list_buttons(failed) if one.action == "resume")
    sorted_runs = event_of({"sort": "cost", "token": TOKEN}, {"name": "a"}, theme="dark", width=480)
    typed = event_of(typed={"budgets.expired_waits": "much"})
    return {
        "runs": widget(event_of(), now).show_runs(found, None),
        "runs_dark_and_narrow": widget(sorted_runs, now).show_runs(found[:5], TOKEN),
        "no_runs": widget(event_of(), now).show_runs((), None),
        "run": widget(event_of(), seen).show_run(training),
        "run_without_buttons": widget(event_of(), then, acts=False).show_run(hit),
        "run_moved": widget(event_of(), seen).show_run(training, told="Done: Move to spot."),
        "question": widget(event_of(), later).show_question(failed, resume),
        "question_refused": widget(typed, later).show_question(
            failed, resume, "Expired waits is a number, and 'much' is none."
        ),
        "fault": widget(event_of(), now).show_fault("That cannot be shown", "There is no run churn."),
    }


@dataclass
class Action:
    """What happens when an element is pressed: what CloudWatch reads from the element after it."""

    label: str
    """The text of the element that is pressed."""
    attributes: dict[str, str]
    text: str = ""

    @property
    def given(self) -> dict[str, Any]:
        """The parameters of the call."""
        read: dict[str, Any] = json.loads(self.text)
        return read


class _Finder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Action] = []
        self.label, self.before = "", ""
        self.inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "cwdb-action":
            assert self.before == "button", "an action belongs to the element before it"
            self.found.append(Action(self.label, {key: value or "" for key, value in attrs}))
        if tag == "button":
            self.label = ""
        self.inside.append(tag)
        self.before = ""

    def handle_endtag(self, tag: str) -> None:
        self.before = tag
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.inside[-1:] == ["cwdb-action"]:
            self.found[-1].text += data
        elif "button" in self.inside:
            self.label += data


def find_actions(html: str) -> list[Action]:
    """Return everything in a widget that can be pressed."""
    finder = _Finder()
    finder.feed(html)
    finder.close()
    return finder.found


def find_action(html: str, label: str) -> Action:
    """Return what happens when the element with a text is pressed."""
    (action,) = [one for one in find_actions(html) if one.label == label]
    return action
