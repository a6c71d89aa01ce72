"""A model of DeepAR that has learned nothing, for tests of what is done with models."""

from __future__ import annotations

import numpy as np

from examples.images.deepar.forecast import Model, Settings
from examples.images.deepar.likelihoods import LIKELIHOODS
from examples.images.deepar.series import Series


def random_model(likelihood: str = "gaussian", layers: int = 2, cells: int = 3) -> Model:
    """Return a network that has learned nothing."""
    settings = Settings("H", context_length=6, prediction_length=4, likelihood=likelihood, num_layers=layers)
    rng = np.random.default_rng(0)
    width = Series("2014-01-01", np.ones(9)).window(0, 1, settings.frequency).inputs(1.0).shape[1]
    weights = {}
    for layer in range(layers):
        weights[f"kernel_{layer}"] = rng.normal(0, 0.3, (width if layer == 0 else cells, 4 * cells))
        weights[f"recurrent_{layer}"] = rng.normal(0, 0.3, (cells, 4 * cells))
        weights[f"bias_{layer}"] = np.zeros(4 * cells)
    parameters = LIKELIHOODS[likelihood].parameters
    weights |= {"kernel_out": rng.normal(0, 0.3, (cells, parameters)), "bias_out": np.zeros(parameters)}
    return Model(settings, weights)
