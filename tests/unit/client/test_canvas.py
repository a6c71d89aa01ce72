"""What is written to a terminal that is drawn on again and again, and to one that lacks characters."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from spot_relay_client.cli.canvas import Canvas
from spot_relay_client.cli.plain_characters import replace_what_cannot_be_printed
from tests.unit.client.watched import draw_watched
from tests.unit.pages.tales import TALES

OTHER_SCREEN, USUAL_SCREEN, CLEAR = "\x1b[?1049h", "\x1b[?1049l", "\x1b[2J"


class Output(io.StringIO):
    """What a terminal got, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def write(self, text: str) -> int:
        """Keep a piece."""
        self.pieces.append(text)
        return len(text)

    def take(self) -> str:
        """Return what has come since the last time; it is one piece, so nothing shows in between."""
        (piece,) = self.pieces or [""]
        self.pieces.clear()
        return piece


def terminal(width: int = 20, height: int = 4) -> tuple[Console, Output]:
    output = Output()
    return Console(file=output, force_terminal=True, color_system=None, width=width, height=height), output


def test_only_the_lines_that_have_changed_are_written_again() -> None:
    console, output = terminal()
    with Canvas(console) as canvas:
        output.pieces.clear()
        canvas.draw(Text("one\ntwo\nthree"))
        assert output.take().count("one") == 1
        canvas.draw(Text("one\nTWO\nthree"))
        changed = output.take()
        assert "TWO" in changed
        assert "one" not in changed
        assert "three" not in changed
        canvas.draw(Text("one\nTWO\nthree"))
        assert output.take() == ""
        canvas.draw(Text("one"))
        assert "one" not in output.take()


def test_a_terminal_that_changes_its_size_is_drawn_anew() -> None:
    console, output = terminal()
    with Canvas(console) as canvas:
        canvas.draw(Text("one\ntwo"))
        output.pieces.clear()
        console.size = console.size._replace(width=30)
        canvas.draw(Text("one\ntwo"))
        written = output.take()
        assert CLEAR in written
        assert "one" in written


def test_what_does_not_fit_is_left_out_and_what_was_drawn_last_stays_on_the_usual_screen() -> None:
    console, output = terminal(height=2)
    with Canvas(console) as canvas:
        canvas.draw(Text("one\ntwo\nthree"))
        assert OTHER_SCREEN in "".join(output.pieces)
        assert "three" not in "".join(output.pieces)
        output.pieces.clear()
    left = "".join(output.pieces)
    assert left.index(USUAL_SCREEN) < left.index("one\ntwo\nthree\n")


def test_an_error_leaves_the_terminal_as_it_was() -> None:
    console, output = terminal()
    with pytest.raises(KeyboardInterrupt), Canvas(console):
        raise KeyboardInterrupt
    assert output.pieces[-1].endswith(USUAL_SCREEN)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-8"])
def test_a_character_that_an_encoding_lacks_is_replaced_by_a_similar_one_of_the_same_width(encoding: str) -> None:
    drawn = draw_watched(TALES[4])
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    replace_what_cannot_be_printed(stream)
    stream.write(drawn)
    stream.flush()
    printed = stream.buffer.getvalue().decode(encoding)
    assert "?" not in printed
    assert [len(line) for line in printed.splitlines()] == [len(line) for line in drawn.splitlines()]
    assert (printed == drawn) == (encoding == "utf-8")
    if encoding == "ascii":
        assert {"#", "=", "."} <= set(printed)


def test_what_nothing_is_similar_to_becomes_a_question_mark() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    replace_what_cannot_be_printed(stream)
    stream.write("日 and …")
    stream.flush()
    assert stream.buffer.getvalue() == b"? and ~"
