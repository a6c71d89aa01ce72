"""The command ``python -m demo``: its output and its exit codes."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from demo import __main__ as command
from demo import pages
from demo.comparison import Comparison
from demo.demo_run import DemoError, DeployedStack
from demo.outcome import Outcome, Places
from demo.training_log import read_log
from demo.watcher import Attempt, Step, View
from embedded import deployment
from embedded.daemons import EmbeddedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLACES = Places("s3://specs/status/churn.json", "/aws/sagemaker/TrainingJobs", (), "s3://data/checkpoints/", None)
RUN = {"run_id": "churn", "status": "Completed", "reason": "training completed"}
GOOD = Outcome(View(RUN), Comparison(5000, 0, 0.0), {}, PLACES, 60.0)
STACK = SimpleNamespace(
    client=lambda service: service,
    outputs={"SpecsBucket": "specs", "ApiFunction": "api", "ObserveFunction": "observe"},
    folder="the-folder-of-logs",
    api="the API",
    api_url="http://127.0.0.1:1/v1",
)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replace the embedded stack, and return how it was started and whether it has ended."""
    calls: list[dict[str, Any]] = []

    @contextmanager
    def running(**options: Any) -> Iterator[SimpleNamespace]:
        calls.append({**options, "ended": False})
        try:
            yield STACK
        finally:
            calls[-1]["ended"] = True

    monkeypatch.setattr(deployment, "running", running)
    return calls


ADDRESS = "http://127.0.0.1:4600/key/"


def _replace_demo(monkeypatch: pytest.MonkeyPatch, ends: Callable[[], Outcome]) -> list[DeployedStack]:
    calls: list[DeployedStack] = []

    def run_demo(stack: DeployedStack, *_: object) -> Outcome:
        calls.append(stack)
        return ends()

    @contextmanager
    def serving(_stack: object, *, keep: bool) -> Iterator[str]:
        assert isinstance(keep, bool)
        yield ADDRESS

    monkeypatch.setattr(command, "run_demo", run_demo)
    monkeypatch.setattr(pages, "serving", serving)
    monkeypatch.setattr(pages, "save", lambda _outcome: Path("demo.html"))
    return calls


def _raise(error: BaseException) -> Callable[[], Outcome]:
    def end() -> Outcome:
        raise error

    return end


def test_a_successful_run_exits_with_0_and_shows_the_result(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = _replace_demo(monkeypatch, lambda: GOOD)
    assert command.main([]) == 0
    assert "5000 predictions" in capsys.readouterr().out
    assert (calls[0].specs_bucket, calls[0].functions) == ("specs", ("api", "observe"))
    assert started[0]["ended"]
    assert not started[0]["keep"]


def test_the_page_of_the_run_is_shown_while_it_goes_on_and_kept_as_a_file(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _replace_demo(monkeypatch, lambda: GOOD)
    command.main(["--keep"])
    printed = capsys.readouterr().out
    assert printed.count(f"{ADDRESS}runs/churn\n") == 2, "at the beginning, and among the instructions"
    assert "as a file: demo.html" in printed
    assert started[0]["keep"]


def test_json_prints_only_one_object(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _replace_demo(monkeypatch, lambda: GOOD)
    assert command.main(["--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == GOOD.to_json()
    assert printed.err == ""


def test_svg_saves_an_image_that_loads_nothing_from_the_network(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    launched = datetime(2025, 6, 3, 9, 14, tzinfo=UTC)
    steps = tuple(
        Step("churn-relay-01", status, launched + timedelta(seconds=12 * nth), "")
        for nth, status in enumerate(["Starting", "Training", "Completed"])
    )
    view = View(RUN, (Attempt({"job_name": "churn-relay-01"}, "Completed", steps, read_log([])),))
    _replace_demo(monkeypatch, lambda: replace(GOOD, view=view))
    image = tmp_path / "images" / "run.svg"
    assert command.main(["--json", "--svg", str(image)]) == 0
    drawn = image.read_text("utf-8").replace("&#160;", " ")
    for shown in ("training completed", "+ 12.0 s", "+ 24.0 s", "5000 predictions"):
        assert shown in drawn
    assert "@font-face" not in drawn
    assert started[0]["ended"]


def test_svg_saves_nothing_for_a_run_that_did_not_complete(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _replace_demo(monkeypatch, lambda: replace(GOOD, view=View(RUN | {"status": "Failed"})))
    assert command.main(["--json", "--svg", str(tmp_path / "run.svg")]) == 1
    assert list(tmp_path.iterdir()) == []
    assert started[0]["ended"]


def test_keep_prints_how_to_use_and_how_to_stop_the_stack(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _replace_demo(monkeypatch, lambda: GOOD)
    assert command.main(["--keep", "--json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["status"] == "Completed"
    for expected in ("stack.env", "s3://specs/runs/", STACK.api_url, "-m embedded stop"):
        assert expected in printed.err
    assert started[0]["keep"]


def test_a_run_that_does_not_complete_exits_with_1(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = Outcome(View({"run_id": "churn", "status": "Failed", "reason": "no budget"}), None, {}, PLACES, 60.0)
    _replace_demo(monkeypatch, lambda: failed)
    assert command.main([]) == 1
    assert "There is no model to compare." in capsys.readouterr().out


def test_a_run_that_does_not_end_in_time_exits_with_1_and_names_the_logs(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _replace_demo(monkeypatch, _raise(DemoError("The run did not end within 9 seconds.")))
    assert command.main(["--json"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "did not end within 9 seconds" in printed.err
    assert "the-folder-of-logs" in printed.err
    assert started[0]["ended"]


def test_a_stack_that_does_not_start_exits_with_1_and_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def running(**_: Any) -> None:
        raise EmbeddedError("sam build failed: no space [left]")

    monkeypatch.setattr(deployment, "running", running)
    assert command.main([]) == 1
    assert "sam build failed: no space [left]" in capsys.readouterr().err


def test_ctrl_c_stops_everything_and_exits_with_130(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _replace_demo(monkeypatch, _raise(KeyboardInterrupt()))
    assert command.main([]) == 130
    assert "Everything that was started has been stopped" in capsys.readouterr().err
    assert started[0]["ended"]
