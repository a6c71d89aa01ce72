"""Train with Lightning on spot instances."""

import argparse
import os
from pathlib import Path

import lightning
import numpy as np
import torch

from spot_relay_client.checkpoints import Checkpoints

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=10_000)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--learning-rate", type=float, default=0.01)
parser.add_argument("--save-every", type=float, help="seconds between two saves, if not as recommended")
args = parser.parse_args()


class SaveCheckpoints(lightning.Callback):
    """Save when it is time to."""

    def __init__(self, checkpoints):
        self.checkpoints = checkpoints

    def on_train_batch_end(self, trainer, *_):
        if self.checkpoints.due():
            self.checkpoints.save(trainer.global_step, trainer.save_checkpoint)
        self.checkpoints.exit_if_stopping()


class Regression(lightning.LightningModule):
    """A small network."""

    def __init__(self, width):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(width, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))

    def training_step(self, batch):
        features, labels = batch
        return torch.nn.functional.mse_loss(self.layers(features), labels)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=args.learning_rate)


table = np.loadtxt(Path(os.environ["SM_CHANNEL_TRAIN"]) / "train.csv", delimiter=",", dtype=np.float32)
data = torch.utils.data.TensorDataset(torch.from_numpy(table[:, 1:]), torch.from_numpy(table[:, :1]))
loader = torch.utils.data.DataLoader(data, batch_size=args.batch_size, shuffle=True)
model = Regression(table.shape[1] - 1)

with Checkpoints(name="step-{step}.ckpt", every=args.save_every) as checkpoints:
    newest = checkpoints.newest()
    trainer = lightning.Trainer(
        max_steps=args.steps,
        max_epochs=-1,
        callbacks=[SaveCheckpoints(checkpoints)],
        enable_checkpointing=False,  # the callback saves instead
        enable_progress_bar=False,
        logger=False,
    )
    print(f"Starting after step {newest.step if newest else 0}", flush=True)
    trainer.fit(model, loader, ckpt_path=newest.path if newest else None)

trainer.save_checkpoint(Path(os.environ["SM_MODEL_DIR"]) / "model.ckpt", weights_only=True)
