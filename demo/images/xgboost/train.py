"""Train XGBoost as a SageMaker training container does, and resume from checkpoints bit for bit.

The folders are SageMaker's, under ``SAGEMAKER_BASE_DIR`` (default ``/opt/ml``):

- ``input/config/hyperparameters.json``: all values are strings. Those in ``Schedule`` are for this script,
  the others are passed to XGBoost;
- ``input/data/train`` and optionally ``input/data/validation``: CSV with the label first and no header,
  or libsvm, according to the channel's ContentType;
- ``SM_CHECKPOINT_DIR``: ``xgboost-checkpoint.N`` holds the model after N rounds;
- ``SM_MODEL_DIR``: ``xgboost-model`` at the end.

A round depends only on the data, the model so far and the number of the round: each starts with a new booster and
its own seed. That costs one prediction over the training set per round. In return, a training that was interrupted
anywhere ends with the same model as one that never was, even with row and column sampling.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xgboost as xgb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import FrameType

CHECKPOINT_PREFIX = "xgboost-checkpoint."
MODEL_FILE = "xgboost-model"
TERMINATED = 128 + signal.SIGTERM


@dataclass(frozen=True)
class Folders:
    """The folders that a training reads from and writes to."""

    base: Path
    checkpoints: Path
    model: Path

    @staticmethod
    def of(environment: Mapping[str, str]) -> Folders:
        """Read the folders from a container's environment."""
        base = Path(environment.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
        return Folders(
            base=base,
            checkpoints=Path(environment.get("SM_CHECKPOINT_DIR", base / "checkpoints")),
            model=Path(environment.get("SM_MODEL_DIR", base / "model")),
        )

    @property
    def config(self) -> Path:
        """The folder of hyperparameters and channel descriptions."""
        return self.base / "input" / "config"

    def channel(self, name: str) -> Path:
        """Return the folder of an input channel, which may not exist."""
        return self.base / "input" / "data" / name


@dataclass(frozen=True)
class Schedule:
    """This script's own hyperparameters.

    ``seconds_per_round`` is a pause after each round, in place of the work of a larger problem, so that a small one
    takes long enough to be watched and interrupted. It does not change the model.
    """

    num_round: int = 100
    checkpoint_every: int = 5
    keep_checkpoints: int = 3
    seconds_per_round: float = 0.0


@dataclass(frozen=True)
class Round:
    """A finished round: its number, counted from 1, its metrics, and the model so far."""

    number: int
    metrics: str
    model: bytes


def split_hyperparameters(given: Mapping[str, str]) -> tuple[Schedule, dict[str, str]]:
    """Split the hyperparameters into those of this script and those of XGBoost."""
    params = {"nthread": "1", "tree_method": "hist", "seed": "0", **given}
    own: dict[str, Any] = {}
    for field in fields(Schedule):
        if field.name in params:
            own[field.name] = (float if field.name == "seconds_per_round" else int)(params.pop(field.name))
    return Schedule(**own), params


def load_channel(folder: Path, content_type: str = "") -> xgb.DMatrix | None:
    """Read all files of a channel, sorted by name; return None if the channel does not exist."""
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    if not files:
        return None
    kinds = {content_type.split(";")[0].split("/")[-1] or path.suffix.lstrip(".") for path in files}
    if kinds <= {"csv"}:
        rows = np.vstack([np.loadtxt(path, delimiter=",", ndmin=2, dtype=np.float64) for path in files])
        return xgb.DMatrix(rows[:, 1:], label=rows[:, 0])
    if kinds <= {"libsvm", "x-libsvm", "svm"}:
        return _read_libsvm(line for path in files for line in path.read_text("utf-8").splitlines())
    raise ValueError(f"The channel {folder.name} must be text/csv or text/libsvm, not {', '.join(sorted(kinds))}")


def _read_libsvm(lines: Iterable[str]) -> xgb.DMatrix:
    """Read ``label index:value …`` lines; values that a line does not list are missing."""
    samples = [line.split("#")[0].split() for line in lines if line.split("#")[0].strip()]
    pairs = [[(int(i), float(v)) for i, _, v in (token.partition(":") for token in s[1:])] for s in samples]
    width = 1 + max((index for row in pairs for index, _ in row), default=0)
    values = np.full((len(samples), width), np.nan)
    for number, row in enumerate(pairs):
        for index, value in row:
            values[number, index] = value
    return xgb.DMatrix(values, label=np.array([float(sample[0]) for sample in samples]))


def train(
    params: Mapping[str, str],
    num_round: int,
    data: Mapping[str, xgb.DMatrix],
    *,
    model: bytes | None = None,
    first: int = 1,
    after_round: Callable[[Round], bool] = lambda _: True,
) -> bytes | None:
    """Train the rounds from ``first`` to ``num_round`` on top of ``model``.

    ``after_round`` returns whether to continue. Returns the model, or ``model`` itself if no rounds are left.
    """
    for number in range(first, num_round + 1):
        seeded = {**params, "seed": str(int(params.get("seed", "0")) + number)}
        booster = xgb.Booster(seeded, list(data.values()), model_file=bytearray(model) if model else None)
        booster.update(data["train"], number - 1)
        metrics = booster.eval_set([(matrix, name) for name, matrix in data.items()], number)
        model = bytes(booster.save_raw("ubj"))
        if not after_round(Round(number, metrics.split("\t", 1)[1].replace("\t", " "), model)):
            break
    return model


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that others see either all of it or nothing.

    The folder may be synchronised to S3 at any moment, so the file is written outside of it, and moved when complete.
    """
    unfinished = path.parent.parent / f".unfinished-{path.parent.name}-{path.name}"
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


@dataclass(frozen=True)
class Checkpoints:
    """The models after N rounds, stored in one folder as ``xgboost-checkpoint.N``."""

    folder: Path
    keep: int

    def newest(self) -> tuple[int, bytes] | None:
        """Return the rounds and the model of the newest checkpoint that can be loaded."""
        for rounds in sorted(self._list_rounds(), reverse=True):
            content = self._path(rounds).read_bytes()
            try:
                trained = xgb.Booster(model_file=bytearray(content)).num_boosted_rounds() if content else 0
            except xgb.core.XGBoostError:
                trained = 0
            if trained == rounds:
                return rounds, content
            print(f"Ignoring {self._path(rounds).name}: it is not a complete model with {rounds} rounds")
        return None

    def save(self, rounds: int, model: bytes) -> None:
        """Save the model after ``rounds`` rounds, and delete all but the newest ``keep`` checkpoints."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path(rounds), model)
        for old in sorted(self._list_rounds(), reverse=True)[self.keep :]:
            self._path(old).unlink()

    def _path(self, rounds: int) -> Path:
        return self.folder / f"{CHECKPOINT_PREFIX}{rounds}"

    def _list_rounds(self) -> list[int]:
        suffixes = (path.name.removeprefix(CHECKPOINT_PREFIX) for path in self.folder.glob(f"{CHECKPOINT_PREFIX}*"))
        return [int(suffix) for suffix in suffixes if suffix.isdecimal()]


def run(folders: Folders, stop: threading.Event) -> bool:
    """Train until all rounds are done or ``stop`` is set, and return whether all are done."""
    given = folders.config / "hyperparameters.json"
    schedule, params = split_hyperparameters(json.loads(given.read_text("utf-8")) if given.exists() else {})
    if schedule.num_round < 1:
        raise ValueError(f"num_round must be at least 1, not {schedule.num_round}")
    checkpoints = Checkpoints(folders.checkpoints, schedule.keep_checkpoints)
    data = _load_channels(folders)
    resumed_from, model = checkpoints.newest() or (0, None)
    print(f"Resuming from {CHECKPOINT_PREFIX}{resumed_from}" if resumed_from else "Training from the beginning")
    done = resumed_from

    def after_round(finished: Round) -> bool:
        nonlocal done
        done = finished.number
        print(f"[{finished.number}] {finished.metrics}")
        due = done % schedule.checkpoint_every == 0 or done == schedule.num_round
        if due:
            checkpoints.save(done, finished.model)
        stopping = stop.wait(schedule.seconds_per_round)
        if stopping and not due:
            checkpoints.save(done, finished.model)
        return not stopping

    if not stop.is_set():
        model = train(params, schedule.num_round, data, model=model, first=resumed_from + 1, after_round=after_round)
    if model is None or done < schedule.num_round:
        print(f"Stopped after round {done} of {schedule.num_round}")
        return False
    folders.model.mkdir(parents=True, exist_ok=True)
    write_atomically(folders.model / MODEL_FILE, model)
    print(f"Trained {done - resumed_from} of {schedule.num_round} rounds here; the model is complete")
    return True


def _load_channels(folders: Folders) -> dict[str, xgb.DMatrix]:
    """Read the channel train, which is required, and the optional channel validation."""
    described = folders.config / "inputdataconfig.json"
    config: dict[str, dict[str, str]] = json.loads(described.read_text("utf-8")) if described.exists() else {}
    loaded = {
        name: load_channel(folders.channel(name), config.get(name, {}).get("ContentType", ""))
        for name in ("train", "validation")
    }
    data = {name: matrix for name, matrix in loaded.items() if matrix is not None}
    if "train" not in data:
        raise ValueError(f"There is no training data in {folders.channel('train')}")
    return data


def main() -> int:
    """Train, and return 0, or 143 if a SIGTERM ended the training after a last checkpoint."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    stop = threading.Event()

    def terminate(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, terminate)
    folders = Folders.of(os.environ)
    try:
        return 0 if run(folders, stop) else TERMINATED
    except Exception as error:
        failure = folders.base / "output" / "failure"  # SageMaker copies this file to the job's FailureReason
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text(f"{type(error).__name__}: {error}", "utf-8")
        raise


if __name__ == "__main__":
    sys.exit(main())
