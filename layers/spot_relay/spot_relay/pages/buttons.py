"""What people may press on the page of a run: what it is called, what is asked before it is done, and what it sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spot_relay.pages.view import ENDED

if TYPE_CHECKING:
    from collections.abc import Mapping

_LABELS = {"money_usd": "USD"}


class FieldError(ValueError):
    """What was typed into a field cannot be used; the message says why."""


@dataclass(frozen=True)
class Field:
    """A value that people may change before they confirm; ``path`` is where it stands in the request."""

    path: tuple[str, ...]
    label: str
    value: str
    is_number: bool = False
    empties: bool = False
    """Whether an empty field is sent, as null. Otherwise an empty one leaves everything as it is."""

    @property
    def name(self) -> str:
        """The name of the field in a form."""
        return ".".join(self.path)

    def read(self, text: str) -> Any:
        """Return what was typed, as the request has it, or None for nothing.

        Raises
        ------
        FieldError
            If it should be a number, and is none.
        """
        text = text.strip()
        if not self.is_number or not text:
            return text or None
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
    """What is asked before it is done; sentences that say what happens."""
    fields: tuple[Field, ...] = ()
    market: str | None = None
    """Where a move leads."""

    def build_body(self, typed: Mapping[str, str]) -> dict[str, Any]:
        """Return the request for what was typed into the fields; what was left as it was is not in it.

        Raises
        ------
        FieldError
            If a field should have a number in it, and has none.
        """
        body: dict[str, Any] = {} if self.market is None else {"market": self.market}
        for each in self.fields:
            text = typed.get(each.name, each.value)
            value = each.read(text)
            if each.empties or (value is not None and text.strip() != each.value):
                *outer, last = each.path
                inner = body
                for key in outer:
                    inner = inner.setdefault(key, {})
                inner[last] = value
        return body


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
    if status == "Stopping" or document.get("stop_requested"):
        return ()
    question = f"Stop {name}? Its training job is stopped, and nothing is launched any more until somebody resumes it."
    return (_move(document), _change_deadline(document), Button("stop", "Stop", question))


def _list_budgets(document: Mapping[str, Any]) -> tuple[Field, ...]:
    return tuple(
        Field(
            ("budgets", name), _LABELS.get(name) or name.replace("_", " ").capitalize(), f"{value:.10g}", is_number=True
        )
        for name, value in document.get("budgets", {}).items()
        if value is not None
    )


def _move(document: Mapping[str, Any]) -> Button:
    """Return the button that moves a run to the other market."""
    name, attempts = document["run_id"], document["attempts"]
    if attempts and attempts[-1]["placement"]["market"] == "on-demand":
        question = (
            f"Move {name} to spot? Its training job is stopped, and the next one continues on spot from the newest "
            "checkpoint. From then on the policy decides again where the run trains."
        )
        return Button("move", "Move to spot", question, market="spot")
    question = (
        f"Move {name} to on-demand? A training job on spot is stopped, and the next one continues on-demand, "
        "at the full price, from the newest checkpoint. The run stays on-demand until it is moved back."
    )
    return Button("move", "Move to on-demand", question, market="on-demand")


def _change_deadline(document: Mapping[str, Any]) -> Button:
    name, deadline = document["run_id"], document.get("deadline")
    when = "An instant, such as 2026-12-01T18:00:00Z, or a duration from now, such as P2D."
    if deadline is None:
        question = f"Give {name} a deadline? {when} Say as well how long the whole training takes on spot."
        runtime = Field(("expected_runtime",), "Expected runtime, such as PT20H", "")
        return Button("deadline", "Set a deadline", question, (Field(("deadline",), "Deadline", ""), runtime))
    question = f"Change the deadline of {name}? {when} Without one, the run waits for spot as long as it may."
    moment = Field(("deadline",), "Deadline", deadline["at"], empties=True)
    return Button("deadline", "Change the deadline", question, (moment,))
