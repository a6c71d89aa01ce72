"""Runs that come after each other: in lists as trees, and on the page of each."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from spot_relay.pages.markup import el
from spot_relay.pages.sections import section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from spot_relay.pages.markup import Child, Element
    from spot_relay.pages.run_facts import Document

# So many runs of a chain are shown at most.
MOST_SHOWN = 40


def arrange(documents: Iterable[Document]) -> Iterable[tuple[int, Document]]:
    """Yield runs with their depth in the tree: each right below the first of those that it comes after.

    A run whose predecessors are not among them is at the top.
    """
    runs = list(documents)
    names = {_key(run): _key(run) for run in runs}
    below: dict[str | None, list[Document]] = {}
    for run in runs:
        parents = (names.get(name.lower()) for name in predecessors_of(run))
        below.setdefault(next(filter(None, parents), None), []).append(run)
    # Runs that wait for each other are below none at the top.
    while below:
        waiting = [(0, run) for run in reversed(below.pop(None if None in below else next(iter(below))))]
        while waiting:
            depth, run = waiting.pop()
            yield depth, run
            waiting += [(depth + 1, follower) for follower in reversed(below.pop(_key(run), []))]


def predecessors_of(document: Document) -> list[str]:
    """Return the names of the runs that a run comes after."""
    return [str(one["run_id"]) for one in (document.get("start") or {}).get("after") or ()]


def find_chain(document: Document, others: Iterable[Document]) -> list[Document]:
    """Return the runs of a run's chain, as far as they are known, oldest first.

    Of a predecessor that is not among the ``others``, only the name is known, and whether it has completed.
    """
    known = {_key(other): other for other in others} | {_key(document): document}
    followers: dict[str, list[str]] = {}
    for key, run in known.items():
        for name in predecessors_of(run):
            followers.setdefault(name.lower(), []).append(key)
    found: dict[str, Document] = {}
    waiting = [_key(document)]
    while waiting:
        key = waiting.pop()
        if key in found:
            continue
        found[key] = run = known.get(key) or _stand_in(key, [known[one] for one in followers[key]])
        waiting += [name.lower() for name in predecessors_of(run)] + followers.get(key, [])
    return sorted(found.values(), key=lambda run: str(run.get("created_at") or ""))


def show_chain(
    document: Document, others: Iterable[Document], link_run: Callable[[str], str] | None = None
) -> Element | None:
    """Return the chain of a run as nested lists; None if it comes after none, and none of the others after it."""
    chain = find_chain(document, others)
    if len(chain) == 1:
        return None
    rows = [(depth, _show_link(run, run is document, link_run)) for depth, run in arrange(chain)]
    more = len(rows) - MOST_SHOWN
    return section(
        "Chain",
        _nest(rows[:MOST_SHOWN]),
        el("p", f"{more} more of the chain are not shown here.", class_="note") if more > 0 else None,
        _say_origin(document),
        name="chain",
    )


def _key(document: Document) -> str:
    return str(document["run_id"]).lower()


def _stand_in(key: str, followers: Iterable[Document]) -> Document:
    """Return what the followers of a run say of it."""
    told = [one for run in followers for one in run["start"]["after"] if str(one["run_id"]).lower() == key]
    return {"run_id": told[0]["run_id"], "status": "Completed" if any(one["has_completed"] for one in told) else None}


def _show_link(run: Document, is_shown: bool, link_run: Callable[[str], str] | None) -> Child:
    name, is_known = str(run["run_id"]), "created_at" in run
    named: Child = name
    if is_shown:
        named = el("strong", name, aria_current="page")
    elif link_run is not None:
        named = el("a", name, href=link_run(name))
    status = run.get("status")
    said = el("span", status, class_=f"status {status}") if status else el("span", "not completed yet", class_="note")
    also = predecessors_of(run)[1:] if is_known else []
    return [named, " ", said, el("span", f" also after {', '.join(also)}", class_="note") if also else None]


def _nest(rows: Sequence[tuple[int, Child]]) -> Element:
    """Return rows as a list in which deeper rows are lists of their own."""
    items, index = [], 0
    while index < len(rows):
        depth, child = rows[index]
        below = list(takewhile(lambda row: row[0] > depth, rows[index + 1 :]))  # noqa: B023 (used at once)
        items.append(el("li", child, _nest(below) if below else None))
        index += 1 + len(below)
    return el("ul", items)


def _say_origin(document: Document) -> Element | None:
    """Return what the training of a run starts from, if that is of another run."""
    start = document.get("start") or {}
    if not start.get("continue_from"):
        return None
    what = "a copy of the checkpoints" if start.get("checkpoint") else "the model"
    return el("p", f"Its training starts from {what} of {start['continue_from']}.", class_="note")
