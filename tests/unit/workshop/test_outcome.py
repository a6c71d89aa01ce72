"""What became of the rows: what counts as a success, and how it is shown."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from workshop.outcome import EndpointOutcome, Outcome, RowOutcome
from workshop.rows import ROWS, Client

ROW = next(row for row in ROWS if row.run == "xgboost-mnist")
GOOD = RowOutcome(
    ROW,
    Client.BOTO3,
    "Completed",
    seconds=43.71,
    run="xgboost-mnist",
    attempts=2,
    interruptions=2,
    resumed_from="xgboost-checkpoint.6",
    real_training=True,
    metrics=(1.9, 1.2, 0.8),
    saved_percent=71.4,
    model="s3://bucket/model.tar.gz",
)
ANSWERED = EndpointOutcome(answered=True, reason="It forecast 48 hours.")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({}, None),
        ({"error": "The program ended with 1."}, "The program ended with 1."),
        ({"status": "Failed"}, "The run is Failed."),
        ({"real_training": False}, "Nothing was trained."),
        ({"interruptions": 0}, "The run was not interrupted."),
        ({"metrics": (0.8, 0.8)}, "validation-mlogloss did not improve: from 0.8 to 0.8."),
    ],
)
def test_a_row_is_good_if_it_trained_survived_and_improved(change: dict[str, object], complaint: str | None) -> None:
    row = replace(GOOD, **change)  # type: ignore[arg-type]
    assert row.complaint == complaint
    assert Outcome([GOOD, row], ANSWERED, 90).succeeded is (complaint is None)


def test_without_rows_nothing_has_succeeded() -> None:
    assert not Outcome([], ANSWERED, 1).succeeded


@pytest.mark.parametrize("endpoint", [None, ANSWERED])
def test_without_deepar_no_endpoint_is_needed(endpoint: EndpointOutcome | None) -> None:
    assert Outcome([GOOD], endpoint, 90).succeeded


def test_an_endpoint_that_did_not_answer_is_no_success() -> None:
    silent = EndpointOutcome(answered=False, reason="Its deployment is Failed.")
    outcome = Outcome([GOOD], silent, 90)
    assert not outcome.succeeded
    assert outcome.to_json()["endpoint_reason"] == "Its deployment is Failed."


def test_the_json_has_what_was_asked_for() -> None:
    document = Outcome([GOOD], ANSWERED, 90).to_json()
    assert document["endpoint_answered"] is True
    assert document["endpoint_reason"] == "It forecast 48 hours."
    (row,) = document["rows"]
    assert row == {
        "workload": "XGBoost, one instance",
        "client": "boto3",
        "run": "xgboost-mnist",
        "status": "Completed",
        "attempts": 2,
        "interruptions": 2,
        "resumed_from": "xgboost-checkpoint.6",
        "real_training": True,
        "metric": "validation-mlogloss",
        "metric_first": 1.9,
        "metric_last": 0.8,
        "saved_percent": 71.4,
        "seconds": 43.7,
        "model": "s3://bucket/model.tar.gz",
        "complaint": None,
    }


def test_the_table_has_a_line_for_each_row() -> None:
    console = Console(width=160, record=True, file=io.StringIO())
    lost = RowOutcome(ROW, Client.SPEC, "not submitted", 0, error="The stack is gone.")
    console.print(Outcome([GOOD, lost], ANSWERED, 90).draw())
    text = console.export_text()
    assert "XGBoost, one instance" in text
    assert "xgboost-checkpoint.6" in text
    assert "71 %" in text
    assert "not submitted" in text
