"""A user's own training script, in a container of their own: a convolutional network for CIFAR-10, with TensorFlow.

It knows SageMaker's contract with training containers and nothing else: hyperparameters and channels come through files
and ``SM_`` variables, the model goes to ``SM_MODEL_DIR``, and a SIGTERM ends the training. Like the workshop's script
it writes no checkpoints, so a training that is interrupted begins again at zero.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from types import FrameType

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
SIDE, CHANNELS, CLASSES = 32, 3, 10
RECORD = 1 + SIDE * SIDE * CHANNELS
BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))


class Terminated(BaseException):
    """SageMaker takes the instance away."""


def parse_options() -> argparse.Namespace:
    """Read the hyperparameters as options, as SageMaker's training toolkit passes them to a script."""
    config = BASE / "input" / "config" / "hyperparameters.json"
    given = json.loads(config.read_text("utf-8")) if config.exists() else {}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train-steps", type=int, default=1000)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--log-every", type=int, default=10)
    options = [text for name, value in given.items() for text in (f"--{name}", str(value).strip('"'))]
    return parser.parse_args([*options, *sys.argv[1:]])


def load_batches(folder: Path) -> tuple[Any, Any]:
    """Return the pictures and labels in CIFAR-10's binary files: a byte for the label, then the pixels by colour."""
    files = sorted(folder.glob("*.bin"))
    if not files:
        raise FileNotFoundError(f"There are no .bin files of CIFAR-10 in {folder}")
    records = np.concatenate([np.frombuffer(path.read_bytes(), np.uint8) for path in files]).reshape(-1, RECORD)
    pixels = records[:, 1:].reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)
    return pixels, records[:, 0].astype(np.int32)


def build_network() -> Any:
    """Return the network."""
    import keras

    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, CHANNELS)),
            keras.layers.Rescaling(1 / 127.5, offset=-1),
            keras.layers.Conv2D(32, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(CLASSES),
        ]
    )


def train(options: argparse.Namespace) -> Any:
    """Train so many steps, and return the network."""
    import keras

    channel = os.environ.get("SM_CHANNEL_TRAINING", str(BASE / "input" / "data" / "training"))
    pixels, labels = load_batches(Path(channel))
    network = build_network()
    network.compile(
        keras.optimizers.Adam(options.learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    rng = np.random.default_rng(0)
    for step in range(1, options.train_steps + 1):
        chosen = rng.integers(0, len(labels), options.batch_size)
        loss, accuracy = network.train_on_batch(pixels[chosen], labels[chosen])
        if step % options.log_every == 0 or step == 1:
            print(f"step = {step}, loss = {loss:.5f}, accuracy = {accuracy:.4f}", flush=True)
            network.reset_metrics()
    return network


def terminate(_signal: int, _frame: FrameType | None) -> None:
    """End the training at once: there is nothing to save."""
    raise Terminated


def main() -> int:
    """Train, and return 0, or 143 after a SIGTERM."""
    signal.signal(signal.SIGTERM, terminate)
    try:
        network = train(parse_options())
        folder = Path(os.environ.get("SM_MODEL_DIR", BASE / "model"))
        folder.mkdir(parents=True, exist_ok=True)
        network.save(folder / "cifar10.keras")
    except Terminated:
        print("SIGTERM: stopping", flush=True)
        return 128 + signal.SIGTERM
    except Exception as error:
        failure = BASE / "output" / "failure"
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text(f"{type(error).__name__}: {error}", "utf-8")
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
