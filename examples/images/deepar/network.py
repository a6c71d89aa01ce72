"""DeepAR's recurrent network in NumPy: layers of LSTM cells that put out a distribution for each value.

The gradients are written out, and a test compares them with differences. For networks as small as DeepAR's usual ones
that is faster on a CPU than a framework: its steps cost more than its sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from examples.images.deepar.likelihoods import LIKELIHOODS

if TYPE_CHECKING:
    from collections.abc import Callable

    Values = np.ndarray[tuple[int, ...], np.dtype[Any]]
    Weights = dict[str, Values]

_LARGEST_STEP: Final = 10.0
# A sigmoid is a tanh of half its argument, so that one call computes all gates: enter, forget, candidate, leave.
_HALF: Final = (0.5, 0.5, 1.0, 0.5)
_SHIFT: Final = (0.5, 0.5, 0.0, 0.5)


@dataclass(frozen=True)
class Shape:
    """The shape of the network, and how it learns."""

    features: int
    num_cells: int
    num_layers: int
    likelihood: str
    dropout_rate: float = 0.0
    learning_rate: float = 0.001


class Network:
    """A network that learns from windows of time series, batch by batch."""

    def __init__(self, shape: Shape, rng: np.random.Generator, precision: type[np.floating[Any]] = np.float32) -> None:
        self._shape = shape
        self._rng = rng
        self._precision = precision
        cells = shape.num_cells
        weights: Weights = {}
        for layer in range(shape.num_layers):
            width = cells if layer else shape.features
            weights[f"kernel_{layer}"] = _draw_weights(width, 4 * cells, rng)
            weights[f"recurrent_{layer}"] = _draw_weights(cells, 4 * cells, rng)
            # A cell remembers at first.
            weights[f"bias_{layer}"] = np.repeat([0.0, 1.0, 0.0, 0.0], cells)
        parameters = LIKELIHOODS[shape.likelihood].parameters
        weights |= {"kernel_out": _draw_weights(cells, parameters, rng), "bias_out": np.zeros(parameters)}
        self.weights: Weights = {name: value.astype(precision) for name, value in weights.items()}
        self._half, self._shift = (np.repeat(each, cells).astype(precision) for each in (_HALF, _SHIFT))
        self._adam = _Adam(shape.learning_rate)

    def learn(self, inputs: Values, targets: Values, scales: Values) -> float:
        """Learn from a batch, and return its loss: the mean negative log-likelihood of its values."""
        loss, gradients = self.differentiate(inputs, targets, scales)
        self._adam.improve(self.weights, gradients)
        return loss

    def differentiate(self, inputs: Values, targets: Values, scales: Values) -> tuple[float, Weights]:
        """Return the loss of a batch, and its derivatives by all weights."""
        values = np.ascontiguousarray(inputs.transpose(1, 0, 2), dtype=self._precision)
        backward: list[Callable[[Values], tuple[Values, Weights]]] = []
        for layer in range(self._shape.num_layers):
            values, step = self._run_layer(layer, values)
            backward.append(step)
            values, step = self._drop(values)
            backward.append(step)
        out = values @ self.weights["kernel_out"] + self.weights["bias_out"]
        known = ~np.isnan(targets.T)
        learn = LIKELIHOODS[self._shape.likelihood].learn
        losses, by_out = learn(out.astype(np.float64), np.nan_to_num(targets.T), scales[None])
        count = max(1, known.sum())
        gradient = (by_out * known[..., None] / count).astype(self._precision)
        flat, flat_gradient = values.reshape(-1, values.shape[-1]), gradient.reshape(-1, gradient.shape[-1])
        gradients = {"kernel_out": flat.T @ flat_gradient, "bias_out": flat_gradient.sum(axis=0)}
        gradient = gradient @ self.weights["kernel_out"].T
        for step in reversed(backward):
            gradient, of_layer = step(gradient)
            gradients |= of_layer
        return float((losses * known).sum() / count), gradients

    def _run_layer(self, layer: int, inputs: Values) -> tuple[Values, Callable[[Values], tuple[Values, Weights]]]:
        """Return what a layer puts out at each time, and how a gradient of that goes back through it."""
        kernel, recurrent = self.weights[f"kernel_{layer}"], self.weights[f"recurrent_{layer}"]
        length, rows, cells = *inputs.shape[:2], self._shape.num_cells
        gates = inputs @ kernel + self.weights[f"bias_{layer}"]
        outputs, states = (np.zeros((length + 1, rows, cells), self._precision) for _ in range(2))
        squashed = np.empty((length, rows, cells), self._precision)
        for time in range(length):
            gate = np.tanh((gates[time] + outputs[time] @ recurrent) * self._half)
            gates[time] = gate * self._half + self._shift
            enter, forget, candidate, leave = np.split(gates[time], 4, axis=1)
            states[time + 1] = forget * states[time] + enter * candidate
            np.tanh(states[time + 1], out=squashed[time])
            outputs[time + 1] = leave * squashed[time]

        def go_back(gradient: Values) -> tuple[Values, Weights]:
            by_gates = np.empty_like(gates)
            by_output, by_state = (np.zeros((rows, cells), self._precision) for _ in range(2))
            slopes = gates * (1 - gates)
            candidates = slice(2 * cells, 3 * cells)
            slopes[..., candidates] = 1 - gates[..., candidates] ** 2
            for time in reversed(range(length)):
                enter, forget, candidate, leave = np.split(gates[time], 4, axis=1)
                by_output += gradient[time]
                by_state += by_output * leave * (1 - squashed[time] ** 2)
                row = by_gates[time]
                row[:, :cells] = by_state * candidate
                row[:, cells : 2 * cells] = by_state * states[time]
                row[:, candidates] = by_state * enter
                row[:, 3 * cells :] = by_output * squashed[time]
                row *= slopes[time]
                by_state *= forget
                by_output = row @ recurrent.T
            flat = by_gates.reshape(-1, 4 * cells)
            return by_gates @ kernel.T, {
                f"kernel_{layer}": inputs.reshape(-1, inputs.shape[-1]).T @ flat,
                f"recurrent_{layer}": outputs[:-1].reshape(-1, cells).T @ flat,
                f"bias_{layer}": flat.sum(axis=0),
            }

        return outputs[1:], go_back

    def _drop(self, values: Values) -> tuple[Values, Callable[[Values], tuple[Values, Weights]]]:
        """Leave out some values at random, and return how a gradient goes back through that."""
        rate = self._shape.dropout_rate
        if not rate:
            return values, lambda gradient: (gradient, {})
        kept = ((self._rng.random(values.shape) >= rate) / (1 - rate)).astype(self._precision)
        return values * kept, lambda gradient: (gradient * kept, {})


class _Adam:
    """The optimizer Adam: steps by the means of the gradients and of their squares."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._steps = 0
        self._means: Weights = {}
        self._squares: Weights = {}

    def improve(self, weights: Weights, gradients: Weights) -> None:
        """Change the weights, in place."""
        self._steps += 1
        size = float(np.sqrt(sum(float((gradient**2).sum()) for gradient in gradients.values())))
        shrink = min(1.0, _LARGEST_STEP / size) if size > 0 else 1.0
        rate = self._rate * np.sqrt(1 - 0.999**self._steps) / (1 - 0.9**self._steps)
        for name, gradient in gradients.items():
            mean = self._means.setdefault(name, np.zeros_like(gradient))
            square = self._squares.setdefault(name, np.zeros_like(gradient))
            mean += 0.1 * (gradient * shrink - mean)
            square += 0.001 * ((gradient * shrink) ** 2 - square)
            weights[name] -= (rate * mean / (np.sqrt(square) + 1e-7)).astype(weights[name].dtype)


def _draw_weights(inputs: int, outputs: int, rng: np.random.Generator) -> Values:
    bound = np.sqrt(6.0 / (inputs + outputs))
    return rng.uniform(-bound, bound, (inputs, outputs))
