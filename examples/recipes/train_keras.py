"""Train with Keras on spot instances."""

import argparse
import os
from pathlib import Path

import keras
import numpy as np

from spot_relay_client.checkpoints import Checkpoints

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=1000)
parser.add_argument("--steps-per-epoch", type=int, default=10)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--learning-rate", type=float, default=0.01)
parser.add_argument("--save-every", type=float, help="seconds between two saves, if not as recommended")
args = parser.parse_args()


class SaveCheckpoints(keras.callbacks.Callback):
    """Save at the end of an epoch when it is time to. Keep epochs short: fit() can resume only between two of them."""

    def __init__(self, checkpoints):
        super().__init__()
        self.checkpoints = checkpoints

    def on_epoch_end(self, epoch, logs=None):
        if self.checkpoints.due():
            self.checkpoints.save(epoch + 1, self.model.save)
        self.checkpoints.exit_if_stopping()


def build(width):
    model = keras.Sequential([keras.Input((width,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(args.learning_rate), loss="mse")
    return model


def draw_batches(table):
    while True:
        batch = table[np.random.randint(len(table), size=args.batch_size)]
        yield batch[:, 1:], batch[:, 0]


table = np.loadtxt(Path(os.environ["SM_CHANNEL_TRAIN"]) / "train.csv", delimiter=",", dtype=np.float32)

with Checkpoints(name="epoch-{step}.keras", every=args.save_every) as checkpoints:
    newest = checkpoints.newest()
    model = keras.models.load_model(newest.path) if newest else build(table.shape[1] - 1)
    print(f"Starting after epoch {newest.step if newest else 0}", flush=True)
    model.fit(
        draw_batches(table),
        steps_per_epoch=args.steps_per_epoch,
        initial_epoch=newest.step if newest else 0,
        epochs=args.epochs,
        callbacks=[SaveCheckpoints(checkpoints)],
        verbose=2,
    )

model.save(Path(os.environ["SM_MODEL_DIR"]) / "model.keras")
