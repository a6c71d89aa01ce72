"""Train DeepAR as SageMaker's forecasting-deepar does: JSON lines in, a network that forecasts with probabilities out.

Like the service's algorithm it writes no checkpoints, so a training that is interrupted begins again at zero.
"""

from __future__ import annotations

import copy
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from examples.images.deepar.forecast import Model, Settings
from examples.images.deepar.likelihoods import LIKELIHOODS
from examples.images.deepar.network import Network, Shape
from examples.images.deepar.series import Series, read_series
from examples.images.toolkit.container import Folders, run_training, write_atomically
from examples.images.toolkit.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from examples.images.deepar.forecast import Values

    Batch = tuple[Values, Values, Values]

# Hyperparameters of the service's algorithm that change nothing here.
_IGNORED = ("test_quantiles", "num_dynamic_feat", "cardinality", "embedding_dimension")
_LEAST_BATCHES = 10


@dataclass(frozen=True)
class Plan:
    """How the network learns."""

    epochs: int
    batch: int
    patience: int
    num_cells: int
    dropout_rate: float
    learning_rate: float


def draw_batches(series: Sequence[Series], settings: Settings, size: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Yield the batches of an epoch: inputs, values and scales of windows at random places of random series."""
    length = settings.context_length + settings.prediction_length
    for _ in range(max(_LEAST_BATCHES, -(-len(series) // size))):
        inputs, targets, scales = [], [], []
        for number in rng.integers(0, len(series), size):
            chosen = series[number]
            # The context may begin before the series does, but what is predicted is always known.
            latest = max(1, len(chosen.target) - length + 1)
            window = chosen.window(int(rng.integers(0, latest)), length, settings.frequency)
            scale = window.scale(settings.context_length)
            inputs.append(window.inputs(scale))
            targets.append(window.target)
            scales.append(scale)
        yield np.stack(inputs), np.stack(targets), np.array(scales)


def run(folders: Folders, stop: threading.Event) -> bool:
    """Train for all epochs, or until ``stop`` is set or the loss no longer improves; return whether it is complete."""
    began = time.monotonic()
    given = Hyperparameters(folders.read_config("hyperparameters"))
    settings = Settings(
        time_freq=given.text("time_freq"),
        context_length=given.integer("context_length", at_least=1),
        prediction_length=given.integer("prediction_length", at_least=1),
        likelihood=given.choice("likelihood", "student-T", list(LIKELIHOODS)),
        num_layers=given.integer("num_layers", 2, at_least=1),
    )
    epochs = given.integer("epochs", at_least=1)
    plan = Plan(
        epochs=epochs,
        batch=given.integer("mini_batch_size", 128, at_least=1),
        patience=given.integer("early_stopping_patience", epochs, at_least=1),
        num_cells=given.integer("num_cells", 40, at_least=1),
        dropout_rate=given.number("dropout_rate", 0.1),
        learning_rate=given.number("learning_rate", 0.001),
    )
    samples = given.integer("num_eval_samples", 100, at_least=1)
    given.refuse_others(*_IGNORED)
    series = read_series(folders.files("train"))
    if not series:
        raise ValueError(f"There is no time series in {folders.channel('train')}")
    print(f"Training on {len(series)} time series from the beginning: this algorithm writes no checkpoints")
    rng = np.random.default_rng(0)
    weights = _train(series, settings, plan, rng, stop)
    if weights is None:
        return False
    model = Model(settings, weights)
    _evaluate(model, read_series(folders.files("test")), samples, rng)
    folders.model.mkdir(parents=True, exist_ok=True)
    for name, content in model.to_files().items():
        write_atomically(folders.model / name, content)
    print(f"#metrics total time: {time.monotonic() - began:.1f} s")
    return True


def _train(
    series: Sequence[Series], settings: Settings, plan: Plan, rng: np.random.Generator, stop: threading.Event
) -> dict[str, Values] | None:
    """Return the weights of the best epoch, or None if ``stop`` was set."""
    features = series[0].window(0, 1, settings.frequency).inputs(1.0).shape[1]
    shape = Shape(
        features, plan.num_cells, settings.num_layers, settings.likelihood, plan.dropout_rate, plan.learning_rate
    )
    network = Network(shape, rng)
    host = os.environ.get("SM_CURRENT_HOST", "algo-1")
    best, waited, weights = float("inf"), 0, copy.deepcopy(network.weights)
    for epoch in range(plan.epochs):
        losses = []
        for inputs, targets, scales in draw_batches(series, settings, plan.batch, rng):
            if stop.is_set():
                print(f"Stopped in epoch {epoch} of {plan.epochs}; nothing is saved")
                return None
            losses.append(network.learn(inputs, targets, scales))
        loss = float(np.mean(losses))
        print(f"#quality_metric: host={host}, epoch={epoch}, train loss <loss>={loss:.6f}")
        waited += 1
        if loss < best:
            best, waited, weights = loss, 0, copy.deepcopy(network.weights)
        elif waited >= plan.patience:
            print(f"Loss has not improved for {plan.patience} epochs. Stopping early")
            break
    return weights


def _evaluate(model: Model, series: Sequence[Series], count: int, rng: np.random.Generator) -> None:
    """Print how far the forecasts of the last values of each test series are from them."""
    length = model.settings.prediction_length
    series = [each for each in series if len(each.target) > length]
    if not series:
        return
    truths = np.stack([each.target[-length:] for each in series])
    samples = np.stack([model.sample(_without_end(each, length), count, rng) for each in series])
    error = np.sqrt(np.nanmean((samples.mean(axis=1) - truths) ** 2))
    print(f"#test_score (algo-1, RMSE): {error:.6f}")
    for quantile in (0.1, 0.5, 0.9):
        predicted = np.quantile(samples, quantile, axis=1)
        below = truths - predicted
        loss = 2 * np.nansum(np.maximum(quantile * below, (quantile - 1) * below)) / np.nansum(np.abs(truths))
        print(f"#test_score (algo-1, wQuantileLoss[{quantile}]): {loss:.6f}")


def _without_end(series: Series, length: int) -> Series:
    return Series(series.start, series.target[:-length])


if __name__ == "__main__":
    sys.exit(run_training(run))
