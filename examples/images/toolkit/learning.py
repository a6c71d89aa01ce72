"""How SageMaker's image algorithms learn: their optimizers and their schedule of learning rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from examples.images.toolkit.hyperparameters import Hyperparameters

OPTIMIZERS = ("sgd", "nag", "adam", "rmsprop", "adadelta")


@dataclass(frozen=True)
class Learning:
    """An optimizer, and by what the learning rate is multiplied after which epochs."""

    optimizer: str
    learning_rate: float
    momentum: float
    weight_decay: float
    steps: tuple[int, ...]
    factor: float

    @staticmethod
    def of(given: Hyperparameters, learning_rate: float, optimizer: str, weight_decay: float) -> Learning:
        """Read the hyperparameters, with the defaults of an algorithm."""
        return Learning(
            optimizer=given.choice("optimizer", optimizer, OPTIMIZERS),
            learning_rate=given.number("learning_rate", learning_rate),
            momentum=given.number("momentum", 0.9),
            weight_decay=given.number("weight_decay", weight_decay),
            steps=given.integers("lr_scheduler_step", ""),
            factor=given.number("lr_scheduler_factor", 0.1),
        )

    def build(self) -> Any:
        """Return the optimizer."""
        options = {"learning_rate": self.learning_rate, "weight_decay": self.weight_decay, "clipnorm": 10.0}
        match self.optimizer:
            case "adam":
                return keras.optimizers.Adam(**options)
            case "rmsprop":
                return keras.optimizers.RMSprop(rho=0.9, **options)  # momentum is for SGD only, as in the service
            case "adadelta":
                return keras.optimizers.Adadelta(**options)
            case name:
                return keras.optimizers.SGD(momentum=self.momentum, nesterov=name == "nag", **options)

    def rate_in(self, epoch: int) -> float:
        """Return the learning rate in an epoch, counted from 0."""
        return self.learning_rate * self.factor ** sum(epoch >= step for step in self.steps)
