"""From notes to figures: calls, units and CPU time by function, what a run takes, and ratios to the floor."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

import bench
from bench.load import command, pacing
from bench.load.figures import (
    FloorFigures,
    LoadFigures,
    Quantiles,
    Window,
    compute_load_figures,
    compute_quantiles,
    compute_usage_per_run,
    count_sagemaker_calls,
)
from bench.load.floor import read_durations
from bench.load.notes import read_notes
from bench.load.plan import Load
from bench.load.processes import BENCH, MINISTACK, SIMULATOR
from bench.load.report import ITEM, NOTHING, Report, build_tables, to_json, write
from bench.load.tick import Table, Tick, build_ended_item, build_open_item, read_queued, split_into_batches
from simulator.world.scenario import AWS_RATES, parse_scenario
from tests.bench.noted import call, decided, invocation

if TYPE_CHECKING:
    from bench.load.pacing import PacingFigures

FUNCTIONS = {"submit": "stack-Submit", "observe": "stack-Observe"}
SUBMIT, OBSERVE = FUNCTIONS.values()
CREATED = [
    {"operation": "CreateTrainingJob", "job_name": "a-relay-01", "outcome": "ok"},
    {"operation": "CreateTrainingJob", "job_name": "b-relay-01", "outcome": "ok"},
    {"operation": "CreateTrainingJob", "job_name": "b-relay-01", "outcome": "ResourceInUse"},
    {"operation": "DescribeTrainingJob", "job_name": "a-relay-01", "outcome": "ok"},
]
NOTES = [
    invocation(SUBMIT, 100, 102, [(100, None), (100, None)]),
    call(101, SUBMIT, "s3.GetObject"),
    call(101, SUBMIT, "s3.GetObject"),
    call(101, SUBMIT, "dynamodb.TransactWriteItems", write=12.0),
    invocation(OBSERVE, 104, 105, [(103, "a-relay-01"), (104, "b-relay-01")], decided("a", 104), decided("b", 106)),
    call(104, OBSERVE, "dynamodb.GetItem", read=1.5),
    call(104, OBSERVE, "dynamodb.PutItem", write=5.0),
    invocation(OBSERVE, 106, 113, [(105, "a-relay-01"), (105, None)], decided("a", 113)),
    call(107, OBSERVE, "dynamodb.GetItem", read=1.5),
    invocation("floor", 106, 190, [(105, "a-relay-01")]),
]
CPU = {SUBMIT: 0.4, OBSERVE: 0.6, MINISTACK: 5.0, SIMULATOR: 1.0, BENCH: 1.0, "floor": 90.0}


def figures(*later: str) -> LoadFigures:
    window = Window(100.0, read_notes([*NOTES, *later]), CREATED, CPU)
    return compute_load_figures(Load(2, 1), window, FUNCTIONS, most_waiting=9, dead_letters=0)


def paced() -> PacingFigures:
    calls = [
        {"operation": "CreateTrainingJob", "outcome": "ok", "time": 100.5},
        {"operation": "CreateTrainingJob", "outcome": "ThrottlingException", "time": 101.0},
        {"operation": "DescribeTrainingJob", "outcome": "ok", "time": 102.0},
        {"operation": "CreateTrainingJob", "outcome": "ok", "time": 103.0},
        {"operation": "CreateTrainingJob", "outcome": "ResourceInUse", "time": 109.0},
    ]
    return pacing.compute_figures(Window(100.0, read_notes([]), calls, {}), 2, 1.0, failed=0, dead_letters=0)


def test_launches_at_a_limited_rate_are_measured_until_the_last_job_is_created() -> None:
    found = paced()
    assert (found.seconds, found.over_the_rate) == (3.0, 1.5)
    assert (found.calls, found.throttled) == (
        {"CreateTrainingJob": 4, "DescribeTrainingJob": 1},
        {"CreateTrainingJob": 1},
    )
    assert found.throttled_share == 0.25


def test_the_rates_of_the_scenario_are_aws_defaults_times_the_rate() -> None:
    assert parse_scenario(pacing.build_scenario(1.0)).rate_rules.items() <= AWS_RATES.items()
    assert parse_scenario(pacing.build_scenario(4.0)).rate_rules["DescribeTrainingJob"].per_second == 20


def report() -> Report:
    floor = FloorFigures(events_per_second=6.0, calm_seconds=Quantiles(0.5, 1, 1, 50), cpu_ms=50.0)
    few, many = (
        Tick(Table(ended, 50, 5), {"dynamodb.Query": 1, "sqs.SendMessageBatch": 1}, 5, 0.5, 5, seconds)
        for ended, seconds in ((2, 0.02), (1002, 0.03))
    )
    return Report(
        figures(),
        Quantiles(1, 2, 3, 100),
        {NOTHING: floor, ITEM: floor},
        paced(),
        (few, many),
        5000,
        2,
    )


def test_the_figures_of_a_function_are_per_message() -> None:
    observe = figures().observe
    assert (observe.invocations, observe.messages, observe.failed) == (2, 4, 0)
    assert observe.calls == {
        "dynamodb.GetItem": 0.5,
        "dynamodb.PutItem": 0.25,
        "sagemaker.CreateTrainingJob": 0.25,
        "sagemaker.DescribeTrainingJob": 0.25,
    }
    assert observe.total_calls == 1.25
    assert (observe.read_units, observe.write_units) == (0.75, 1.25)
    assert (observe.cpu_ms, observe.invocation_ms) == (150, 4000)


def test_only_the_successful_launch_of_a_first_attempt_is_counted_for_submit() -> None:
    assert figures().submit.calls == {
        "dynamodb.TransactWriteItems": 0.5,
        "s3.GetObject": 1.0,
        "sagemaker.CreateTrainingJob": 1.0,
    }
    by_submit, by_observe = count_sagemaker_calls(CREATED)
    assert by_submit.total() + by_observe.total() == len(CREATED)


def test_speed_is_measured_from_the_first_event_and_draining_from_the_first_upload() -> None:
    found = figures()
    assert (found.submitted_seconds, found.drained_seconds) == (2, 13)
    assert (found.state_changes, found.due_messages) == (3, 1)
    assert found.events_per_second == 3 / 10
    assert (found.decided_seconds.of, found.decided_seconds.p50) == (3, 2)


def test_outboxes_cleared_after_the_last_event_affect_neither_speed_nor_draining() -> None:
    found, known = figures(invocation(OBSERVE, 200, 201, [(199, None)])), figures()
    assert found.due_messages == known.due_messages + 1
    assert (found.drained_seconds, found.events_per_second) == (known.drained_seconds, known.events_per_second)


def test_the_cpu_time_of_the_floor_is_not_part_of_the_shares() -> None:
    share = figures().cpu_share
    assert next(iter(share)) == MINISTACK
    assert share == pytest.approx({MINISTACK: 0.625, SIMULATOR: 0.125, BENCH: 0.125, "observe": 0.075, "submit": 0.05})


def test_the_usage_per_run_is_that_of_both_functions_for_all_its_messages() -> None:
    taken = compute_usage_per_run(figures())
    assert taken["state changes"] == 1.5
    assert taken["Lambda invocations"] == 1.5
    assert taken["Lambda ms, here"] == 5000
    assert taken["Lambda CPU ms, here"] == 500
    assert (taken["DynamoDB read units"], taken["DynamoDB write units"]) == (1.5, 8.5)
    assert taken["SQS requests"] == 3 + 2 * 1.5
    assert taken["s3.GetObject requests"] == 1
    assert taken["SageMaker requests"] == 2


def test_quantiles_cover_all_delays() -> None:
    assert compute_quantiles([float(number) for number in range(101)]) == Quantiles(50, 95, 99, 101)


def test_a_ratio_above_one_means_slower_or_more_expensive_than_the_floor() -> None:
    ratios = report().compute_ratios()
    assert ratios["time an event in a burst, over nothing"] == pytest.approx(20)
    assert ratios["time from event to decision when calm (p50), over nothing"] == 2
    assert ratios["CPU time an event, over one item read and written"] == 3
    assert ratios["tick's time, with ended runs over without"] == pytest.approx(1.5)


def test_the_json_document_has_all_figures_and_the_tables_show_the_main_ones(tmp_path: Path) -> None:
    path = write(report(), tmp_path / "new")
    found = json.loads(path.read_text())
    assert found["load"]["events_per_second"] == 0.3
    assert found["ratios"] == pytest.approx(report().compute_ratios())
    assert found["per_run"]["SQS requests"] == 6
    shown = io.StringIO()
    Console(width=120, file=shown).print(*build_tables(report()))
    for text in (
        "runs, state changes, cores",
        "2, 3, 2",
        "observe: total",
        "5 read in 1 pages",
        "events per second",
        "1002 ended, 50 open",
    ):
        assert text in shown.getvalue()


def test_the_keys_of_the_json_document_are_explained_in_the_readme() -> None:
    readme = Path(bench.__file__).with_name("README.md").read_text("utf-8").split("## The load\n")[1]
    explained = set(re.findall(r"`([a-z_0-9]+)`", readme))
    shown = json.loads(to_json(report()))
    assert set(shown) <= explained
    for part in ("load", "calm"):
        assert set(shown[part]) <= explained
    assert set(shown["load"]["observe"]) <= explained


def test_the_duration_of_the_floor_is_read_from_its_log() -> None:
    note = invocation("floor", 1, 9, [(1.0, None), (2.0, None)], '{"done": 3.5}', "noise", '{"done": 4.0}')
    (one,) = read_notes([note]).invocations
    assert read_durations(one) == (2.5, 2.0)


def test_runs_for_the_tick_are_built_from_a_stored_one() -> None:
    stored: dict[str, Any] = {
        "id": {"S": "load-00000"},
        "status": {"S": "Completed"},
        "created": {"S": "2026-01-01T00:00:00.000000Z#load-00000"},
        "document": {"S": "{…}"},
        "expires_at": {"N": "1"},
    }
    opened = build_open_item(stored, "open-1", datetime(2026, 1, 2, tzinfo=UTC))
    assert opened == {
        "id": {"S": "open-1"},
        "status": {"S": "InProgress"},
        "created": {"S": "2026-01-01T00:00:00.000000Z#open-1"},
        "document": {"S": "{…}"},
        "open": {"S": "open"},
        "check_at": {"S": "2026-01-02T00:00:00.000000Z"},
    }
    ended = build_ended_item(stored, "ended-1")
    assert ended == stored | {
        "id": {"S": "ended-1"},
        "created": {"S": "2026-01-01T00:00:00.000000Z#ended-1"},
        "document": {"S": "{}"},
    }


def test_the_number_of_queued_runs_is_read_from_the_log_of_the_tick() -> None:
    assert read_queued('{"level":"INFO","message":"due runs are queued","queued":33}\nnoise') == 33


def test_items_are_split_into_batches_and_the_last_may_be_smaller() -> None:
    items = [{"n": number} for number in range(7)]
    assert [len(batch) for batch in split_into_batches(items, 3)] == [3, 3, 1]
    assert list(split_into_batches([], 3)) == []


def test_a_load_that_cannot_be_divided_is_refused_before_anything_is_started(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command.main(["--runs", "1000", "--events", "1500"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "Use EVENTS=10000." in err


@pytest.mark.parametrize("wrong", [["--runs", "0"], ["--events", "-1"], ["--ended", "many"]])
def test_an_option_that_is_not_a_whole_number_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.parse_options(wrong)
    assert "is not a whole number above 0" in capsys.readouterr().err
