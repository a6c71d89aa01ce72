"""Text from outside is clean and bounded once it is stored, in whatever characters it comes."""

from __future__ import annotations

import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spot_relay.domain.text import clean_text, encoded_size, shorten

HIDDEN = {
    "NUL": "\0",
    "bell": "\x07",
    "escape": "\x1b",
    "delete": "\x7f",
    "C1": "\x9b",
    "soft hyphen": "\xad",
    "Arabic letter mark": "\u061c",
    "zero-width space": "\u200b",
    "zero-width joiner": "\u200d",
    "left-to-right mark": "\u200e",
    "right-to-left override": "\u202e",
    "word joiner": "\u2060",
    "right-to-left isolate": "\u2067",
    "Hangul filler": "\u3164",
    "byte order mark": "\ufeff",
    "tag": "\U000e0041",
}
BREAKS = {
    "line feed": "\n",
    "carriage return": "\r",
    "both": "\r\n",
    "tab": "\t",
    "vertical tab": "\v",
    "form feed": "\f",
    "file separator": "\x1c",
    "next line": "\x85",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
}
anything = st.text(st.characters(codec=None))


@pytest.mark.parametrize("character", HIDDEN.values(), ids=HIDDEN)
def test_what_cannot_be_seen_is_left_out(character: str) -> None:
    assert clean_text(f"exit{character} code 1{character}") == "exit code 1"


@pytest.mark.parametrize("character", BREAKS.values(), ids=BREAKS)
def test_a_text_stays_on_one_line(character: str) -> None:
    assert clean_text(f"Traceback:{character}KeyError") == "Traceback: KeyError"


@pytest.mark.parametrize(
    "printed",
    [
        "\x1b[31mfailed\x1b[0m",
        "\x1b]0;a title\x07failed",
        "\x1b]8;;http://a\x1b\\failed\x1b]8;;\x1b\\",
    ],
    ids=["colour", "title", "link"],
)
def test_what_a_terminal_would_obey_is_left_out(printed: str) -> None:
    assert clean_text(f"it {printed}") == "it failed"


def test_a_sequence_that_never_ends_hides_nothing_of_the_text() -> None:
    assert clean_text("it \x1b]0;failed, and more") == "it ]0;failed, and more"


@pytest.mark.parametrize(
    "text", ["", "exit code 1", "Größe: 3, 日本語", "50 % — “done” \N{GRINNING FACE}", "two  blanks "]
)
def test_what_can_be_seen_stays_as_it_is(text: str) -> None:
    assert clean_text(text) == text


def test_half_characters_become_question_marks() -> None:
    assert clean_text("exit \ud800 1") == "exit ? 1"


@given(anything, st.integers(8, 60))
def test_any_text_becomes_clean_and_fits(text: str, most_bytes: int) -> None:
    clean = clean_text(text, most_bytes)
    assert not {unicodedata.category(character) for character in clean} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(clean) & set("".join(HIDDEN.values()))
    assert len(msgspec.json.encode(clean)) - 2 <= most_bytes
    assert clean_text(clean, most_bytes) == clean


@given(st.text())
def test_the_size_of_a_text_is_what_it_takes_once_it_is_stored(text: str) -> None:
    assert encoded_size(text) == len(msgspec.json.encode(text)) - 2


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("x" * 10, "x" * 10),
        ("x" * 11, "x" * 7 + "…"),
        ('"' * 5, '"' * 5),
        ('"' * 6, '"' * 3 + "…"),
        ("\\" * 6, "\\" * 3 + "…"),
        ("\x01" * 2, "\x01…"),
        ("é" * 6, "é" * 3 + "…"),
        ("\N{GRINNING FACE}" * 3, "\N{GRINNING FACE}…"),
    ],
    ids=["it fits", "letters", "they fit", "quotes", "backslashes", "controls", "two bytes", "four bytes"],
)
def test_a_text_is_cut_where_its_encoded_form_has_no_more_room(text: str, short: str) -> None:
    assert shorten(text, 10) == short
