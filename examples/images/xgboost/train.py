"""Train XGBoost as SageMaker's container does, on one host or several, and resume from checkpoints bit for bit.

The folders are SageMaker's (`toolkit.container`):

- ``input/config/hyperparameters.json``: all values are strings. Those in ``Schedule`` are for this script,
  the others are passed to XGBoost;
- ``input/data/train`` and optionally ``input/data/validation``: CSV with the label first and no header,
  or libsvm, according to the channel's ContentType;
- the checkpoint folder: ``xgboost-checkpoint.N`` holds the model after N rounds;
- the model folder: ``xgboost-model`` at the end.

A round depends only on the data, the model so far and the number of the round: each starts with a new booster and
its own seed. That costs one prediction over the training set per round. In return, a training that was interrupted
anywhere ends with the same model as one that never was, even with row and column sampling.

With several hosts, each trains on the files it has, and XGBoost's own collective sums up their histograms. Only the
first host writes checkpoints and the model.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import xgboost as xgb

from examples.images.toolkit.container import Folders, Hosts, run_training, write_atomically
from examples.images.xgboost.cluster import Cluster

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    Matrix = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

CHECKPOINT_PREFIX = "xgboost-checkpoint."
MODEL_FILE = "xgboost-model"
CHANNELS = ("train", "validation")


@dataclass(frozen=True)
class Schedule:
    """This script's own hyperparameters; the first is SageMaker's own, too, and required there.

    ``seconds_per_round`` is a pause after each round, in place of the work of a larger problem, so that a small one
    takes long enough to be watched and interrupted. It does not change the model.
    """

    num_round: int = 100
    checkpoint_every: int = 1
    keep_checkpoints: int = 5
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
    if "silent" in params:  # XGBoost's older name for it, which SageMaker's container still takes
        params["verbosity"] = "0" if params.pop("silent") == "1" else "1"
    own: dict[str, Any] = {}
    for field in fields(Schedule):
        if field.name in params:
            own[field.name] = (float if field.name == "seconds_per_round" else int)(params.pop(field.name))
    return Schedule(**own), params


@dataclass(frozen=True)
class Table:
    """The rows of a channel's files; values that are not listed are missing."""

    labels: Matrix
    values: Matrix

    def widened(self, width: int) -> xgb.DMatrix:
        """Return the rows for XGBoost, with so many columns."""
        missing = np.full((len(self.values), width - self.values.shape[1]), np.nan)
        return xgb.DMatrix(np.hstack([self.values, missing]), label=self.labels)


def read_table(files: Sequence[Path], content_type: str = "") -> Table:
    """Read the files of a channel as its ContentType says, or else as their names do."""
    kinds = {content_type.split(";")[0].split("/")[-1] or path.suffix.lstrip(".") for path in files}
    if kinds <= {"csv"}:
        rows = np.vstack([np.loadtxt(path, delimiter=",", ndmin=2, dtype=np.float64) for path in files])
        return Table(rows[:, 0], rows[:, 1:])
    if kinds <= {"libsvm", "x-libsvm", "svm"}:
        return _read_libsvm(line for path in files for line in path.read_text("utf-8").splitlines())
    folder = files[0].parent.name
    raise ValueError(f"The channel {folder} must be text/csv or text/libsvm, not {', '.join(sorted(kinds))}")


def _read_libsvm(lines: Iterable[str]) -> Table:
    """Read ``label index:value …`` lines."""
    samples = [line.split("#")[0].split() for line in lines if line.split("#")[0].strip()]
    pairs = [[(int(i), float(v)) for i, _, v in (token.partition(":") for token in s[1:])] for s in samples]
    width = 1 + max((index for row in pairs for index, _ in row), default=0)
    values = np.full((len(samples), width), np.nan)
    for number, row in enumerate(pairs):
        for index, value in row:
            values[number, index] = value
    return Table(np.array([float(sample[0]) for sample in samples]), values)


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
    schedule, params = split_hyperparameters(folders.read_config("hyperparameters"))
    if schedule.num_round < 1:
        raise ValueError(f"num_round must be at least 1, not {schedule.num_round}")
    tables = _read_channels(folders)
    with Cluster.joined(Hosts.of(folders), stop) as cluster:
        return _run(folders, stop, schedule, params, tables, cluster)


def _run(
    folders: Folders,
    stop: threading.Event,
    schedule: Schedule,
    params: Mapping[str, str],
    tables: Mapping[str, Table],
    cluster: Cluster,
) -> bool:
    width = cluster.largest(max(table.values.shape[1] for table in tables.values()))
    data = {name: table.widened(width) for name, table in tables.items()}
    checkpoints = Checkpoints(folders.checkpoints, schedule.keep_checkpoints)
    resumed_from, model = cluster.as_on_first(checkpoints.newest() or (0, None))
    print(f"Resuming from {CHECKPOINT_PREFIX}{resumed_from}" if resumed_from else "Training from the beginning")
    done = resumed_from

    def after_round(finished: Round) -> bool:
        nonlocal done
        done = finished.number
        if cluster.is_first:
            print(f"[{finished.number}] {finished.metrics}")
        due = done % schedule.checkpoint_every == 0 or done == schedule.num_round
        if due and cluster.is_first:
            checkpoints.save(done, finished.model)
        # All hosts stop after the same round: none is left waiting for the others.
        stopping = bool(cluster.largest(stop.wait(schedule.seconds_per_round)))
        if stopping and not due and cluster.is_first:
            checkpoints.save(done, finished.model)
        return not stopping

    if not cluster.largest(stop.is_set()):
        model = train(params, schedule.num_round, data, model=model, first=resumed_from + 1, after_round=after_round)
    if model is None or done < schedule.num_round:
        print(f"Stopped after round {done} of {schedule.num_round}")
        return False
    if cluster.is_first:
        folders.model.mkdir(parents=True, exist_ok=True)
        write_atomically(folders.model / MODEL_FILE, model)
    print(f"Trained {done - resumed_from} of {schedule.num_round} rounds here; the model is complete")
    return True


def _read_channels(folders: Folders) -> dict[str, Table]:
    """Read the channel train, which is required, and the optional channel validation."""
    config = folders.read_config("inputdataconfig")
    tables = {
        name: read_table(files, config.get(name, {}).get("ContentType", ""))
        for name in CHANNELS
        if (files := folders.files(name))
    }
    if "train" not in tables:
        raise ValueError(f"There is no training data in {folders.channel('train')}")
    return tables


if __name__ == "__main__":
    sys.exit(run_training(run))
