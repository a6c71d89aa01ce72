"""Train an image classifier as SageMaker's image-classification does: RecordIO in, checkpoints after epochs."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from examples.images.toolkit.checkpoints import EpochCheckpoints, pack
from examples.images.toolkit.container import Folders, run_training, write_atomically
from examples.images.toolkit.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    import threading
    from pathlib import Path

PREFIX = "image-classification"
# Hyperparameters of the service's algorithm that change nothing here.
_IGNORED = ("use_pretrained_model", "use_weighted_loss", "augmentation_type", "top_k", "precision_dtype", "resize")


@dataclass(frozen=True)
class Task:
    """What the hyperparameters ask for."""

    height: int
    width: int
    num_layers: int
    num_classes: int
    epochs: int
    batch: int
    every: int
    samples: int


class Classifier:
    """A network that tells classes of pictures apart."""

    def __init__(self, task: Task, given: Hyperparameters) -> None:
        import keras

        from examples.images.toolkit.learning import Learning
        from examples.images.toolkit.residual import BLOCKS, add_stages

        self._learning = Learning.of(given, learning_rate=0.1, optimizer="sgd", weight_decay=0.0001)
        given.refuse_others(*_IGNORED)
        if task.num_layers not in BLOCKS:
            raise ValueError(f"num_layers is {task.num_layers}, but must be one of {', '.join(map(str, BLOCKS))}")
        keras.utils.set_random_seed(0)
        picture = keras.Input((task.height, task.width, 3))
        pooled = keras.layers.GlobalAveragePooling2D()(add_stages(picture, task.num_layers, 4))
        self._model = keras.Model(picture, keras.layers.Dense(task.num_classes)(pooled))
        self._optimizer = self._learning.build()
        self._optimizer.build(self._model.trainable_variables)
        self._compile()

    def _compile(self) -> None:
        import tensorflow as tf

        from examples.images.toolkit.pictures import to_inputs

        def learn(pixels: Any, labels: Any) -> Any:
            with tf.GradientTape() as tape:
                out = self._model(to_inputs(pixels), training=True)
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, out))
            variables = self._model.trainable_variables
            self._optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            return tf.equal(tf.argmax(out, axis=1, output_type=tf.int32), labels)

        self._learn = tf.function(learn, reduce_retracing=True)
        self._predict = tf.function(
            lambda pixels: tf.argmax(self._model(to_inputs(pixels), training=False), axis=1), reduce_retracing=True
        )

    def arrays(self) -> list[Any]:
        """Return all that it has learned, for a checkpoint."""
        return [*self._model.get_weights(), *(np.asarray(each) for each in self._optimizer.variables)]

    def restore(self, arrays: list[Any]) -> None:
        """Go on from a checkpoint."""
        count = len(self._model.weights)
        self._model.set_weights(arrays[:count])
        for variable, value in zip(self._optimizer.variables, arrays[count:], strict=True):
            variable.assign(value)

    def begin_epoch(self, epoch: int) -> None:
        """Set the learning rate of an epoch."""
        self._optimizer.learning_rate = self._learning.rate_in(epoch)

    def learn(self, pixels: Any, labels: Any) -> int:
        """Learn from a batch, and return how many of its pictures were told right."""
        return int(np.sum(self._learn(pixels, labels)))

    def accuracy(self, pixels: Any, labels: Any, batch: int) -> float:
        """Return the share of pictures that are told right."""
        places = range(0, len(labels), batch)
        right = [np.sum(self._predict(pixels[at : at + batch]) == labels[at : at + batch]) for at in places]
        return float(sum(right) / len(labels))


def load_channel(files: list[Path], task: Task) -> tuple[Any, Any]:
    """Return the pictures and the classes of a channel."""
    from examples.images.toolkit.pictures import load_pictures

    pixels, labels = load_pictures(files, task.height, task.width)
    classes = np.array([int(label[0]) for label in labels], dtype=np.int32)
    if len(classes) and not 0 <= classes.min() <= classes.max() < task.num_classes:
        raise ValueError(
            f"The pictures have classes from {classes.min()} to {classes.max()}, but num_classes says "
            f"{task.num_classes}"
        )
    return pixels, classes


def run(folders: Folders, stop: threading.Event) -> bool:
    """Train for all epochs, or until ``stop`` is set; return whether all are done."""
    given = Hyperparameters(folders.read_config("hyperparameters"))
    channels, height, width = (*given.integers("image_shape", "3,224,224"), 0, 0)[:3]
    if channels != 3 or min(height, width) < 32:
        raise ValueError(f"image_shape is {given.text('image_shape')}, but must be 3,height,width of at least 32")
    task = Task(
        height=height,
        width=width,
        num_layers=given.integer("num_layers", 152),
        num_classes=given.integer("num_classes", at_least=2),
        epochs=given.integer("epochs", 30, at_least=1),
        batch=given.integer("mini_batch_size", 32, at_least=1),
        every=given.integer("checkpoint_frequency", 1, at_least=1),
        samples=given.integer("num_training_samples", at_least=1),
    )
    classifier = Classifier(task, given)
    pixels, labels = load_channel(folders.files("train"), task)
    if not len(labels):
        raise ValueError(f"There are no pictures in {folders.channel('train')}")
    if len(labels) != task.samples:
        print(f"num_training_samples is {task.samples}, but there are {len(labels)} pictures: an epoch is all of them")
    validation = load_channel(folders.files("validation"), task)
    return _train(folders, stop, task, classifier, (pixels, labels), validation)


def _train(
    folders: Folders, stop: threading.Event, task: Task, classifier: Classifier, train: Any, validation: Any
) -> bool:
    pixels, labels = train
    checkpoints = EpochCheckpoints(folders.checkpoints, PREFIX)
    done, arrays = checkpoints.newest() or (0, None)
    if arrays is not None:
        classifier.restore(arrays)
    print(f"Resuming from {checkpoints.path(done).name}" if done else "Training from the beginning")
    for epoch in range(done, task.epochs):
        classifier.begin_epoch(epoch)
        order = np.random.default_rng(epoch).permutation(len(labels))
        right = 0
        for at in range(0, len(order), task.batch):
            if stop.is_set():
                print(f"Stopped in epoch {epoch} of {task.epochs}; the next start goes on after the last checkpoint")
                return False
            chosen = order[at : at + task.batch]
            right += classifier.learn(pixels[chosen], labels[chosen])
        print(f"Epoch[{epoch}] Train-accuracy={right / len(labels):.6f}")
        if len(validation[1]):
            accuracy = classifier.accuracy(validation[0], validation[1], task.batch)
            print(f"Epoch[{epoch}] Validation-accuracy={accuracy:.6f}")
        if (epoch + 1) % task.every == 0 or epoch + 1 == task.epochs:
            checkpoints.save(epoch + 1, classifier.arrays())
            print(f'Saved checkpoint to "{checkpoints.path(epoch + 1)}"')
    folders.model.mkdir(parents=True, exist_ok=True)
    write_atomically(folders.model / f"{PREFIX}-{task.epochs:04}.params", pack(classifier.arrays()))
    shapes = json.dumps([{"name": "data", "shape": [1, 3, task.height, task.width]}])
    write_atomically(folders.model / "model-shapes.json", shapes.encode())
    return True


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.exit(run_training(run))
