"""A chain of runs on the page of one of them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from spot_relay.pages.chain import MOST_SHOWN, arrange, find_chain
from spot_relay.pages.run_page import render_run
from tests.fakes import NOON
from tests.unit.pages.reading import read_page
from tests.unit.pages.tales import TALES, document_of


def coming_after(name: str, *others: str, minute: int = 0, **fields: Any) -> dict[str, Any]:
    """A run that comes after others, of which those with a capital letter have completed."""
    document, _ = document_of(TALES[0])
    after = [{"run_id": other, "has_completed": other[0].isupper()} for other in others]
    start = document["start"] | {"after": after} if others else None
    created = (NOON + timedelta(minutes=minute)).isoformat()
    return document | {"run_id": name, "start": start, "created_at": created} | fields


def page_of(run: dict[str, Any], *others: dict[str, Any], link: bool = True) -> str:
    _, now = document_of(TALES[0])
    return render_run(run, now, others=others, link_run=(lambda name: f"/runs/{name}") if link else None)


def chain_of(page: str) -> str:
    (found,) = re.findall(r'<h2 id="chain">Chain</h2>(.*?)</section>', page)
    return str(found)


def test_a_run_alone_has_no_chain() -> None:
    assert 'id="chain"' not in page_of(coming_after("alone"), coming_after("b", "c"))


def test_a_chain_is_shown_as_one_with_a_link_to_each_of_its_runs() -> None:
    train = coming_after("train", "prep", minute=1)
    others = (
        coming_after("evaluate", "train", "labels", minute=2),
        coming_after("prep", status="Completed"),
        coming_after("labels", minute=1),
        coming_after("other", minute=3),
    )
    page = page_of(train, *others)
    assert re.findall(r'href="/runs/([^"]+)"', page) == ["prep", "evaluate", "labels"]
    shown = chain_of(page)
    assert '<strong aria-current="page">train</strong>' in shown
    assert "also after labels" in shown
    assert re.sub(r"<(?!/?ul)[^>]*>[^<]*", "", shown).count("<ul>") == 3
    assert [(depth, run["run_id"]) for depth, run in arrange(find_chain(train, others))] == [
        (0, "prep"),
        (1, "train"),
        (2, "evaluate"),
        (0, "labels"),
    ]
    assert not read_page(page).unbalanced


def test_of_a_predecessor_that_is_not_at_hand_it_is_known_whether_it_has_completed() -> None:
    text = read_page(page_of(coming_after("train", "Prep", "labels"), link=False)).text
    assert re.search(r"Prep\s+Completed", text)
    assert re.search(r"labels\s+not completed yet", text)


def test_what_the_training_starts_from_is_said() -> None:
    run = coming_after("train", "prep")
    model = run | {"start": run["start"] | {"continue_from": "prep", "checkpoint": False}}
    copy = run | {"start": run["start"] | {"continue_from": "prep", "checkpoint": True}}
    assert "Its training starts from the model of prep." in read_page(page_of(model)).text
    assert "Its training starts from a copy of the checkpoints of prep." in read_page(page_of(copy)).text
    assert "Its training starts" not in read_page(page_of(run)).text


def test_runs_that_wait_for_each_other_are_a_chain_all_the_same() -> None:
    run = coming_after("a", "b")
    assert {one["run_id"] for one in find_chain(run, [coming_after("b", "A")])} == {"a", "b"}
    assert chain_of(page_of(run, coming_after("b", "a"))).count("<li>") == 2


def test_of_a_long_chain_a_part_is_shown() -> None:
    others = [coming_after(f"run-{n}", f"run-{n - 1}", minute=n) for n in range(1, MOST_SHOWN + 3)]
    shown = chain_of(page_of(coming_after("run-0"), *others))
    assert shown.count("<li>") == MOST_SHOWN
    assert "3 more of the chain are not shown here." in shown
