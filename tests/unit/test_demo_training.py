"""The demo's training script: it uses SageMaker's folders, and its model does not depend on interruptions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from demo import data
from embedded.patience import give_time
from examples.images.toolkit.container import TERMINATED, Folders
from examples.images.xgboost import train as training
from examples.images.xgboost.train import Checkpoints, Round, read_table, run, train
from tests.thoroughness import share

pytestmark = pytest.mark.slow
SCRIPT = Path(training.__file__)
PARAMS = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "nthread": "1",
    "max_depth": "3",
    "eta": "0.1",
    "subsample": "0.8",
    "colsample_bytree": "0.7",
    "seed": "7",
    "eval_metric": "logloss",
}
ROUNDS = 24


def _matrix(count: int = 300, seed: int = 1) -> xgb.DMatrix:
    rows = data.draw_customers(count, seed)
    return xgb.DMatrix(rows[:, 1:], label=rows[:, 0])


def _predictions(model: bytes | None) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    assert model
    predicted: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = xgb.Booster(model_file=bytearray(model)).predict(
        _matrix(500, seed=2)
    )
    return predicted


def _folders(base: Path, *, train_file: bytes | None = None, **hyperparameters: object) -> Folders:
    """Create the folders of a job, as SageMaker does before it starts the container."""
    folders = Folders.of({"SAGEMAKER_BASE_DIR": str(base)})
    folders.config.mkdir(parents=True, exist_ok=True)
    own = {name: str(value) for name, value in hyperparameters.items()}
    (folders.config / "hyperparameters.json").write_text(json.dumps({**PARAMS, **own}))
    (folders.config / "inputdataconfig.json").write_text(json.dumps({"train": {"ContentType": "text/csv"}}))
    folders.channel("train").mkdir(parents=True, exist_ok=True)
    (folders.channel("train") / "part-0.csv").write_bytes(train_file or data.write_csv(300, seed=1))
    return folders


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def test_a_training_interrupted_after_any_round_ends_with_the_same_model_bit_for_bit() -> None:
    whole = train(PARAMS, ROUNDS, {"train": _matrix()})
    expected = _predictions(whole)
    for cut in share(range(1, ROUNDS)):
        first = train(PARAMS, cut, {"train": _matrix()})
        rest = train(PARAMS, ROUNDS, {"train": _matrix()}, model=first, first=cut + 1)
        assert rest == whole, f"cut after round {cut}"
        assert np.array_equal(_predictions(rest).view(np.int32), expected.view(np.int32)), f"cut after round {cut}"


def test_the_model_does_not_depend_on_the_validation_data() -> None:
    alone = train(PARAMS, 6, {"train": _matrix()})
    assert train(PARAMS, 6, {"train": _matrix(), "validation": _matrix(50, seed=3)}) == alone


def test_each_round_is_reported_with_its_number_and_metrics() -> None:
    told: list[Round] = []

    def tell(finished: Round) -> bool:
        told.append(finished)
        return True

    train(PARAMS, 3, {"train": _matrix(), "validation": _matrix(50, seed=3)}, after_round=tell)
    assert [finished.number for finished in told] == [1, 2, 3]
    assert all("train-logloss:" in finished.metrics and "validation-logloss:" in finished.metrics for finished in told)


def test_a_job_trains_all_rounds_and_writes_its_model_and_its_newest_checkpoints(tmp_path: Path) -> None:
    folders = _folders(tmp_path, num_round=12, checkpoint_every=3, keep_checkpoints=2)
    assert run(folders, threading.Event())
    assert _names(folders.model) == {"xgboost-model"}
    assert _names(folders.checkpoints) == {"xgboost-checkpoint.9", "xgboost-checkpoint.12"}
    model = (folders.model / "xgboost-model").read_bytes()
    assert xgb.Booster(model_file=bytearray(model)).num_boosted_rounds() == 12


def test_a_job_resumes_from_the_newest_complete_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = _folders(tmp_path, num_round=12)
    checkpoints = Checkpoints(folders.checkpoints, keep=9)
    model = train(PARAMS, 4, {"train": _matrix()})
    assert model
    checkpoints.save(4, model)
    (folders.checkpoints / "xgboost-checkpoint.7").write_bytes(model[: len(model) // 2])
    (folders.checkpoints / "xgboost-checkpoint.8").write_bytes(b"")
    (folders.checkpoints / "xgboost-checkpoint.9").write_bytes(model)
    (folders.checkpoints / "xgboost-checkpoint.10.sagemaker-uploading").write_bytes(b"")
    assert run(folders, threading.Event())
    output = capsys.readouterr().out
    assert "Resuming from xgboost-checkpoint.4\n[5] " in output
    assert output.count("Ignoring") == 3
    assert "Trained 8 of 12 rounds here" in output


def test_a_longer_training_with_the_same_checkpoints_trains_only_the_missing_rounds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(_folders(tmp_path, num_round=10), threading.Event())
    capsys.readouterr()
    folders = _folders(tmp_path, num_round=20)
    assert run(folders, threading.Event())
    assert "Trained 10 of 20 rounds here" in capsys.readouterr().out
    expected = train(PARAMS, 20, {"train": _matrix()})
    assert (folders.model / "xgboost-model").read_bytes() == expected


def test_a_job_whose_rounds_are_all_trained_just_writes_its_model(tmp_path: Path) -> None:
    folders = _folders(tmp_path, num_round=5)
    run(folders, threading.Event())
    (folders.model / "xgboost-model").unlink()
    assert run(folders, threading.Event())
    assert _names(folders.model) == {"xgboost-model"}


def test_the_synchronised_folder_never_contains_an_unfinished_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = _folders(tmp_path, num_round=6, checkpoint_every=1)
    seen: set[str] = set()
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        seen.update(_names(folders.checkpoints))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    run(folders, threading.Event())
    assert seen == {f"xgboost-checkpoint.{number}" for number in range(1, 7)}
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".unfinished")] == []


def test_libsvm_and_csv_train_the_same_model(tmp_path: Path) -> None:
    rows = data.draw_customers(200, seed=4)
    lines = ["# customers"]
    lines += [f"{row[0]:g} " + " ".join(f"{i}:{value:g}" for i, value in enumerate(row[1:])) for row in rows]
    (tmp_path / "a.libsvm").write_text("\n".join(lines) + "\n")
    table = read_table([tmp_path / "a.libsvm"])
    matrix = table.widened(table.values.shape[1])
    expected = train(PARAMS, 5, {"train": xgb.DMatrix(rows[:, 1:], label=rows[:, 0])})
    assert train(PARAMS, 5, {"train": matrix}) == expected


def test_a_channel_of_an_unknown_type_is_refused_with_its_name(tmp_path: Path) -> None:
    folders = _folders(tmp_path)
    with pytest.raises(ValueError, match="channel train must be text/csv or text/libsvm, not x-parquet"):
        read_table(folders.files("train"), "application/x-parquet")


def _start(base: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(base), "PYTHONPATH": str(SCRIPT.parents[3])}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@retry(retry=retry_if_result(lambda found: not found), stop=stop_after_delay(give_time(60)), wait=wait_fixed(0.05))
def _has_checkpoint(folders: Folders) -> bool:
    return "xgboost-checkpoint.3" in _names(folders.checkpoints)


def test_after_a_sigterm_the_last_checkpoint_lets_the_next_start_lose_no_round(tmp_path: Path) -> None:
    # More rounds than it comes to, however late the signal is.
    folders = _folders(tmp_path, num_round=100_000, checkpoint_every=3, seconds_per_round=0.2)
    process = _start(tmp_path)
    _has_checkpoint(folders)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=give_time(60))
    assert process.returncode == TERMINATED
    assert _names(folders.model) == set()
    rounds = [int(line[1:].split("]")[0]) for line in output.splitlines() if line.startswith("[")]
    assert f"xgboost-checkpoint.{rounds[-1]}" in _names(folders.checkpoints)

    assert run(_folders(tmp_path, num_round=rounds[-1] + 3), threading.Event())
    expected = train(PARAMS, rounds[-1] + 3, {"train": _matrix()})
    assert (folders.model / "xgboost-model").read_bytes() == expected


def test_a_failure_writes_its_reason_where_sagemaker_reads_it(tmp_path: Path) -> None:
    _folders(tmp_path, objective="no:such")
    process = _start(tmp_path)
    output, _ = process.communicate(timeout=give_time(60))
    assert process.returncode == 1
    assert "Unknown objective function" in (tmp_path / "output" / "failure").read_text()
    assert "Traceback" in output


def test_the_training_set_is_always_the_same_and_has_all_columns() -> None:
    files = data.build_training_set()
    assert files == data.build_training_set()
    assert set(files) == {"train/customers.csv", "validation/customers.csv"}
    rows = np.loadtxt(files["train/customers.csv"].decode().splitlines(), delimiter=",")
    assert rows.shape == (4000, len(data.COLUMNS))
    assert 0.15 < rows[:, 0].mean() < 0.3
