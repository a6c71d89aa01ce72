"""A single-shot detector: a small residual network that says at each place of a map what is there, and how large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import keras
import numpy as np
import tensorflow as tf

from examples.images.object_detection import boxes
from examples.images.toolkit.pictures import to_inputs
from examples.images.toolkit.residual import add_stages

if TYPE_CHECKING:
    from examples.images.object_detection.boxes import Boxes
    from examples.images.toolkit.learning import Learning

# The base networks of the service's algorithm, and the layers of the small network that stands for each.
BASES: Final = {"resnet-50": 50, "vgg-16": 18}
# For each anchor with an object, so many without one count: those that are mistaken for an object most.
_NEGATIVES: Final = 3
_LEAST_SCORE: Final = 0.05


class Detector:
    """A network that finds objects of some classes in square pictures."""

    def __init__(self, base: str, side: int, num_classes: int, learning: Learning) -> None:
        self._learning = learning
        self._classes = num_classes
        keras.utils.set_random_seed(0)
        picture = keras.Input((side, side, 3))
        features = add_stages(picture, BASES[base], 3)
        features = keras.layers.Conv2D(64, 3, padding="same", activation="relu")(features)
        count = len(boxes.SIDES)
        scores = keras.layers.Conv2D(count * (num_classes + 1), 3, padding="same")(features)
        offsets = keras.layers.Conv2D(count * 4, 3, padding="same")(features)
        self.anchors = boxes.make_anchors(int(features.shape[1]), int(features.shape[2]))
        out = [
            keras.layers.Reshape((len(self.anchors), num_classes + 1))(scores),
            keras.layers.Reshape((len(self.anchors), 4))(offsets),
        ]
        self._model = keras.Model(picture, out)
        self._optimizer = learning.build()
        self._optimizer.build(self._model.trainable_variables)
        self._step = tf.function(self._learn, reduce_retracing=True)
        self._predict = tf.function(self._look, reduce_retracing=True)

    def arrays(self) -> list[Any]:
        """Return all that it has learned, for a checkpoint."""
        return [*self._model.get_weights(), *(np.asarray(each) for each in self._optimizer.variables)]

    def restore(self, arrays: list[Any]) -> None:
        """Go on from a checkpoint, or from an earlier model, whose optimizer may have been another one."""
        count = len(self._model.weights)
        expected = [tuple(weight.shape) for weight in self._model.weights]
        if [array.shape for array in arrays[:count]] != expected:
            raise ValueError("The parameters are those of another network: base_network and num_classes must agree")
        self._model.set_weights(arrays[:count])
        variables, values = self._optimizer.variables, arrays[count:]
        if [array.shape for array in values] == [tuple(variable.shape) for variable in variables]:
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def begin_epoch(self, epoch: int) -> None:
        """Set the learning rate of an epoch."""
        self._optimizer.learning_rate = self._learning.rate_in(epoch)

    def learn(self, pixels: Any, classes: Any, offsets: Any) -> tuple[float, float]:
        """Learn from a batch, and return the losses of the classes and of the boxes."""
        named, placed = self._step(pixels, classes, offsets)
        return float(named), float(placed)

    def detect(self, pixels: Any, nms_threshold: float) -> list[list[tuple[int, float, Boxes]]]:
        """Return what is in each picture: class, score and box."""
        found = []
        for scores, offsets in zip(*(each.numpy() for each in self._predict(pixels)), strict=True):
            placed = boxes.move(self.anchors, offsets)
            of_picture = []
            for kind in range(self._classes):
                candidates = np.flatnonzero(scores[:, kind + 1] >= _LEAST_SCORE)
                kept = boxes.suppress(placed[candidates], scores[candidates, kind + 1], nms_threshold)
                of_picture += [(kind, float(scores[place, kind + 1]), placed[place]) for place in candidates[kept]]
            found.append(of_picture)
        return found

    def _look(self, pixels: Any) -> Any:
        scores, offsets = self._model(to_inputs(pixels), training=False)
        return tf.nn.softmax(scores), offsets

    def _learn(self, pixels: Any, classes: Any, offsets: Any) -> Any:
        with tf.GradientTape() as tape:
            scores, moved = self._model(to_inputs(pixels), training=True)
            is_object = classes > 0
            objects = tf.maximum(tf.reduce_sum(tf.cast(is_object, tf.float32)), 1.0)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(classes, scores)
            counted = tf.logical_or(is_object, _hardest(losses, is_object))
            named = tf.reduce_sum(tf.where(counted, losses, 0.0)) / objects
            distance = tf.abs(moved - offsets)
            smooth = tf.reduce_sum(tf.where(distance < 1, 0.5 * distance**2, distance - 0.5), axis=-1)
            placed = tf.reduce_sum(tf.where(is_object, smooth, 0.0)) / objects
            loss = named + placed
        variables = self._model.trainable_variables
        self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return named, placed


def _hardest(losses: Any, is_object: Any) -> Any:
    """Return the anchors without an object whose loss is highest, so many for each with an object in a picture."""
    of_others = tf.where(is_object, -1.0, losses)
    rank = tf.argsort(tf.argsort(of_others, axis=1, direction="DESCENDING"), axis=1)
    most = _NEGATIVES * tf.reduce_sum(tf.cast(is_object, tf.int32), axis=1, keepdims=True)
    return tf.logical_and(rank < most, tf.logical_not(is_object))
