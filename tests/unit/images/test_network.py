"""DeepAR's network learns by the right gradients: they are those that small differences show."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import special

from examples.images.deepar.forecast import Model, Settings
from examples.images.deepar.likelihoods import LIKELIHOODS, digamma
from examples.images.deepar.network import Network, Shape
from examples.images.deepar.series import Series
from examples.images.deepar.train import draw_batches, run
from examples.images.toolkit.container import Folders
from workshop.electricity import build_electricity

if TYPE_CHECKING:
    from pathlib import Path

GIVEN = {
    "time_freq": "H",
    "context_length": "12",
    "prediction_length": "6",
    "num_cells": "8",
    "num_layers": "2",
    "likelihood": "gaussian",
    "epochs": "3",
    "mini_batch_size": "8",
    "learning_rate": "0.01",
    "dropout_rate": "0.05",
    "early_stopping_patience": "10",
}


def batch(rows: int = 3, length: int = 5, features: int = 4) -> tuple[Any, Any, Any]:
    """Return inputs, values with one missing, and scales."""
    rng = np.random.default_rng(1)
    targets = rng.integers(0, 9, (rows, length)).astype(float)
    targets[0, 2] = np.nan
    return rng.normal(0, 1, (rows, length, features)), targets, rng.uniform(1, 5, rows)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_gradients_are_those_that_differences_show(likelihood: str) -> None:
    network = Network(Shape(4, 3, 2, likelihood), np.random.default_rng(0), precision=np.float64)
    inputs, targets, scales = batch()
    _, gradients = network.differentiate(inputs, targets, scales)
    assert gradients.keys() == network.weights.keys()
    rng, step = np.random.default_rng(2), 1e-6
    for name, weight in network.weights.items():
        for place in rng.choice(weight.size, min(6, weight.size), replace=False):
            before = weight.flat[place]
            losses = []
            for moved in (before + step, before - step):
                weight.flat[place] = moved
                losses.append(network.differentiate(inputs, targets, scales)[0])
            weight.flat[place] = before
            shown = (losses[0] - losses[1]) / (2 * step)
            assert gradients[name].flat[place] == pytest.approx(shown, abs=1e-6, rel=1e-5), f"{name}[{place}]"


def test_missing_values_count_for_nothing() -> None:
    network = Network(Shape(4, 3, 1, "gaussian"), np.random.default_rng(0), precision=np.float64)
    inputs, targets, scales = batch()
    targets[:] = np.nan
    loss, gradients = network.differentiate(inputs, targets, scales)
    assert loss == 0
    assert not any(gradient.any() for gradient in gradients.values())


def test_dropout_leaves_the_mean_as_it_is_and_is_differentiated_as_it_fell() -> None:
    network = Network(Shape(4, 3, 1, "gaussian", dropout_rate=0.5), np.random.default_rng(0), precision=np.float64)
    values, go_back = network._drop(np.ones((50, 50, 20)))
    assert set(np.unique(values)) == {0.0, 2.0}
    assert values.mean() == pytest.approx(1.0, abs=0.02)
    assert np.array_equal(go_back(np.ones_like(values))[0], values)


def test_digamma_is_what_scipy_says() -> None:
    values = np.concatenate([np.geomspace(1e-3, 1e4, 50), [1.0, 2.0]])
    assert digamma(values) == pytest.approx(special.digamma(values), rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_network_learns(likelihood: str) -> None:
    hours = np.arange(24 * 14)
    series = [Series("2014-01-01", np.round(20 + 15 * np.sin(hours / 24 * 2 * np.pi) + shift)) for shift in range(4)]
    settings = Settings("H", context_length=12, prediction_length=6, likelihood=likelihood, num_layers=1)
    rng = np.random.default_rng(0)
    features = series[0].window(0, 1, settings.frequency).inputs(1.0).shape[1]
    network = Network(Shape(features, 8, 1, likelihood, learning_rate=0.02), rng)
    losses = [network.learn(*each) for _ in range(6) for each in draw_batches(series, settings, 8, rng)]
    assert np.mean(losses[-10:]) < np.mean(losses[:10]) - 0.05


def folders_with(base: Path, **changes: str) -> Folders:
    """Make the folders of a job that trains on a few customers."""
    folders = Folders.of({"SAGEMAKER_BASE_DIR": str(base)})
    folders.config.mkdir(parents=True)
    (folders.config / "hyperparameters.json").write_text(json.dumps(GIVEN | changes))
    for key, content in build_electricity("data", customers=3, hours=24 * 10).items():
        path = folders.channel(key.split("/")[1]) / "part.json"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    return folders


def test_a_job_trains_reports_each_epoch_and_leaves_a_model_that_forecasts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = folders_with(tmp_path)
    assert run(folders, threading.Event())
    printed = capsys.readouterr().out
    assert [f"epoch={n}, train loss <loss>=" in printed for n in range(4)] == [True, True, True, False]
    assert "#test_score (algo-1, RMSE): " in printed
    assert not folders.checkpoints.exists()
    model = Model.read(folders.model)
    forecast = model.predict(Series("2014-01-01", np.arange(100.0)), 20, (0.5,), np.random.default_rng(0))
    assert len(forecast["mean"]) == len(forecast["quantiles"]["0.5"]) == 6


def test_a_job_that_is_stopped_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders, stop = folders_with(tmp_path), threading.Event()
    stop.set()
    assert not run(folders, stop)
    assert "Stopped in epoch 0 of 3; nothing is saved" in capsys.readouterr().out
    assert not folders.model.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"likelihood": "beta"}, "likelihood is beta, but must be one of gaussian, student-T"),
        ({"num_cell": "3"}, "num_cell is not a hyperparameter of this algorithm"),
        ({"epochs": "0"}, "epochs is 0, but must be at least 1"),
        ({"time_freq": "X"}, "time_freq is X"),
    ],
)
def test_wrong_hyperparameters_are_refused_before_anything_is_trained(
    tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        run(folders_with(tmp_path, **changes), threading.Event())


def test_it_stops_early_when_the_loss_no_longer_improves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folders_with(tmp_path, learning_rate="0", epochs="50", early_stopping_patience="2"), threading.Event())
    assert "Loss has not improved for 2 epochs" in capsys.readouterr().out
