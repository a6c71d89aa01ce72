"""Train with plain PyTorch on spot instances."""

import argparse
import os
from pathlib import Path

import numpy as np
import torch

from spot_relay_client.checkpoints import Checkpoints

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=10_000)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--learning-rate", type=float, default=0.01)
parser.add_argument("--save-every", type=float, help="seconds between two saves, if not as recommended")
args = parser.parse_args()

torch.manual_seed(0)
table = np.loadtxt(Path(os.environ["SM_CHANNEL_TRAIN"]) / "train.csv", delimiter=",", dtype=np.float32)
labels, features = torch.from_numpy(table[:, :1]), torch.from_numpy(table[:, 1:])
model = torch.nn.Sequential(torch.nn.Linear(features.shape[1], 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=args.learning_rate)


def write(path):
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)


with Checkpoints(name="step-{step}.pt", every=args.save_every) as checkpoints:
    done = 0
    if newest := checkpoints.newest():
        state = torch.load(newest.path)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        done = newest.step
    print(f"Starting after step {done}", flush=True)
    for step in range(done + 1, args.steps + 1):
        # The batch follows from the step alone, so that a resumed training sees the same data as any other.
        chosen = torch.randint(len(labels), (args.batch_size,), generator=torch.Generator().manual_seed(step))
        loss = torch.nn.functional.mse_loss(model(features[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if checkpoints.due():
            checkpoints.save(step, write)
        checkpoints.exit_if_stopping()

torch.save(model.state_dict(), Path(os.environ["SM_MODEL_DIR"]) / "model.pt")
