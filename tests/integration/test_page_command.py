"""The command `spot-relay page` against a scripted stack: it writes the pages that are tested by themselves."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from spot_relay_client.cli import cli
from tests.integration.scripted_aws import serve_scripted_aws  # noqa: F401 (a fixture)
from tests.unit.client.documents import run_document

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tests.integration.scripted_aws import Answer, ScriptedAws

NAMES = ("churn-1", "churn-2", "other")


@pytest.fixture
def aws(server: ScriptedAws) -> ScriptedAws:
    """A stack with three runs, of which one has completed."""

    def document(name: str) -> dict[str, Any]:
        return run_document(run_id=name, status="Completed" if name == "other" else "InProgress")

    def answer(_method: str, path: str) -> Answer:
        name = path.rpartition("/")[2]
        if name in NAMES:
            return 200, document(name)
        if name.startswith("runs"):
            wanted = "status=Completed" in path
            summaries = [{**document(one), "attempts": 1} for one in NAMES if not wanted or one == "other"]
            return 200, {"runs": summaries, "next_token": None}
        return 404, {"code": "NoSuchRun", "message": f"There is no run {name}.", "details": []}

    server.answer = answer
    return server


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["page", *arguments])


def names(page: str) -> list[str]:
    return re.findall(r'<th scope="row">([^<]+)', page)


def test_the_page_of_a_run_is_written_to_a_file_as_a_whole(aws: ScriptedAws, tmp_path: Path) -> None:
    file = tmp_path / "run.html"
    called = call("churn-1", "-o", str(file))
    assert (called.exit_code, called.output) == (0, f"Wrote {file}. Open it in a browser.\n")
    page = file.read_text("utf-8")
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert page.endswith("</html>\n")
    assert "<h1>churn-1</h1>" in page
    told = json.loads(call("churn-1", "-o", str(file), "--json").output)
    assert told == {"file": str(file), "bytes": len(page.encode())}


def test_without_a_file_the_page_is_the_output(aws: ScriptedAws) -> None:
    assert "<h1>churn-1</h1>" in call("churn-1").stdout
    assert re.search(r"As of \d{4}-\d\d-\d\d \d\d:\d\d UTC\.", call("churn-1", "--utc").stdout)


def test_without_a_run_it_is_the_page_of_all_of_them(aws: ScriptedAws) -> None:
    assert names(call().stdout) == list(NAMES)
    assert names(call("--sort", "name").stdout) == ["churn-1", "churn-2", "other"]
    assert names(call("--sort", "name", "--reverse").stdout) == ["other", "churn-2", "churn-1"]
    assert names(call("--name", "churn").stdout) == ["churn-1", "churn-2"]
    assert names(call("--status", "completed").stdout) == ["other"]
    assert len(names(call("--limit", "1").stdout)) == 1


def test_what_does_not_go_together_is_refused_with_what_to_do(aws: ScriptedAws) -> None:
    sorted_run = call("churn-1", "--sort", "name")
    assert sorted_run.exit_code == 2
    assert "are for the page of all runs" in sorted_run.output
    json_only = call("churn-1", "--json")
    assert json_only.exit_code == 2
    assert "--json needs --output" in json_only.output


def test_no_file_is_made_for_a_run_that_is_not_there(aws: ScriptedAws, tmp_path: Path) -> None:
    file = tmp_path / "run.html"
    called = call("nobody", "-o", str(file))
    assert called.exit_code == 7
    assert "There is no run nobody." in called.output
    assert not file.exists()


def test_a_file_that_cannot_be_written_is_named(aws: ScriptedAws, tmp_path: Path) -> None:
    called = call("churn-1", "-o", str(tmp_path / "missing" / "run.html"))
    assert called.exit_code == 1
    assert "missing/run.html" in called.output
