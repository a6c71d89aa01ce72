"""A table of names in both directions: what data, code and by-products are called, and what checkpoints are called.

Most have an extension that checkpoints have as well. The first list never counts, the second always does.
"""

from __future__ import annotations

import pytest

from spot_relay.domain.rules.checkpoint_files import is_checkpoint_file

OTHERS = [
    *("data/train.npy", "data/data.mdb", "input/data.bin", "dataset/images.zip", "datasets/train.pkl"),
    *("train.npz", "train.zip", "data.tar.gz", "code.zip", "code/model.tar.gz", "samples/0.pt"),
    *("predictions/out.npy", "val_predictions.npy", "metrics.pkl", "losses.pkl", "confusion_matrix.npy"),
    *("tokenizer.pkl", "vocab.pkl", "profile.pb", "cpu.prof", "memory_snapshot.pickle", "model.pt.md5"),
    *("model.pt.sha256", "mlflow/model.pkl", "data/model.pt", "Data/part-0.bin", "input/train/x.h5"),
    *("x_train.npy", "y_test.npy", "X_val.npz", "test.pkl", "validation.npz", "dataset.h5", "data.h5"),
    *("train.h5", "embeddings.npy", "embeddings_epoch3.npy", "predictions_epoch_3.pkl", "preds.npz"),
    *("logits.npy", "y_pred.npy", "labels.npy", "features.pkl", "history.pkl", "train_history.pkl"),
    *("results.pkl", "model.pt.sha1", "model.safetensors.sha512", "weights.h5.etag", "lock.mdb", "data.lmdb"),
    *("optuna.db", "study.sqlite3", "memory_snapshot_rank0.pickle", "src/weights.bin", "source.tar.gz"),
    *("dataset.tar.gz", "images.zip", "training_data/x.npy", "eval/out.npy", "evaluation/predictions.npz"),
    *("validation/0.npy", "config.pkl", "hparams.pkl", "args.bin", "train_metrics.npz", "test_losses.npy"),
    *("vocab.pt", "tokenizer.bin", "dataset.pt", "data.pt", "code/checkpoint.pt.py", "runs/metrics.pkl"),
    *("logs/losses.npy", "checkpoints/metrics.pkl", "profile.pickle", "trace.pb", "requirements.zip"),
    *("vocab.joblib", "inputs/0.npz", "raw/a.bin", "data/2026/11/a.zip", "train.bin", "valid.bin", "val.npy"),
    *("train_data.npz", "test_set.pkl", "train-00000-of-00001.bin", "a.tfrecord-00000-of-00010", "a.csv.gz"),
    *("a.jsonl.zst", "a.tsv.xz", "a.parquet.bz2", "dataset.tar.xz", "images.tar.zst", "data.tar.bz2", "data.tar.zip"),
    *("data/eval/model.ckpt", "runs/custom"),
]

CHECKPOINTS = [
    *("xgboost-checkpoint.0", "xgboost-checkpoint.12", "image-classification-0005.params"),
    *("model_algo_1-0005.params", "model_algo_1-0000.params", "ssd_resnet50-0010.params"),
    *("epoch=3-step=100.ckpt", "epoch=3-val_loss=0.21.ckpt", "last.ckpt", "pytorch_model.bin", "model.keras"),
    *("weights.05-0.12.h5", "model.weights.h5", "model.pt", "checkpoint.pt", "state.npz", "weights.npy"),
    *("epoch_3.pkl", "epoch_3.pt", "best.pt", "last.pt", "best_model.zip", "best_val_loss.pt", "loss_0.12.pth"),
    *("model_train.npz", "train_state.pkl", "training_state.pt", "train.pt", "train_state_100.npz"),
    *("data/checkpoints/epoch_3.npy", "data/model/model.pt", "code/checkpoints/last.pkl"),
    *("checkpoint-500/data/0.bin", "step_10/data/w.bin", "model.tar.gz", "policy.npz", "actor.pkl", "agent.pt"),
    *("generator.pth", "discriminator_10.npz", "net_G.npy", "optimizer.pt", "scheduler.pt", "rng_state.npz"),
    *("replay_buffer.pkl", "params.npz", "snapshot", "booster.ubj", "model.json"),
    *("checkpoint_000010/algorithm_state.pkl", "epoch-3-loss-0.12.npz", "step100_loss.pkl"),
    *("model_val_0.3.joblib", "samples/checkpoints/1.npy", "eval/best_model.zip", "evaluation/last.ckpt"),
    *("test/checkpoints/1.npz", "tests/model.pth", "train/model.pt", "train/weights.npz", "output/model.pkl"),
    *("outputs/state.npz", "step-000100.npz", "xgb_model.bin", "lightgbm.pkl", "000010.npz", "weights/1.bin"),
    *("iter_100.npz", "model.pb", "snapshot_iter_100", "best.h5", "trained.h5", "gpt2.bin", "ema.pt"),
    *("embedding_model.pt", "data2vec.pt", "code2vec.pkl", "datamodel.npz", "best_train.npz"),
    *("logs/000010.npz", "logs/model", "runs/detect/best.pt"),
]
# One file of each of these is no whole checkpoint, but a part of one.
PARTS = [
    *("saved_model/1/variables/variables.index", "saved_model/1/variables/variables.data-00000-of-00001"),
    *("ckpt-5.index", "ckpt-5.data-00000-of-00001", "model.ckpt-100.index", "checkpoint-500/model.safetensors"),
    *("global_step5/mp_rank_00_model_states.pt", "checkpoint-500/pytorch_model.bin", "step_10/__0_0.distcp"),
]


@pytest.mark.parametrize("key", OTHERS)
def test_data_code_and_by_products_are_no_checkpoints_whatever_their_extension(key: str) -> None:
    assert not is_checkpoint_file(key, 1)
    assert not is_checkpoint_file(f"deeper/{key}", 1)


@pytest.mark.parametrize("key", [*CHECKPOINTS, *PARTS])
def test_real_checkpoints_and_unknown_names_still_count(key: str) -> None:
    assert is_checkpoint_file(key, 1)
    assert is_checkpoint_file(f"deeper/{key}", 1)


@pytest.mark.parametrize("key", CHECKPOINTS)
def test_any_file_counts_in_a_folder_for_checkpoints_even_below_the_data(key: str) -> None:
    assert is_checkpoint_file(f"data/checkpoints/{key}", 1)
