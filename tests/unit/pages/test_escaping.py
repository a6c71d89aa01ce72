"""No text of a run becomes an element, an attribute or an address of its page, whatever it is."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.pages.markup import el, render
from spot_relay.pages.run_page import render_run
from spot_relay.pages.runs_page import render_runs
from tests.unit.pages.corpus import CORPUS, poison
from tests.unit.pages.reading import read_page
from tests.unit.pages.tales import TALES, document_of
from tests.unit.spec.documents import CALM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.pages.reading import Page


@cache
def clean_shapes() -> tuple[Page, ...]:
    """The pages of the tales when all of their texts are harmless."""
    return tuple(read_page(text) for text in pages("harmless"))


def pages(text: str) -> Iterator[str]:
    """Return the pages of all tales, and of the list of them, with a text in place of all of theirs."""
    heard = [document_of(tale) for tale in TALES if tale.__name__ != "fifty_attempts"]
    task = {"group": text, "endpoint": text, "status": text, "reason": text}
    hosting = {"hosting": {"register_model": task, "deploy": task}}
    poisoned = [poison(document, text) | hosting for document, _ in heard]
    for document, (_, now) in zip(poisoned, heard, strict=True):
        yield render_run(document, now)
    yield render_runs(poisoned, heard[0][1], link_run=lambda _: "run", link_view=lambda _: "view")


@pytest.mark.parametrize("text", CORPUS, ids=range(len(CORPUS)))
def test_a_hostile_text_leaves_no_element_and_no_attribute_behind(text: str) -> None:
    for poisoned, harmless in zip(pages(text), clean_shapes(), strict=True):
        poisoned.encode()
        page = read_page(poisoned)
        assert page.elements == harmless.elements
        assert [(tag, key) for tag, key, _ in page.attributes] == [(tag, key) for tag, key, _ in harmless.attributes]
        assert page.declarations == harmless.declarations == ["DOCTYPE html"]
        assert not page.unbalanced


def test_hostile_texts_are_shown_as_they_are() -> None:
    shown = read_page(next(pages('<b>&amp; "it\'s"</b>'))).text
    assert '<b>&amp; "it\'s"</b>' in shown


@pytest.mark.parametrize("text", ["javascript:alert(1)//", "//evil.example", "https://evil.example/", "../../x"])
def test_no_address_is_made_of_a_text(text: str) -> None:
    document, now = document_of(TALES[1])
    for part in ("job_name", "log_stream_prefix"):
        attempts = [one | {part: text} for one in document["attempts"]]
        page = read_page(render_run(document | {"attempts": attempts, "log_group": text}, now))
        links = page.values("href")
        assert links
        assert all(link.startswith("https://us-east-1.console.aws.amazon.com/") for link in links)


@CALM
@given(text=st.text(max_size=60), value=st.text(max_size=60))
def test_any_text_is_read_back_as_it_was_written(text: str, value: str) -> None:
    page = read_page(render(el("p", text, title=value)))
    assert page.elements == ["p"]
    kept = str.maketrans({chr(code): None for code in (*range(9), *range(11, 32), *range(127, 160))})
    assert "".join(page.texts) == text.translate(kept)
    assert page.values("title") == [value.translate(kept)]


def test_elements_are_written_as_html_wants_them() -> None:
    written = render(
        el("div", el("br"), None, [el("rect", x=1.50, rx=2.0), "a"], class_="b", aria_label="c", hidden=True)
    )
    assert written == '<div class="b" aria-label="c" hidden=""><br><rect x="1.5" rx="2"/>a</div>'
    assert render(el("a", hidden=False, href=None)) == "<a></a>"
