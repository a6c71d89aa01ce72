"""Workers start with layers that were unpacked once."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from embedded.layers import FOLDERS, Layers

ARNS = ["arn:aws:lambda:us-east-1:000000000000:layer:core:1", "arn:aws:lambda:us-east-1:000000000000:layer:core:2"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The layers that were read; they are unpacked in a folder of the test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return []


def layers(asked: list[str]) -> Layers:
    """Two layers with a module that has its layer's ARN in it."""

    def read(arn: str) -> bytes | None:
        asked.append(arn)
        packed = BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("python/own.py", arn)
        return packed.getvalue() if arn in ARNS else None

    return Layers(read)


def test_all_workers_look_for_what_a_layer_holds_in_the_same_folder(asked: list[str]) -> None:
    kept = {"Layers": [{"Arn": arn} for arn in ARNS], "Environment": {"Variables": {"ROLE": "submit"}}}
    seen: list[dict[str, Any]] = []
    start = layers(asked).lend(lambda worker: seen.append(worker.config))
    for _ in range(2):
        worker = SimpleNamespace(config=kept)
        start(worker)
        assert worker.config is kept
    first, second = seen
    assert first == second
    assert first["Layers"] == []
    variables = first["Environment"]["Variables"]
    assert variables["ROLE"] == "submit"
    assert [Path(folder, "python", "own.py").read_text() for folder in variables[FOLDERS].split(":")] == ARNS
    assert asked == ARNS


def test_a_worker_has_its_configuration_back_although_it_does_not_start(asked: list[str]) -> None:
    def fail(_: Any) -> None:
        raise OSError("no memory")

    kept: dict[str, Any] = {"Layers": []}
    worker = SimpleNamespace(config=kept)
    with pytest.raises(OSError, match="no memory"):
        layers(asked).lend(fail)(worker)
    assert worker.config is kept


def test_a_function_whose_layer_is_gone_does_not_start_without_it(asked: list[str]) -> None:
    with pytest.raises(RuntimeError, match="There is no layer gone"):
        layers(asked).unpack("gone")
