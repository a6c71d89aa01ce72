"""Compare the model that was trained over several attempts with one trained without interruption."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import xgboost as xgb

from examples.images.xgboost import train as training

if TYPE_CHECKING:
    from collections.abc import Mapping

    Predictions = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


@dataclass(frozen=True)
class Comparison:
    """How many predictions were compared, how many differ in any bit, and the largest difference."""

    predictions: int
    differing: int
    largest_difference: float

    @property
    def identical(self) -> bool:
        """Whether there are predictions, and none differs."""
        return self.predictions > 0 and self.differing == 0


def extract_model(archive: bytes) -> bytes:
    """Return the model in a ``model.tar.gz``."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        member = next(item for item in tar.getmembers() if Path(item.name).name == training.MODEL_FILE)
        content = tar.extractfile(member)
        if content is None:
            raise ValueError(f"{member.name} in the model archive is not a file")
        return content.read()


def load_matrices(files: Mapping[str, bytes]) -> dict[str, xgb.DMatrix]:
    """Return the channels, read with the training script's own function; the keys of ``files`` are ``channel/file``."""
    with TemporaryDirectory(prefix="spot-relay-demo-") as folder:
        for key, content in files.items():
            path = Path(folder, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        channels = sorted({key.partition("/")[0] for key in files})
        tables = {channel: training.read_table(sorted(Path(folder, channel).iterdir())) for channel in channels}
    return {channel: table.widened(table.values.shape[1]) for channel, table in tables.items()}


def train_uninterrupted(hyperparameters: Mapping[str, str], data: Mapping[str, xgb.DMatrix]) -> bytes:
    """Train all rounds at once in this process with the training script's own function, without its pauses."""
    schedule, params = training.split_hyperparameters(hyperparameters)
    model = training.train(params, schedule.num_round, data)
    if model is None:
        raise ValueError("the training has no rounds")
    return model


def compare(model: bytes, reference: bytes, data: Mapping[str, xgb.DMatrix]) -> Comparison:
    """Compare the predictions of two models for every row of every channel, bit for bit."""
    actual, expected = _predict(model, data), _predict(reference, data)
    differs = actual.view(np.uint32) != expected.view(np.uint32)
    return Comparison(actual.size, int(differs.sum()), float(np.abs(actual - expected).max(initial=0.0)))


def _predict(model: bytes, data: Mapping[str, xgb.DMatrix]) -> Predictions:
    booster = xgb.Booster({"nthread": 1}, model_file=bytearray(model))
    return np.concatenate([np.asarray(booster.predict(data[name]), dtype=np.float32) for name in sorted(data)])
