"""Train an object detector as SageMaker's object-detection does: RecordIO in, a checkpoint after each epoch.

With a channel ``model`` it begins with the parameters of an earlier model.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from examples.images.object_detection.boxes import match, mean_average_precision, read_objects
from examples.images.toolkit.checkpoints import EpochCheckpoints, pack, unpack
from examples.images.toolkit.container import Folders, run_training, write_atomically
from examples.images.toolkit.hyperparameters import Hyperparameters

if TYPE_CHECKING:
    import threading

    from examples.images.object_detection.boxes import Boxes, Classes
    from examples.images.object_detection.detector import Detector

PREFIX = "model_algo_1"
# Hyperparameters of the service's algorithm that change nothing here.
_IGNORED = ("label_width", "freeze_layer_pattern", "early_stopping", "early_stopping_min_epochs", "kv_store")


@dataclass(frozen=True)
class Task:
    """What the hyperparameters ask for."""

    base: str
    side: int
    num_classes: int
    epochs: int
    batch: int
    samples: int
    overlap: float
    nms: float


@dataclass(frozen=True)
class Channel:
    """The pictures of a channel, and the objects in each."""

    pixels: Any
    objects: list[tuple[Classes, Boxes]]


def read_model(archive: bytes) -> list[Any]:
    """Return the parameters in the ``model.tar.gz`` of an earlier training."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as members:
        names = sorted(name for name in members.getnames() if name.endswith(".params"))
        content = members.extractfile(names[-1]) if names else None
        if content is None:
            raise ValueError(f"The channel model has no parameters: it contains {', '.join(members.getnames())}")
        return unpack(content.read())


def run(folders: Folders, stop: threading.Event) -> bool:
    """Train for all epochs, or until ``stop`` is set; return whether all are done."""
    given = Hyperparameters(folders.read_config("hyperparameters"))
    from examples.images.object_detection.detector import BASES, Detector
    from examples.images.toolkit.learning import Learning

    task = Task(
        base=given.choice("base_network", "vgg-16", list(BASES)),
        side=given.integer("image_shape", 300, at_least=64),
        num_classes=given.integer("num_classes", at_least=1),
        epochs=given.integer("epochs", 30, at_least=1),
        batch=given.integer("mini_batch_size", 32, at_least=1),
        samples=given.integer("num_training_samples", at_least=1),
        overlap=given.number("overlap_threshold", 0.5),
        nms=given.number("nms_threshold", 0.45),
    )
    learning = Learning.of(given, learning_rate=0.001, optimizer="sgd", weight_decay=0.0005)
    if given.choice("use_pretrained_model", "1", ("0", "1")) == "1" and not folders.files("model"):
        print("There are no pretrained weights here: the base network begins with random ones")
    given.refuse_others(*_IGNORED)
    train, validation = (load_channel(folders, name, task) for name in ("train", "validation"))
    if not train.objects:
        raise ValueError(f"There are no pictures in {folders.channel('train')}")
    if len(train.objects) != task.samples:
        print(
            f"num_training_samples is {task.samples}, but there are {len(train.objects)} pictures: an epoch is all of "
            "them"
        )
    detector = Detector(task.base, task.side, task.num_classes, learning)
    return _train(folders, stop, task, detector, train, validation)


def load_channel(folders: Folders, name: str, task: Task) -> Channel:
    """Return the pictures of a channel."""
    from examples.images.toolkit.pictures import load_pictures

    pixels, labels = load_pictures(folders.files(name), task.side, task.side)
    return Channel(pixels, [read_objects(each, task.num_classes) for each in labels])


def _train(
    folders: Folders, stop: threading.Event, task: Task, detector: Detector, train: Channel, validation: Channel
) -> bool:
    checkpoints = EpochCheckpoints(folders.checkpoints, PREFIX)
    host = os.environ.get("SM_CURRENT_HOST", "algo-1")
    done = _begin(folders, detector, checkpoints)
    if not done and folders.files("model") and validation.objects:
        score = _evaluate(detector, validation, task)
        print(f"#quality_metric: host={host}, before the first epoch, validation mAP <score>=({score:.6f})")
    matched = [match(detector.anchors, *each, task.overlap) for each in train.objects]
    classes, offsets = (np.stack(each) for each in zip(*matched, strict=True))
    for epoch in range(done, task.epochs):
        detector.begin_epoch(epoch)
        order = np.random.default_rng(epoch).permutation(len(classes))
        losses = []
        for at in range(0, len(order), task.batch):
            if stop.is_set():
                print(f"Stopped in epoch {epoch} of {task.epochs}; the next start goes on after the last checkpoint")
                return False
            chosen = order[at : at + task.batch]
            losses.append(detector.learn(train.pixels[chosen], classes[chosen], offsets[chosen]))
        named, placed = np.mean(losses, axis=0)
        print(f"#quality_metric: host={host}, epoch={epoch}, train cross_entropy <loss>=({named:.6f})")
        print(f"#quality_metric: host={host}, epoch={epoch}, train smooth_l1 <loss>=({placed:.6f})")
        if validation.objects:
            score = _evaluate(detector, validation, task)
            print(f"#quality_metric: host={host}, epoch={epoch}, validation mAP <score>=({score:.6f})")
        checkpoints.save(epoch + 1, detector.arrays())
    folders.model.mkdir(parents=True, exist_ok=True)
    write_atomically(folders.model / f"{PREFIX}-0000.params", pack(detector.arrays()))
    shape = {"base_network": task.base, "num_classes": task.num_classes, "image_shape": task.side}
    write_atomically(folders.model / "hyperparams.json", json.dumps(shape).encode())
    return True


def _begin(folders: Folders, detector: Detector, checkpoints: EpochCheckpoints) -> int:
    """Restore the newest checkpoint, or else the channel's model; return how many epochs this training has done."""
    done, arrays = checkpoints.newest() or (0, None)
    if arrays is not None:
        detector.restore(arrays)
        print(f"Resuming from {checkpoints.path(done).name}")
    elif earlier := folders.files("model"):
        detector.restore(read_model(earlier[0].read_bytes()))
        print(f"Training from the beginning, with the parameters of {earlier[0].name}")
    else:
        print("Training from the beginning")
    return done


def _evaluate(detector: Detector, validation: Channel, task: Task) -> float:
    places = range(0, len(validation.objects), task.batch)
    detected = [found for at in places for found in detector.detect(validation.pixels[at : at + task.batch], task.nms)]
    return mean_average_precision(detected, validation.objects)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.exit(run_training(run))
