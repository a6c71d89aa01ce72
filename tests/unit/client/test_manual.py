"""The documentation of the command is what the command says about itself."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from manual.page import build_page
from manual.recordings import record_all
from spot_relay_client.cli import COMMANDS, cli
from spot_relay_client.cli.exits import MEANINGS, ExitCode

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_current() -> None:
    assert (DOCS / "command.md").read_text("utf-8") == build_page(), "run make command-docs"


def test_the_recordings_are_current() -> None:
    for name, image in record_all().items():
        assert (DOCS / "images" / f"{name}.svg").read_text("utf-8") == image, "run make command-docs"


def test_a_recording_needs_nothing_from_the_network() -> None:
    for image in record_all().values():
        assert "@font-face" not in image
        assert "src=" not in image


def test_every_exit_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(ExitCode)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_shows_something_has_json(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    if isinstance(command, click.Group) or name in {"completion", "exec", "proxy"}:
        return
    assert "as_json" in {parameter.name for parameter in command.params}
    assert "--json" in (command.help or "")
