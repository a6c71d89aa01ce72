"""What a CloudWatch dashboard asks of the widget. Whoever may invoke the function writes the event, so nothing in it is
trusted: what cannot be used is as if it were not there.

The parameters of the widget, and those of a button in it, are at the top of the event; what was typed into its fields
is in ``widgetContext.forms.all``; ``widgetContext.params`` has the parameters of the widget alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING, Any

from spot_relay.pages.view import SORTS, STATUSES, View

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_TEXT = 256
_WIDGET_ID = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,40}", re.ASCII)
_OFFSET = re.compile(r"([+-])(\d{2}):(\d{2})", re.ASCII)
_MOST_HOURS = 24
# A widget of less than this has the layout for telephones.
_NARROW = 560


@dataclass(frozen=True)
class Ask:
    """What is asked."""

    run: str | None = None
    """The run that is shown, or None for all runs."""
    view: View = field(default_factory=View)
    """Which of all runs are shown."""
    token: str | None = None
    """Where the page of runs begins."""
    question: str | None = None
    """The action whose question is to be asked."""
    action: str | None = None
    """The action that was confirmed."""
    seen: str | None = None
    """The state in which the run was when its button was drawn."""
    is_preset: bool = False
    """Whether the action is a parameter of the widget itself, so that nobody has pressed anything."""
    typed: Mapping[str, str] = field(default_factory=dict)
    """What was typed into the fields, by their names."""
    dashboard: str | None = None
    account: str | None = None
    widget: str = "widget"
    dark: bool = False
    narrow: bool = False
    zone: tzinfo = UTC


def read_ask(event: Mapping[str, Any]) -> Ask:
    """Return what an event asks."""
    context = _read_mapping(event, "widgetContext")
    typed = {key: text for key, text in _read_mapping(context, "forms", "all").items() if isinstance(text, str)}
    width, widget = context.get("width"), context.get("widgetId")
    return Ask(
        run=_read_text(event, "run"),
        view=_read_view(event, typed),
        token=_read_text(event, "token"),
        question=_read_text(event, "question"),
        action=_read_text(event, "action"),
        seen=_read_text(event, "seen"),
        is_preset="action" in _read_mapping(context, "params"),
        typed={key: _clean(text) for key, text in typed.items()},
        dashboard=_read_text(context, "dashboardName"),
        account=_read_text(context, "accountId"),
        widget=widget if isinstance(widget, str) and _WIDGET_ID.fullmatch(widget) else Ask.widget,
        dark=context.get("theme") == "dark",
        narrow=isinstance(width, int | float) and 0 < width < _NARROW,
        zone=_read_zone(_read_mapping(context, "timezone").get("offsetISO")),
    )


def _read_view(event: Mapping[str, Any], typed: Mapping[str, str]) -> View:
    default, sort, status = View(), event.get("sort"), event.get("status")
    name = typed.get("name", event.get("name"))
    return View(
        sort=sort if isinstance(sort, str) and sort in SORTS else default.sort,
        descending=event.get("order") != "ascending",
        status=status if status in STATUSES else None,
        name=_clean(name).strip() if isinstance(name, str) else "",
    )


def _read_zone(offset: Any) -> tzinfo:
    found = _OFFSET.fullmatch(offset) if isinstance(offset, str) else None
    if found is None or int(found[2]) >= _MOST_HOURS:
        return UTC
    ahead = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-ahead if found[1] == "-" else ahead) if ahead else UTC


def _read_mapping(outer: Any, *keys: str) -> Mapping[str, Any]:
    for key in keys:
        outer = outer.get(key) if isinstance(outer, dict) else None
    return outer if isinstance(outer, dict) else {}


def _read_text(outer: Mapping[str, Any], key: str) -> str | None:
    value = outer.get(key)
    return (_clean(value) or None) if isinstance(value, str) else None


def _clean(text: str) -> str:
    """Return a text that is short, and that can be logged: JSON may have half of a surrogate pair in it."""
    return text[:_MOST_TEXT].encode("utf-8", "replace").decode()
