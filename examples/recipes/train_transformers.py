"""Train with the Trainer of Hugging Face's transformers on spot instances."""

import argparse
import os
from pathlib import Path

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments

from spot_relay_client.checkpoints import Checkpoints

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=10_000)
parser.add_argument("--batch-size", type=int, default=8)
parser.add_argument("--learning-rate", type=float, default=1e-3)
parser.add_argument("--save-every", type=float, help="seconds between two saves, if not as recommended")
args = parser.parse_args()


class SaveCheckpoints(TrainerCallback):
    """Save when it is time to. The Trainer writes its folders by itself, and sealing one makes it complete."""

    def __init__(self, checkpoints):
        self.checkpoints = checkpoints

    def on_step_end(self, args, state, control, **kwargs):
        if self.checkpoints.due():
            control.should_save = True

    def on_save(self, args, state, control, **kwargs):
        self.checkpoints.seal(state.global_step)
        self.checkpoints.exit_if_stopping()


# A small model of bytes. Yours comes from AutoModel.from_pretrained(…), with its tokenizer and data set.
text = torch.frombuffer(bytearray((Path(os.environ["SM_CHANNEL_TRAIN"]) / "train.txt").read_bytes()), dtype=torch.uint8)
pieces = text[: len(text) // 32 * 32].view(-1, 32).long()
data = [{"input_ids": piece, "labels": piece} for piece in pieces]
model = GPT2LMHeadModel(GPT2Config(vocab_size=256, n_positions=32, n_embd=32, n_layer=2, n_head=2))

arguments = TrainingArguments(
    output_dir=os.environ.get("SM_CHECKPOINT_DIR", "/opt/ml/checkpoints"),
    max_steps=args.steps,
    per_device_train_batch_size=args.batch_size,
    learning_rate=args.learning_rate,
    save_strategy="no",  # the callback decides
    report_to="none",
)
with Checkpoints(name="checkpoint-{step}", every=args.save_every) as checkpoints:
    newest = checkpoints.newest()
    trainer = Trainer(model, arguments, train_dataset=data, callbacks=[SaveCheckpoints(checkpoints)])
    print(f"Starting after step {newest.step if newest else 0}", flush=True)
    trainer.train(resume_from_checkpoint=str(newest.path) if newest else None)

trainer.save_model(os.environ["SM_MODEL_DIR"])
