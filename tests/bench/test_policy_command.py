"""The command ``python -m bench.policy``: what it prints where, what it writes, and how it refuses."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import bench
from bench.policy import command
from bench.policy.arms import BASELINE, HOUR, ON_DEMAND, Arm, Outcome, Task
from bench.policy.grid import Grid, measure
from bench.policy.report import STAND_IN, find_broken_promises
from bench.policy.statistics import compute_rows
from bench.policy.traces import Trace
from bench.policy.visible import GREEDY, OURS

README = Path(bench.__file__).with_name("README.md")
ARMS = [
    "on-demand",
    "sagemaker",
    "relaunch",
    "greedy",
    "uniform-progress",
    "ours-blind",
    "ours",
    "uniform-progress-visible",
    "ours-visible",
    "omniscient",
]
FEW = (ON_DEMAND, replace(GREEDY, name=BASELINE), OURS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two short traces of two formats."""
    traces = tmp_path / "some-zones"
    traces.mkdir()
    days = [f"{day * 86_400},0\n{day * 86_400 + 9_000},1\n" for day in range(6)]
    (traces / "a.csv").write_text("start_s,available\n" + "".join(days) + "518400,\n")
    (traces / "b.json").write_text(json.dumps({"metadata": {"gap_seconds": 3600}, "data": [1, 1, 0] * 48}))
    return traces


@pytest.fixture
def _few_arms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "ARMS", FEW)


def _documented(heading: str) -> list[str]:
    """List the names in the first column of the README's table under a heading."""
    section = README.read_text(encoding="utf-8").split(f"### {heading}\n")[1].split("\n### ")[0]
    rows = re.findall(r"^\| (`[^|]+`) \|", section, flags=re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def _run(folder: Path, *options: str) -> int:
    return command.main(
        [str(folder), "--out", str(folder.parent / "out"), "--starts", "2", "--processes", "1", *options]
    )


def test_every_arm_has_a_row_with_the_documented_keys_at_each_point_and_keeps_its_promise(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.csv").unlink()
    assert _run(folder, "--json", "--starts", "1") == 0
    printed: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert {tuple(row) for row in printed} == {tuple(_documented("The figures"))}
    assert list(dict.fromkeys(row["arm"] for row in printed)) == ARMS == _documented("What is replayed")
    assert len(printed) == 5 * 3 * 4 * len(ARMS)
    assert {(row["trace_set"], row["starts"]) for row in printed} == {("some-zones", 1)}
    assert {row["arm"] for row in printed if row["missed_deadlines"]} <= {"sagemaker", "relaunch"}


@pytest.mark.usefixtures("_few_arms")
def test_the_printed_figures_are_also_written_together_with_a_plot(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(folder, "--json")
    out = folder.parent / "out"
    printed = capsys.readouterr().out
    assert json.loads((out / "policy.json").read_text()) == json.loads(printed)
    assert all(row["ci95"][0] <= row["cost_ratio_mean"] <= row["ci95"][1] for row in json.loads(printed))
    assert (out / "policy.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (out / "policy.svg").read_text()


@pytest.mark.usefixtures("_few_arms")
def test_the_table_shows_every_arm_and_the_source_of_the_traces(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(folder) == 0
    printed = capsys.readouterr()
    table = " ".join(printed.out.split())
    assert STAND_IN in table
    assert all(arm.legend.split(" (")[0] in table for arm in FEW)
    assert "omniscient optimum" in table
    assert "policy.json" in printed.err.replace("\n", "")


@pytest.mark.usefixtures("_few_arms")
def test_the_same_seed_yields_the_same_figures(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = []
    (folder / "a.csv").unlink()
    for seed in ("7", "7", "8"):
        _run(folder, "--json", "--seed", seed, "--starts", "1")
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] != outputs[2]


@pytest.mark.usefixtures("_few_arms")
def test_an_unreadable_trace_is_named_and_nothing_is_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "c.json").write_text("{}")
    assert _run(folder) == 1
    printed = capsys.readouterr()
    assert not printed.out
    assert "c.json" in printed.err
    assert not (folder.parent / "out").exists()


@pytest.mark.usefixtures("_few_arms")
def test_ambiguous_and_short_traces_cause_a_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = {"metadata": {"gap_seconds": 3600, "price_info": {}}, "data": [1, 0] * 24}
    (folder / "c.json").write_text(json.dumps(document))
    _run(folder, "--json")
    remarks = capsys.readouterr().err
    assert "c: Read with 1 = available" in remarks
    assert "c: 48.0 h is shorter" in remarks
    assert "a: " not in remarks


@pytest.mark.parametrize("option", ["--starts", "--nodes", "--processes"])
def test_a_number_that_is_not_positive_is_refused(
    folder: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        _run(folder, option, "0")
    assert "'0' is not a whole number above 0" in capsys.readouterr().err


def _late(task: Task) -> Outcome:
    return Outcome(0.0, 50.0, 0.0, 48.0, 0.0, task.horizon_s + HOUR, 0, 1)


def test_an_arm_that_breaks_its_promise_is_reported() -> None:
    arms = (Arm("careless", "careless arm", _late, has_safety_net=False), Arm("liar", "lying arm", _late))
    grid = Grid(starts=1)
    measured = measure((Trace("a", ((0.0, 9e5),), 9e5),), arms, grid)
    assert find_broken_promises(compute_rows(measured, "set"), measured) == ("lying arm",)
