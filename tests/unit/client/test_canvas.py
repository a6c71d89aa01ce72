"""What is written to a terminal that is drawn on again and again, and to one that lacks characters."""

from __future__ import annotations

import io
import re

import pytest
from click.testing import CliRunner
from rich.console import Console
from rich.text import Text

from spot_relay.pages.wording import Clock
from spot_relay_client.cli import cli
from spot_relay_client.cli.canvas import Canvas
from spot_relay_client.cli.live_view import LiveView
from spot_relay_client.cli.plain_characters import replace_what_cannot_be_printed
from spot_relay_client.models import Run
from tests.unit.client.watched import draw_watched
from tests.unit.pages.tales import TALES, document_of

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


def test_no_color_leaves_the_characters_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    document, now = document_of(TALES[4])
    view = LiveView(Run.from_document(document), [], Clock(now))
    drawn = {}
    for no_color in ("", "1"):
        monkeypatch.setenv("NO_COLOR", no_color)
        output = Output()
        console = Console(file=output, force_terminal=True, color_system="truecolor", width=100, height=30)
        with Canvas(console) as canvas:
            canvas.draw(view)
        drawn[no_color] = "".join(output.pieces)
    coloured = re.compile(r"\x1b\[[\d;]*(?:3[0-7]|9[0-7]|38;)[\d;]*m")
    assert coloured.search(drawn[""])
    assert not coloured.search(drawn["1"])
    assert {"\N{FULL BLOCK}", "\N{MEDIUM SHADE}"} <= set(drawn["1"])


def test_a_list_is_refreshed_on_a_terminal_only() -> None:
    called = CliRunner().invoke(cli, ["ls", "--watch"])
    assert called.exit_code == 2
    assert "--watch needs a terminal" in called.output


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
