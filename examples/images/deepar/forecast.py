"""Forecasts with a trained network, in NumPy alone: what serves a model need not have TensorFlow."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from examples.images.deepar.likelihoods import LIKELIHOODS
from examples.images.deepar.series import Frequency, Series

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    Values = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

MODEL_FILE: Final = "deepar.npz"
SETTINGS_FILE: Final = "deepar.json"


@dataclass(frozen=True)
class Settings:
    """What a forecast has to know about the training."""

    time_freq: str
    context_length: int
    prediction_length: int
    likelihood: str
    num_layers: int

    @property
    def frequency(self) -> Frequency:
        """The time between two values."""
        return Frequency.of(self.time_freq)


@dataclass(frozen=True)
class Model:
    """A trained network: its settings and its weights, as Keras names the parts of an LSTM layer."""

    settings: Settings
    weights: Mapping[str, Values]

    def to_files(self) -> dict[str, bytes]:
        """Return the files of the model by name."""
        packed = io.BytesIO()
        np.savez(packed, **self.weights)  # type: ignore[arg-type]
        settings = json.dumps(asdict(self.settings), indent=2)
        return {MODEL_FILE: packed.getvalue(), SETTINGS_FILE: settings.encode()}

    @staticmethod
    def read(folder: Path) -> Model:
        """Read the model in a folder."""
        settings = Settings(**json.loads((folder / SETTINGS_FILE).read_text("utf-8")))
        with np.load(folder / MODEL_FILE) as weights:
            return Model(settings, dict(weights))

    def sample(self, series: Series, count: int, rng: np.random.Generator) -> Values:
        """Return ``count`` possible continuations of a series, one per row."""
        settings, end = self.settings, len(series.target)
        length = settings.context_length + settings.prediction_length
        window = series.window(end - settings.context_length, length, settings.frequency)
        scale = window.scale(settings.context_length)
        inputs = np.repeat(window.inputs(scale)[None], count, axis=0)
        lags, scales = settings.frequency.lags, np.full(count, scale)
        path = np.repeat(window.target[None], count, axis=0)
        state = _State(self, count)
        for step in range(length):
            out = state.advance(inputs[:, step])
            if step < settings.context_length:
                continue
            path[:, step] = LIKELIHOODS[settings.likelihood].draw(out, scales, rng)
            if step + 1 < length:
                inputs[:, step + 1, 0] = path[:, step] / scale
            for column, lag in enumerate(lags, start=1):
                if step + lag < length:
                    inputs[:, step + lag, column] = path[:, step] / scale
        return path[:, settings.context_length :]

    def predict(self, series: Series, count: int, quantiles: Sequence[float], rng: np.random.Generator) -> Any:
        """Return the mean, the quantiles by name, and the samples of a forecast, as lists."""
        samples = self.sample(series, count, rng)
        return {
            "mean": samples.mean(axis=0).tolist(),
            "quantiles": {f"{each}": np.quantile(samples, each, axis=0).tolist() for each in quantiles},
            "samples": samples.tolist(),
        }


class _State:
    """The cells of all layers, for so many rows."""

    def __init__(self, model: Model, rows: int) -> None:
        self._weights = model.weights
        self._layers = range(model.settings.num_layers)
        cells = [model.weights[f"recurrent_{layer}"].shape[0] for layer in self._layers]
        self._outputs = [np.zeros((rows, width)) for width in cells]
        self._cells = [np.zeros((rows, width)) for width in cells]

    def advance(self, inputs: Values) -> Values:
        """Take one step, and return what the network puts out."""
        for layer in self._layers:
            gates = (
                inputs @ self._weights[f"kernel_{layer}"] + self._outputs[layer] @ self._weights[f"recurrent_{layer}"]
            )
            enter, forget, candidate, leave = np.split(gates + self._weights[f"bias_{layer}"], 4, axis=1)
            self._cells[layer] = _sigmoid(forget) * self._cells[layer] + _sigmoid(enter) * np.tanh(candidate)
            inputs = self._outputs[layer] = _sigmoid(leave) * np.tanh(self._cells[layer])
        out: Values = inputs @ self._weights["kernel_out"] + self._weights["bias_out"]
        return out


def _sigmoid(values: Values) -> Values:
    squashed: Values = 0.5 * (1.0 + np.tanh(0.5 * values))
    return squashed
