"""Train with XGBoost on spot instances."""

import argparse
import os
from pathlib import Path

import numpy as np
import xgboost as xgb

from spot_relay_client.checkpoints import Checkpoints

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=1000)
parser.add_argument("--max-depth", type=int, default=5)
parser.add_argument("--eta", type=float, default=0.1)
parser.add_argument("--save-every", type=float, help="seconds between two saves, if not as recommended")
args = parser.parse_args()


class SaveCheckpoints(xgb.callback.TrainingCallback):
    """Save after a round when it is time to."""

    def __init__(self, checkpoints):
        self.checkpoints = checkpoints

    def after_iteration(self, model, epoch, evals_log):
        if self.checkpoints.due():
            self.checkpoints.save(model.num_boosted_rounds(), model.save_model)
        self.checkpoints.exit_if_stopping()
        return False


table = np.loadtxt(Path(os.environ["SM_CHANNEL_TRAIN"]) / "train.csv", delimiter=",")
train = xgb.DMatrix(table[:, 1:], label=table[:, 0])

with Checkpoints(name="round-{step}.ubj", every=args.save_every) as checkpoints:
    newest = checkpoints.newest()
    done = newest.step if newest else 0
    print(f"Starting after round {done}", flush=True)
    model = xgb.train(
        {"max_depth": args.max_depth, "eta": args.eta},
        train,
        num_boost_round=args.rounds - done,
        xgb_model=newest.path if newest else None,
        callbacks=[SaveCheckpoints(checkpoints)],
    )

model.save_model(Path(os.environ["SM_MODEL_DIR"]) / "xgboost-model.ubj")
