"""Read the ``notify`` of a spec: which notices its run sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spot_relay.domain.run.news import ALL, NONE, NoticeKind, list_kinds
from spot_relay.domain.values import No
from spot_relay.request.problem import describe

if TYPE_CHECKING:
    from spot_relay.request.problem import Problems

NOTIFY = "notify"


def check_notify(value: Any, problems: Problems) -> tuple[NoticeKind, ...]:
    """Return the notices that a ``notify`` asks for, and report every problem with it."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names:
        found = "an empty list" if names == [] else describe(value)
        problems.add(NOTIFY, f"Expected {ALL}, {NONE} or a list of kinds of notices, but found {found}.")
        return ()
    texts = [name for name in names if isinstance(name, str)]
    for index, name in enumerate(names):
        if not isinstance(name, str):
            problems.add(f"{NOTIFY}[{index}]", f"Expected a kind of notice, but found {describe(name)}.")
    kinds = list_kinds(texts)
    if isinstance(kinds, No):
        problems.add(NOTIFY, kinds.because)
        return ()
    return kinds
