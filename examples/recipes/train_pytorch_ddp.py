"""Train with PyTorch in several processes on spot instances: torchrun --nproc-per-node=4 train_pytorch_ddp.py."""

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from torch import distributed

from spot_relay_client.checkpoints import Checkpoints

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=10_000)
parser.add_argument("--batch-size", type=int, default=32)
parser.add_argument("--learning-rate", type=float, default=0.01)
parser.add_argument("--save-every", type=float, help="seconds between two saves, if not as recommended")
args = parser.parse_args()

distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
rank, size = distributed.get_rank(), distributed.get_world_size()
torch.manual_seed(0)
table = np.loadtxt(Path(os.environ["SM_CHANNEL_TRAIN"]) / "train.csv", delimiter=",", dtype=np.float32)
labels, features = torch.from_numpy(table[:, :1]), torch.from_numpy(table[:, 1:])
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(features.shape[1], 1))
optimizer = torch.optim.Adam(model.parameters(), lr=args.learning_rate)


def write(path):
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)


with Checkpoints(name="step-{step}.pt", every=args.save_every, writes=rank == 0) as checkpoints:
    done = 0
    if newest := checkpoints.newest():
        state = torch.load(newest.path)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        done = newest.step
    print(f"Starting after step {done}", flush=True)
    for step in range(done + 1, args.steps + 1):
        generator = torch.Generator().manual_seed(step * size + rank)
        chosen = torch.randint(len(labels), (args.batch_size,), generator=generator)
        loss = torch.nn.functional.mse_loss(model(features[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        # All have to agree on when to save, and none may end before the checkpoint is in its place.
        due = torch.tensor(checkpoints.due())
        distributed.broadcast(due, src=0)
        if due:
            checkpoints.save(step, write)
            distributed.barrier()
        checkpoints.exit_if_stopping()

if rank == 0:
    torch.save(model.state_dict(), Path(os.environ["SM_MODEL_DIR"]) / "model.pt")
distributed.destroy_process_group()
