"""Availability traces: what the files of a folder say, and what is said of files that say nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench.policy.traces import Reading, Trace, TraceError, read_folder

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "start_s,available,spot_price_usd_per_hour\n"


def _sampled(data: list[Any], **metadata: Any) -> str:
    return json.dumps({"metadata": {"gap_seconds": 300, **metadata}, "data": data})


def test_a_row_is_valid_until_the_next_one_and_the_last_only_ends_the_trace(tmp_path: Path) -> None:
    (tmp_path / "us-east-1a.csv").write_text(HEAD + "0,0,1.6\n100,1,1.6\n250,1,1.7\n400.5,0,1.7\n900,,\n")
    assert read_folder(tmp_path) == (Trace("us-east-1a", ((100.0, 400.5),), 900.0),)


def test_availability_that_lasts_to_the_end_ends_with_the_trace(tmp_path: Path) -> None:
    (tmp_path / "zone.csv").write_text(HEAD + "0,1,1\n50,0,1\n70,1,1\n90,,\n")
    assert read_folder(tmp_path)[0].windows == ((0.0, 50.0), (70.0, 90.0))


def test_a_sampled_trace_has_equal_steps_and_a_one_means_available(tmp_path: Path) -> None:
    (tmp_path / "zone.json").write_text(_sampled([1, 1, 0, 0, 1]))
    assert read_folder(tmp_path) == (Trace("zone", ((0.0, 600.0), (1200.0, 1500.0)), 1500.0),)


def test_ones_that_mean_preempted_are_inverted(tmp_path: Path) -> None:
    (tmp_path / "zone.json").write_text(_sampled([1, 1, 0, 0, 1]))
    assert read_folder(tmp_path, Reading(ones="preempted"))[0].windows == ((600.0, 1200.0),)


@pytest.mark.parametrize(("nodes", "windows"), [(1, ((0.0, 900.0),)), (2, ((300.0, 900.0),)), (4, ((600.0, 900.0),))])
def test_spot_is_available_when_enough_nodes_are(
    tmp_path: Path, nodes: int, windows: tuple[tuple[float, float], ...]
) -> None:
    (tmp_path / "zone.json").write_text(_sampled([1, 3, 16, 0]))
    (tmp_path / "zone2.csv").write_text("start_s,nodes\n0,1\n300,3\n600,16\n900,0\n1200,\n")
    assert [trace.windows for trace in read_folder(tmp_path, Reading(nodes=nodes))] == [windows, windows]


def test_traces_in_subfolders_are_read_and_named_after_them(tmp_path: Path) -> None:
    (tmp_path / "2022" / "k80").mkdir(parents=True)
    (tmp_path / "2022" / "k80" / "a.json").write_text(_sampled([1]))
    (tmp_path / "b.csv").write_text(HEAD + "0,1,1\n60,,\n")
    (tmp_path / "README.md").write_text("not a trace")
    assert [trace.name for trace in read_folder(tmp_path)] == ["2022/k80/a", "b"]


def test_a_trace_that_may_mean_the_opposite_is_read_with_a_doubt(tmp_path: Path) -> None:
    (tmp_path / "zone.json").write_text(_sampled([1, 0], price_info={"on_demand_price": 3.06}))
    assert "ONES=preempted" in read_folder(tmp_path)[0].doubt
    assert not read_folder(tmp_path, Reading(ones="available"))[0].doubt


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "time,available\n0,1\n", ("line 1", "time, available", "start_s")),
        ("a.csv", "start_s,price\n0,1\n", ("line 1", "available", "count")),
        ("a.csv", HEAD + "0,1,1\n", ("1 rows", "at least two")),
        ("a.csv", HEAD + "soon,1,1\n60,,\n", ("line 2", "start_s", "'soon'", "number of seconds")),
        ("a.csv", HEAD + "5,1,1\n60,,\n", ("line 2", "start_s is 5", "Expected 0")),
        ("a.csv", HEAD + "0,1,1\n90,0,1\n60,,\n", ("line 4", "60", "sorted by time")),
        ("a.csv", HEAD + "0,1,1\nnan,0,1\n60,,\n", ("line 3", "nan")),
        ("a.csv", HEAD + "0,yes,1\n60,,\n", ("line 2", "available", "'yes'", "0 or 1")),
        ("a.csv", HEAD + "0,2,1\n60,,\n", ("line 2", "available", "'2'", "0 or 1")),
        ("a.csv", HEAD + "0,1,1\n30,,1\n60,,\n", ("line 3", "available", "''", "Only the last row")),
        ("a.csv", "start_s,count\n0,-1\n60,\n", ("line 2", "count", "'-1'", "whole number")),
        ("a.json", "{", ("truncated", "gap_seconds")),
        ("a.json", '{"data": [1]}', ("metadata", "gap_seconds")),
        ("a.json", '{"metadata": {"gap_seconds": 0}, "data": [1]}', ("> 0", "metadata.gap_seconds")),
        ("a.json", _sampled([]), ("data", "length")),
        ("a.json", _sampled([1, "x"]), ("$.data[1]", "str")),
        ("a.json", _sampled([1, -1]), ("data[1] is -1", "number of nodes")),
    ],
)
def test_the_error_for_an_invalid_file_names_the_place_and_what_to_do(
    tmp_path: Path, name: str, text: str, told: tuple[str, ...]
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(TraceError) as refusal:
        read_folder(tmp_path)
    for part in (name, *told):
        assert part in str(refusal.value)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"start_s,available\n0,\xff\n")
    with pytest.raises(TraceError, match=r"a\.csv.*readable text"):
        read_folder(tmp_path)


def test_several_nodes_are_refused_for_a_trace_that_does_not_count_nodes(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(_sampled([1, 0]))
    with pytest.raises(TraceError, match=r"no count is above 1.*4 nodes.*NODES"):
        read_folder(tmp_path, Reading(nodes=4))


def test_counts_cannot_mean_preempted(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(_sampled([1, 4]))
    with pytest.raises(TraceError, match=r"data\[1\] is 4.*ONES"):
        read_folder(tmp_path, Reading(ones="preempted"))


def test_a_folder_without_traces_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"no \.csv or \.json files"):
        read_folder(tmp_path)
    with pytest.raises(TraceError, match="no such folder"):
        read_folder(tmp_path / "nowhere")


def test_windows_are_relative_to_the_start_and_end_after_the_requested_time() -> None:
    trace = Trace("a", ((10.0, 20.0), (30.0, 60.0)), 100.0)
    assert trace.cut_windows(15.0, 30.0) == ((0.0, 5.0), (15.0, 30.0))
    assert trace.cut_windows(20.0, 10.0) == ()


def test_a_trace_repeats_after_its_end_and_joins_adjacent_windows() -> None:
    trace = Trace("a", ((0.0, 20.0), (90.0, 100.0)), 100.0)
    assert trace.cut_windows(50.0, 250.0) == ((40.0, 70.0), (140.0, 170.0), (240.0, 250.0))


def test_availability_is_the_share_of_the_time_with_spot() -> None:
    assert Trace("a", ((0.0, 20.0), (90.0, 100.0)), 100.0).availability == pytest.approx(0.3)
