"""Each row's spec and scripts describe the same job, and its data has the format that its algorithm reads."""

from __future__ import annotations

import ast
import json
import math
from typing import Any

import pytest

from examples.images.deepar.series import Series
from examples.images.object_detection.boxes import read_objects
from examples.images.toolkit.recordio import read_records
from spot_relay_client.spec_file import read_spec
from workshop.rows import EXAMPLES, ROWS, Better, Client, Metric, Row

SCRIPTS = [(row, client, script) for row in ROWS for client, script in row.scripts.items()]


def spec_of(row: Row) -> dict[str, Any]:
    return read_spec((EXAMPLES / row.spec).read_text("utf-8"), row.spec)


def constants(script: str) -> set[Any]:
    """Return all values that a script writes out."""
    tree = ast.parse((EXAMPLES / "scripts" / script).read_text("utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}


def hyperparameters(script: str) -> dict[str, str]:
    """Return the hyperparameters that a script passes, as text."""
    tree = ast.parse((EXAMPLES / "scripts" / script).read_text("utf-8"))
    for node in ast.walk(tree):
        match node:
            case ast.keyword(arg="HyperParameters" | "hyperparameters", value=ast.Dict() as written):
                return {str(name): str(value) for name, value in ast.literal_eval(written).items()}
            case ast.Call(func=ast.Attribute(attr="set_hyperparameters"), keywords=keywords):
                return {str(word.arg): str(ast.literal_eval(word.value)) for word in keywords}
    raise AssertionError(f"{script} passes no hyperparameters")


def test_the_workshops_seven_jobs_are_there() -> None:
    assert len(ROWS) == len({row.run for row in ROWS}) == 7
    assert {row.notebook for row in ROWS} == {Client.BOTO3, Client.SDK_V2}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.run)
def test_a_row_has_a_spec_of_its_name_and_the_script_of_its_notebook(row: Row) -> None:
    assert spec_of(row)["name"] == row.run
    assert row.notebook in row.scripts


@pytest.mark.parametrize(("row", "client", "script"), SCRIPTS, ids=[script for *_, script in SCRIPTS])
def test_a_script_asks_for_the_job_of_the_spec(row: Row, client: Client, script: str) -> None:
    job = spec_of(row)["training_job"]
    expected = {name: float(value) if _is_number(value) else value for name, value in job["HyperParameters"].items()}
    given = {name: float(value) if _is_number(value) else value for name, value in hyperparameters(script).items()}
    assert given == expected
    resources, limits = job["ResourceConfig"], job["StoppingCondition"]
    asked = {resources["InstanceType"], resources["InstanceCount"], *limits.values()}
    assert asked <= constants(script), client


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.run)
def test_a_row_uses_the_client_that_is_wanted_if_it_has_it(row: Row) -> None:
    assert row.client(None) is row.notebook
    assert row.client(Client.SPEC) is Client.SPEC
    assert row.client(Client.SDK_V3) is (Client.SDK_V3 if Client.SDK_V3 in row.scripts else row.notebook)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.run)
def test_a_metric_is_read_from_the_lines_of_its_algorithm(row: Row) -> None:
    lines = {
        "validation-mlogloss": "[3] train-mlogloss:1.5 validation-mlogloss:0.25",
        "validation:mAP": "#quality_metric: host=algo-1, epoch=0, validation mAP <score>=(0.25)",
        "train:loss": "#quality_metric: host=algo-1, epoch=7, train loss <loss>=0.25",
        "validation:accuracy": "Epoch[1] Validation-accuracy=0.25",
        "loss": "step = 10, loss = 0.25, accuracy = 0.5",
    }
    log = [f"2026-11-29 18:59:05 02 algo-1  {line}" for line in ("Training from the beginning", lines[row.metric.name])]
    assert row.metric.read(log) == [0.25]


def test_a_metric_improves_in_its_own_direction() -> None:
    pattern = ROWS[0].metric.pattern
    assert Metric("loss", pattern, Better.LOWER).improved(2.0, 1.0)
    assert not Metric("loss", pattern, Better.LOWER).improved(1.0, 1.0)
    assert Metric("accuracy", pattern, Better.HIGHER).improved(1.0, 2.0)


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.run)
def test_the_data_is_where_the_channels_of_the_spec_point_to(row: Row) -> None:
    data = row.data()
    channels = {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"].removeprefix("s3://{stack.bucket}/")
        for channel in spec_of(row)["training_job"]["InputDataConfig"]
        if channel["ChannelName"] != "model"
    }
    for prefix in channels.values():
        assert any(key.startswith(f"{prefix}/") for key in data), prefix
    _check(row, {key: body for key, body in data.items() if key.startswith(next(iter(channels.values())))})


def _check(row: Row, files: dict[str, bytes]) -> None:
    name, body = next(iter(files.items()))
    match row.run.split("-")[0]:
        case "xgboost":
            assert len(files) == (5 if "distributed" in row.run else 1)
            label, first = body.decode().split("\n")[0].split()[:2]
            assert 0 <= int(label) <= 9
            assert 0 < float(first.partition(":")[2]) <= 1
        case "deepar":
            series = [Series.of(json.loads(line), name) for line in body.splitlines()]
            assert len(series) == 40
            assert not math.isnan(series[0].target.sum())
        case "image":
            assert len(list(read_records(body, name))) == 640
        case "object":
            records = list(read_records(body, name))
            assert len(records) == 192
            count = int.from_bytes(records[0][:4], "little")
            assert len(read_objects((2.0, 5.0, *([1.0] * (count - 2))), 20)[0]) >= 1
        case _:
            assert len(body) % 3073 == 0


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
