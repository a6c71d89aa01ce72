"""What DeepAR predicts for a value: the parameters of a distribution.

The network puts out numbers without bounds. Each likelihood says how likely a value is by them, and how that changes
with each of them, from which the network learns; and it draws from the distribution, which makes forecasts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Values = np.ndarray[tuple[int, ...], np.dtype[Any]]

_LEAST: Final = 1e-3
_lgamma = np.vectorize(math.lgamma, otypes=[float])


@dataclass(frozen=True)
class Likelihood:
    """A distribution with so many parameters.

    ``learn`` takes what the network puts out, the values and their scale, and returns for each value its negative
    log-likelihood and the derivatives of that by the network's output. ``draw`` takes the first and the last of these.
    """

    parameters: int
    learn: Callable[[Values, Values, Values], tuple[Values, Values]]
    draw: Callable[[Values, Values, np.random.Generator], Values]


def _softplus(values: Values) -> Values:
    """Return log(1 + exp(x)), which is positive."""
    return np.logaddexp(0.0, values)


def _slope(values: Values) -> Values:
    """Return the derivative of softplus."""
    return 0.5 * (1.0 + np.tanh(0.5 * values))


def digamma(values: Values) -> Values:
    """Return the derivative of the logarithm of the gamma function, for positive numbers."""
    # It is known for large numbers, and each number's value follows from that of the next larger one.
    shifted = np.array(values, dtype=np.float64)
    sum_of_steps = np.zeros_like(shifted)
    for _ in range(6):
        sum_of_steps -= 1.0 / shifted
        shifted += 1.0
    square = 1.0 / shifted**2
    series = square * (1 / 12 - square * (1 / 120 - square / 252))
    return sum_of_steps + np.log(shifted) - 0.5 / shifted - series


def _learn_gaussian(out: Values, targets: Values, scale: Values) -> tuple[Values, Values]:
    spread = _softplus(out[..., 1]) + _LEAST
    distance = (targets / scale - out[..., 0]) / spread
    losses = 0.5 * math.log(2 * math.pi) + np.log(spread) + 0.5 * distance**2
    of_spread = (1.0 - distance**2) / spread * _slope(out[..., 1])
    return losses, np.stack([-distance / spread, of_spread], axis=-1)


def _draw_gaussian(out: Values, scale: Values, rng: np.random.Generator) -> Values:
    return scale * rng.normal(out[:, 0], _softplus(out[:, 1]) + _LEAST)


def _learn_student_t(out: Values, targets: Values, scale: Values) -> tuple[Values, Values]:
    spread, freedom = _softplus(out[..., 1]) + _LEAST, _softplus(out[..., 2]) + 2.0
    distance = (targets / scale - out[..., 0]) / spread
    square = distance**2 / freedom
    normed = _lgamma((freedom + 1) / 2) - _lgamma(freedom / 2) - 0.5 * np.log(math.pi * freedom) - np.log(spread)
    losses = 0.5 * (freedom + 1) * np.log1p(square) - normed
    by_distance = (freedom + 1) * distance / (freedom + distance**2)
    by_freedom = 0.5 * (
        np.log1p(square)
        - (freedom + 1) * square / freedom / (1 + square)
        - digamma((freedom + 1) / 2)
        + digamma(freedom / 2)
        + 1.0 / freedom
    )
    of_spread = (1.0 - by_distance * distance) / spread * _slope(out[..., 1])
    return losses, np.stack([-by_distance / spread, of_spread, by_freedom * _slope(out[..., 2])], axis=-1)


def _draw_student_t(out: Values, scale: Values, rng: np.random.Generator) -> Values:
    spread, freedom = _softplus(out[:, 1]) + _LEAST, _softplus(out[:, 2]) + 2.0
    drawn: Values = scale * (out[:, 0] + spread * rng.standard_t(freedom))
    return drawn


def _learn_negative_binomial(out: Values, targets: Values, scale: Values) -> tuple[Values, Values]:
    mean, shape = (_softplus(out[..., 0]) + _LEAST) * scale, 1.0 / (_softplus(out[..., 1]) + _LEAST)
    both = shape + mean
    chosen = _lgamma(targets + shape) - _lgamma(shape) - _lgamma(targets + 1.0)
    losses = -chosen - shape * np.log(shape / both) - targets * np.log(mean / both)
    by_mean = (shape + targets) / both - targets / mean
    by_shape = digamma(shape) - digamma(targets + shape) - np.log(shape / both) - 1.0 + (shape + targets) / both
    of_spread = -by_shape * shape**2 * _slope(out[..., 1])
    return losses, np.stack([by_mean * scale * _slope(out[..., 0]), of_spread], axis=-1)


def _draw_negative_binomial(out: Values, scale: Values, rng: np.random.Generator) -> Values:
    mean, shape = (_softplus(out[:, 0]) + _LEAST) * scale, 1.0 / (_softplus(out[:, 1]) + _LEAST)
    return rng.negative_binomial(shape, shape / (shape + mean)).astype(np.float64)


def _learn_point(out: Values, targets: Values, scale: Values) -> tuple[Values, Values]:
    distance = targets / scale - out[..., 0]
    return np.abs(distance), -np.sign(distance)[..., None]


def _draw_point(out: Values, scale: Values, _: np.random.Generator) -> Values:
    point: Values = scale * out[:, 0]
    return point


LIKELIHOODS: Final = {
    "gaussian": Likelihood(2, _learn_gaussian, _draw_gaussian),
    "student-T": Likelihood(3, _learn_student_t, _draw_student_t),
    "negative-binomial": Likelihood(2, _learn_negative_binomial, _draw_negative_binomial),
    "deterministic-L1": Likelihood(1, _learn_point, _draw_point),
}
