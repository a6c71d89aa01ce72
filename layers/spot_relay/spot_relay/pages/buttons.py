"""What people may press on the page of a run: what it is called, what is asked before it is done, and what it sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spot_relay.pages.run_facts import ENDED

if TYPE_CHECKING:
    from collections.abc import Mapping

_MONEY = "money_usd"


class FieldError(ValueError):
    """What was typed into a field cannot be used; the message says why."""


@dataclass(frozen=True)
class Field:
    """A value that people may change before they confirm; a budget of the run."""

    name: str
    label: str
    value: str

    def read(self, text: str) -> float | None:
        """Return the number that was typed, or None if it is what it was.

        Raises
        ------
        FieldError
            If it is not a number.
        """
        text = text.strip()
        if text in ("", self.value):
            return None
        try:
            return int(text) if text.lstrip("+").isdecimal() else float(text)
        except ValueError:
            raise FieldError(f"{self.label} is a number, and {text!r} is none.") from None


@dataclass(frozen=True)
class Button:
    """A button. ``action`` is the last part of the API's path: ``POST /runs/{id}/{action}``."""

    action: str
    label: str
    question: str
    """What is asked before it is done; a sentence that says what happens."""
    fields: tuple[Field, ...] = ()

    def build_body(self, typed: Mapping[str, str]) -> dict[str, Any]:
        """Return the request for what was typed into the fields; what was left as it was is not in it.

        Raises
        ------
        FieldError
            If a field has no number in it.
        """
        read = {field.name: field.read(typed.get(field.name, "")) for field in self.fields}
        budgets = {name: value for name, value in read.items() if value is not None}
        return {"budgets": budgets} if budgets else {}


def list_buttons(document: Mapping[str, Any]) -> tuple[Button, ...]:
    """Return the buttons of a run, from its status document; what it cannot do now has none."""
    name, status = document["run_id"], document["status"]
    if status == "Completed":
        return ()
    if status in ENDED:
        question = (
            f"Resume {name}? It continues from its newest checkpoint, with all budgets fresh. "
            "Change a budget here if the run needs more of it."
        )
        return (Button("resume", "Resume", question, _list_budgets(document)),)
    if status == "Stopping":
        return ()
    question = f"Stop {name}? Its training job is stopped, and nothing is launched any more until somebody resumes it."
    return (Button("stop", "Stop", question),)


def _list_budgets(document: Mapping[str, Any]) -> tuple[Field, ...]:
    return tuple(
        Field(name, "USD" if name == _MONEY else name.replace("_", " ").capitalize(), f"{value:.10g}")
        for name, value in document.get("budgets", {}).items()
        if value is not None
    )
